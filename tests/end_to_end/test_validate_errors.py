"""What ``edgekit validate`` says of what is missing or wrong."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import edgekit
from edgekit.cli.main import main
from edgekit.data.samples import DataError
from edgekit.errors import OptionError
from edgekit_converters import SourceError
from edgekit_runtimes import DeviceUnavailable

FORMATS = ("tflite", "onnx")


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["none.keras", "int8.onnx", "--data", "eval.npz"], 2, ["none.keras", "no such file"]),
        (["none.tflite", "int8.onnx", "--data", "eval.npz"], 2, ["none.tflite", "no such file"]),
        (["float.onnx", "none.onnx", "--data", "eval.npz"], 2, ["none.onnx", "no such file"]),
        (["float.onnx", "int8.onnx", "--data", "none.npz"], 2, ["none.npz", "no such file"]),
        (["float.onnx", "int8.onnx"], 2, ["--data is missing"]),
        (["float.onnx"], 2, ["CANDIDATE is missing"]),
        ([], 2, ["ORIGINAL is missing", "--from"]),
        (["float.onnx", "empty", "--data", "eval.npz"], 3, ["empty", "manifest.json"]),
        (["float.onnx", "cut.onnx", "--data", "eval.npz"], 3, ["cut.onnx"]),
        (["float.onnx", "cut.tflite", "--data", "eval.npz"], 3, ["cut.tflite"]),
        (["cut.onnx", "int8.onnx", "--data", "eval.npz"], 3, ["cut.onnx"]),
        (["float.onnx", "text.txt", "--data", "eval.npz"], 3, ["text.txt", ".tflite", ".onnx"]),
        (["float.onnx", "int8.onnx", "--data", "shape.npz"], 2, ["'image'", "(7, 7, 1)"]),
        (["float.onnx", "other.onnx", "--data", "eval.npz"], 2, ["other.onnx", "this model?"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--metrics", "f11"], 2,
         ["'f11'", "did you mean 'f1'?"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--metrics", "rmse"], 2,
         ["rmse is for outputs that are values"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--max-drop", "f1@x=1%"], 2,
         ["no output 'x'"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--min", "0.9"], 2, ["'0.9'", "METRIC=VALUE"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--save", "kept.txt"], 2,
         ["kept.txt", ".npz or .json"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--devices", "abacus"], 4, ["abacus"]),
        (["--from", "none.npz"], 2, ["none.npz", "--save"]),
        (["--from", "eval.npz"], 2, ["eval.npz", "not results"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_message(
    arguments: list[str], status: int, words: list[str], digits: Path, converted: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    shutil.copy(converted / "model_float32.onnx", "float.onnx")
    shutil.copy(converted / "model_int8.onnx", "int8.onnx")
    shutil.copy(digits / "eval.npz", "eval.npz")
    for form in FORMATS:
        whole = (converted / f"model_int8.{form}").read_bytes()
        Path(f"cut.{form}").write_bytes(whole[: len(whole) // 3])
    Path("text.txt").write_text("no model")
    Path("empty").mkdir()
    np.savez("shape.npz", image=np.zeros((20, 7, 7, 1), np.float32))
    if "other.onnx" in arguments:
        import onnx
        from onnx import helper

        ends = [helper.make_tensor_value_info(n, 1, [1, 4]) for n in ("p", "q")]
        graph = helper.make_graph([helper.make_node("Relu", ["p"], ["q"])], "g", ends[:1], ends[1:])
        opsets = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "other.onnx")

    result = command("validate", *arguments)

    assert result.exit_code == status, result.output
    said = " ".join(result.output.split())
    assert "Traceback" not in said and "did not foresee" not in said, said
    assert all(word in said for word in words), said
    assert not Path("kept.txt").exists()


def test_too_few_samples_fail_where_that_is_asked_for(digits: Path, converted: Path) -> None:
    arguments: list[Any] = [
        "validate", converted / "model_float32.onnx", converted / "model_int8.onnx",
        "--data", digits / "eval.npz", "--samples", "50",
    ]  # fmt: skip
    result = command(*arguments)
    assert result.exit_code == 0
    assert "inconclusive" in result.output and "would decide" in " ".join(result.output.split())
    assert command(*arguments, "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("original", "candidate", "options", "error"),
    [
        ("none.keras", "model_int8.onnx", {}, SourceError),
        ("model_float32.onnx", "none.onnx", {}, OptionError),
        ("model_float32.onnx", "model_int8.onnx", {"devices": ["abacus"]}, DeviceUnavailable),
        ("model_float32.onnx", "model_int8.onnx", {"metrics": ["f11"]}, DataError),
    ],
)
def test_in_python_the_same_are_exceptions(
    original: str, candidate: str, options: dict[str, Any], error: type[Exception],
    digits: Path, converted: Path,
) -> None:  # fmt: skip
    with pytest.raises(error):
        edgekit.validate(
            converted / original, converted / candidate, digits / "eval.npz", **options
        )
