"""ONNX files in the opset that ONNX's reference evaluator knows: the same numbers as in ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit_converters import convert, load_model
from edgekit_runtimes import open_model

QUANTUM = 1 / 256
"""The step of a softmax's int8 output."""


def evaluated(path: Path, name: str, rows: Any) -> Any:
    """What the reference evaluator computes, one sample after the other."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(str(path))
    return np.concatenate([evaluator.run(None, {name: row[np.newaxis]})[0] for row in rows])


@pytest.mark.parametrize(
    ("model", "data", "name"), [("cnn", "calib", "image"), ("lstm", "rows", "rows")]
)
def test_the_reference_evaluator_runs_int8_files_of_opset_19(
    model: str, data: str, name: str, digits: Path, tmp_path: Path
) -> None:
    rows = np.load(digits / f"{data}.npz")[name].astype(np.float32)[:60]
    target = tmp_path / "int8.onnx"
    samples = [{name: row} for row in rows]
    convert(
        load_model(str(digits / f"{model}.keras")), {("onnx", "int8"): target}, samples,
        scratch=tmp_path, opset=19,
    )  # fmt: skip
    with open_model(target) as session:
        expected = session.run(rows[:10])
    assert np.abs(evaluated(target, name, rows[:10]) - expected).max() <= 3 * QUANTUM


def test_the_reference_evaluator_runs_masked_layers(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    x = keras.layers.Input((6, 3), name="x")
    y = keras.layers.GRU(4, return_sequences=True)(keras.layers.Masking(0.0)(x))
    target = tmp_path / "masked.onnx"
    convert(keras.Model(x, y), {("onnx", "float32"): target}, scratch=tmp_path, opset=19)
    random = np.random.default_rng(0)
    rows = random.normal(size=(8, 6, 3)) * (random.random((8, 6, 1)) < 0.6)
    rows = rows.astype(np.float32)
    with open_model(target) as session:
        np.testing.assert_allclose(evaluated(target, "x", rows), session.run(rows), atol=1e-5)
