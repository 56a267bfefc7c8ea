"""The small half of ``make matrix``: every kind of model, in both formats, from float32 to int8."""

from pathlib import Path
from typing import Any

import pytest
from support import zoo

import edgekit

RECURRENT = ("LSTM", "GRU")


@pytest.mark.parametrize("name", zoo.SMALL)
def test_a_kind_of_model_converts_in_both_formats(name: str, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.SMALL[name]()
    source: Any = zoo.OWN_CLASSES.get(name, model)
    report = edgekit.convert(
        source, zoo.samples(model), tmp_path, precision=["float32", "dynamic", "int8"]
    )
    assert len(report.files) == 6
    scores = {(f.format, f.precision): f.worst_result.sqnr_db for f in report.files}
    least = {"float32": 100.0, "dynamic": 30.0, "int8": 18.0}
    for (form, precision), score in scores.items():
        assert score > least[precision], (form, precision, score)
    apart = scores["onnx", "int8"] - scores["tflite", "int8"]
    if any(kind in name for kind in RECURRENT):
        assert apart > -1.5, scores  # in ONNX these may compute in float
        sizes = {(f.format, f.precision): f.bytes for f in report.files}
        for form in ("tflite", "onnx"):
            assert sizes[form, "int8"] <= sizes[form, "float32"], sizes
    else:
        assert abs(apart) < 1.5, scores
