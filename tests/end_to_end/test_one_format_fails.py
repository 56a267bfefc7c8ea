"""A model that one format cannot express: the other's files are written, and the exit status says so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import edgekit
from edgekit.cli.main import main


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Exclusive or: TFLite has an operator for it, and tf2onnx knows none for TFLite's."""
    import keras

    x = keras.Input((4,), dtype="int32", name="x")
    mixed = keras.ops.bitwise_xor(x, keras.ops.right_shift(x, 1))
    path = tmp_path / "model.keras"
    keras.Model(x, keras.layers.Dense(2, name="y")(keras.ops.cast(mixed, "float32"))).save(path)
    return path


def samples() -> dict[str, Any]:
    return {"x": np.random.default_rng(0).integers(0, 90, (60, 4)).astype(np.int32)}


def test_the_other_format_is_written_and_the_failure_reported(model: Path, tmp_path: Path) -> None:
    with pytest.raises(edgekit.ConversionError, match=r"ONNX was not written: .*BitwiseXor"):
        edgekit.convert(model, samples(), tmp_path / "out", precision="float32,int8")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    names = {entry["file"] for entry in manifest["files"]}
    assert names == {"model_float32.tflite", "model_int8.tflite"}
    assert json.loads((tmp_path / "out" / "recipe.json").read_text())["recipes"].keys() == {
        "tflite"
    }
    assert all((tmp_path / "out" / name).is_file() for name in names)


def test_the_command_ends_with_3_and_shows_what_was_written(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **samples())
    arguments = [str(model), "--data", str(tmp_path / "data.npz"), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(main, ["convert", *arguments, "--precision", "float32"])
    assert result.exit_code == 3
    assert "model_float32.tflite" in result.output
    assert "ONNX was not written" in result.output


def test_where_no_format_can_nothing_is_written(model: Path, tmp_path: Path) -> None:
    with pytest.raises(edgekit.ConversionError, match="BitwiseXor"):
        edgekit.convert(model, samples(), tmp_path / "out", to="onnx", precision="float32")
    assert not (tmp_path / "out" / "manifest.json").exists()
