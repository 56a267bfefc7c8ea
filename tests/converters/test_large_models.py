"""Models of more than 2 GB: ONNX with its weights in a file beside it, and clear refusals of the rest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import zoo

import edgekit
from edgekit_converters import convert, load_model
from edgekit_converters.tflite import float_graph

MODEL = """
import numpy as np

def model():
    import keras
    keras.utils.set_random_seed(0)
    layers = keras.layers
    wide = layers.Dense(24_000, activation="relu", bias_initializer="random_normal")
    return keras.Sequential([layers.Input((25_000,), name="x"), wide, layers.Dense(3, name="y")])

def samples():
    for i in range(12):
        yield {"x": np.random.default_rng(i).normal(size=25_000).astype(np.float32)}
"""


@pytest.mark.parametrize(
    "make", [zoo.cnn, zoo.unet, zoo.recommender, zoo.embedding_lstm, zoo.gru, zoo.transformer]
)
def test_weights_outside_the_graph_are_those_of_the_model(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a large model, taken by small ones."""
    import keras

    monkeypatch.setattr(float_graph, "MOST_BYTES", 1)
    monkeypatch.setattr(float_graph, "_OUTSIDE_FROM", 500)
    keras.utils.set_random_seed(0)
    make().save(tmp_path / "model.keras")
    model = load_model(str(tmp_path / "model.keras"))
    samples = {name: values[:4] for name, values in zoo.samples(model).items()}
    path = tmp_path / "model.onnx"
    convert(model, {("onnx", "float32"): path}, scratch=tmp_path)
    assert (tmp_path / "model.onnx.data").stat().st_size > 500
    (expected,) = keras.tree.flatten(model([samples[t.name] for t in model.inputs]))
    with edgekit.open_model(path) as session:
        outputs = session.run(samples)
    got = next(iter(outputs.values())) if isinstance(outputs, dict) else outputs
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_model_too_large_for_tflite_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(float_graph, "MOST_BYTES", 1)
    zoo.mlp().save(tmp_path / "model.keras")
    model = load_model(str(tmp_path / "model.keras"))
    targets = {("tflite", "float32"): tmp_path / "a", ("onnx", "float32"): tmp_path / "b"}
    with pytest.raises(edgekit.ConversionError, match="onnx in float32 alone"):
        convert(model, targets, scratch=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_model_above_2_gb_becomes_onnx_with_a_file_of_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    (tmp_path / "wide.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(edgekit.ConversionError, match=r"2\.4 GB.*onnx in float32 alone"):
        edgekit.convert("wide:model", "wide:samples", "out")
    report = edgekit.convert(
        "wide:model", "wide:samples", "out", to=["onnx"], precision=["float32"]
    )
    assert report, report.verdict
    (file,) = report.files
    assert file.bytes > 2_400_000_000
    path = Path("out/model_float32.onnx")
    data = Path("out/model_float32.onnx.data")
    assert data.stat().st_size >= 2_400_000_000 > path.stat().st_size
    onnx.checker.check_model(str(path))
    (entry,) = json.loads(Path("out/manifest.json").read_text())["files"]
    assert entry["data"]["file"] == data.name
    assert entry["data"]["bytes"] == data.stat().st_size
    assert len(entry["data"]["sha256"]) == 64
