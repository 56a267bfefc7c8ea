"""``edgekit inspect FILE --target``: where a chip runs which operators, and what to change; nothing is written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgekit.cli.main import main
from edgekit.targets.table import TARGETS
from edgekit_converters.targets.inspection import Figure, Inspection, PlacedOperators


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_a_file_for_a_microcontroller_is_said_to_run_there(integers: Path) -> None:
    file = integers / "model_int8.tflite"
    result = typed(file, "--target", "cortex-m", "--strict")
    assert result.exit_code == 0, result.output
    assert "CPU: 7 of 7 operators" in result.stdout
    told = json.loads(typed(file, "--target", "cortex-m", "--json").stdout)
    assert sum(placed["count"] for placed in told["operators"]) == told["placed"] == 7
    figures = {figure["name"]: figure["value"] for figure in told["figures"]}
    assert figures["flash"] == file.stat().st_size
    assert 1000 < figures["arena"] < 20_000
    assert told["advice"] == []


def test_what_to_change_is_said_by_operator(converted: Path) -> None:
    told = json.loads(
        typed(converted / "model_int8.tflite", "--target", "cortex-m", "--json").stdout
    )
    assert any("float32 ends (image, digit)" in advice for advice in told["advice"])


def test_an_operator_that_the_chip_lacks_is_a_limit(converted: Path, tmp_path: Path) -> None:
    from edgekit_converters.tflite import flatbuffer

    model = flatbuffer.read(converted / "model_float32.tflite")
    code = next(c for c in model.operatorCodes if c.builtinCode == 25)  # SOFTMAX
    code.builtinCode = code.deprecatedBuiltinCode = 64  # SELECT, which TensorFlow Lite Micro lacks
    flatbuffer.write(model, tmp_path / "model.tflite")
    told = typed(tmp_path / "model.tflite", "--target", "cortex-m")
    assert told.exit_code == 0, told.output
    assert "nothing" in told.stdout and "no kernel" in told.stdout
    assert typed(tmp_path / "model.tflite", "--target", "cortex-m", "--strict").exit_code == 1
    enough = typed(tmp_path / "model.tflite", "--target", "cortex-m", "--min-delegated", "80%")
    assert enough.exit_code == 0, enough.output


def test_a_target_of_another_kind_of_processor_is_shown_alike(
    converted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inspected(path: Path) -> Inspection:
        return Inspection(
            "npu-1",
            "NPU",
            (PlacedOperators("CONV_2D", 3, "NPU"), PlacedOperators("GATHER", 1, "CPU", "no unit")),
            (Figure("cycles", 12_345, "cycles", "estimated"),),
            ("GATHER: leave it out",),
        )

    entry = replace(TARGETS["cortex-m"], inspect=inspected, modules=(), family="npu")
    for name in ("npu-1", "npu-2"):
        monkeypatch.setitem(TARGETS, name, entry)
    result = typed(converted / "model_int8.tflite", "--target", "npu-1")
    assert "NPU: 3 of 4 operators" in result.stdout
    assert "cycles: 12,345 cycles (estimated)" in result.stdout
    assert "change: GATHER: leave it out" in result.stdout
    assert "npu-1, npu-2" in CliRunner().invoke(main, ["devices"]).stdout
    missing = replace(entry, modules=("no_such_module",), extra="npu")
    monkeypatch.setitem(TARGETS, "npu-1", missing)
    lacking = typed(converted / "model_int8.tflite", "--target", "npu-1")
    assert lacking.exit_code == 4
    assert "pip install 'edgekit-toolkit[npu]'" in lacking.stderr


def test_what_cannot_be_inspected_is_told_in_words(converted: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tflite"
    cut.write_bytes((converted / "model_int8.tflite").read_bytes()[:2000])
    text = tmp_path / "text.tflite"
    text.write_text("hello world")
    cases: list[tuple[list[str | Path], int, str]] = [
        ([converted / "model_int8.tflite", "--target", "cortex-n"], 2, "did you mean 'cortex-m'?"),
        ([converted / "model_int8.tflite", "--target", "web"], 2, "Choose from cortex-m"),
        ([converted / "model_int8.onnx", "--target", "cortex-m"], 2, "takes .tflite files"),
        ([cut, "--target", "cortex-m"], 3, "cut short or damaged"),
        ([text, "--target", "cortex-m"], 3, "no TFLite file"),
        ([text, "--target", "cortex-m", "--costs"], 2, "not with --costs"),
        ([text, "--target", "cortex-m", "--device", "micro"], 2, "--device"),
    ]
    for arguments, status, words in cases:
        result = typed(*arguments)
        assert result.exit_code == status, result.output
        assert words in " ".join(result.stderr.split()), result.stderr
        assert "Traceback" not in result.output
