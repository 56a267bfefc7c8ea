"""The command: what a person types, what they see, and the exit status."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgekit.cli.console import errors
from edgekit.cli.main import COMMANDS, main


def edgekit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_help_says_what_the_exit_status_means() -> None:
    result = edgekit("--help")
    assert result.exit_code == 0, result.output
    assert "1 a limit is not met" in result.output
    for command in ("demo", "convert", "validate", "run"):
        assert command in result.output


def test_convert_prints_one_table_and_nothing_else(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """TensorFlow's noise goes to the log, whatever level of the process it is printed on."""
    for name in ("cnn.keras", "calib.npz"):
        (tmp_path / name).write_bytes((digits / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    result = edgekit("convert", "cnn.keras", "--data", "calib.npz")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.strip() == ""
    assert "".join(capfd.readouterr()).strip() == ""
    for name in ("model_float32.tflite", "model_float32.onnx", "model_int8.tflite"):
        assert name in result.stdout
    assert "pass" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_json_is_the_report(digits: Path, tmp_path: Path) -> None:
    result = edgekit(
        "convert", digits / "mlp.keras", "--data", digits / "calib.npz", "-o", tmp_path, "--json"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "report.json").read_text())


def test_quiet_prints_nothing(digits: Path, tmp_path: Path) -> None:
    result = edgekit(
        "convert", digits / "mlp.keras", "--data", digits / "calib.npz", "-o", tmp_path, "-q"
    )  # fmt: skip
    assert (result.exit_code, result.output) == (0, "")


def test_validate_judges_files(digits: Path, converted: Path) -> None:
    files = [converted / "model_float32.onnx", converted / "model_int8.tflite"]
    result = edgekit(
        "validate", digits / "cnn.keras", *files, "--data", digits / "eval.npz", "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert [Path(f["name"]).name for f in report["files"]] == [p.name for p in files]
    assert report["evaluated_on"] == 400


def test_validate_fails_a_file_of_another_model(
    digits: Path, converted: Path, tmp_path: Path
) -> None:
    from support.models import digits_mlp

    digits_mlp().save(tmp_path / "untrained.keras")
    result = edgekit(
        "validate", digits / "cnn.keras", converted / "model_int8.tflite", "--data", digits / "eval.npz",
        "--max-drop", "0.5%",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    result = edgekit(
        "validate", tmp_path / "untrained.keras", converted / "model_int8.tflite",
        "--data", digits / "eval.npz",
    )  # fmt: skip
    assert result.exit_code == 1, "better than its original, but another model"
    assert "predictions agree with the original's in" in " ".join(result.output.split())
    np.savez(tmp_path / "unlabelled.npz", image=np.load(digits / "eval.npz")["image"])
    result = edgekit(
        "validate", tmp_path / "untrained.keras", converted / "model_int8.tflite",
        "--data", tmp_path / "unlabelled.npz",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "predictions changed" in result.output


def test_validate_names_a_damaged_file(digits: Path, converted: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes((converted / "model_int8.onnx").read_bytes()[:5000])
    result = edgekit(
        "validate", digits / "cnn.keras", tmp_path / "cut.onnx", "--data", digits / "eval.npz"
    )  # fmt: skip
    assert result.exit_code == 3
    assert "cut.onnx: the file is cut short or damaged" in result.output


def test_run_prints_predictions(
    digits: Path, converted: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = edgekit(
        "run", converted / "model_int8.tflite", "--data", digits / "eval.npz", "--count", "4", "--json"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert capfd.readouterr().err == "", "LiteRT and ONNX Runtime print there"
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 4
    assert all(len(line["outputs"]["digit"]) == 3 for line in lines)
    right = [line["outputs"]["digit"][0][0] == line["label"] for line in lines]
    assert sum(right) >= 3


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["missing.keras", "--data", "random"], 2, ["missing.keras", "no such file"]),
        (["model.txt", "--data", "random"], 2, ["model.txt", ".keras, .h5"]),
        (["cut.keras", "--data", "random"], 2, ["cut.keras", "cut short"]),
        (["cut.h5", "--data", "random"], 2, ["cut.h5", "not an HDF5 file"]),
        (["folder", "--data", "random"], 2, ["folder", "saved_model.pb"]),
        (["nowhere:model", "--data", "random"], 2, ["nowhere:model", "PYTHONPATH"]),
        (["cnn.keras"], 2, ["int8 needs samples", '--data "random"']),
        (["cnn.keras", "--data", "missing.npz"], 2, ["missing.npz", "no such file"]),
        (["cnn.keras", "--data", "model.txt"], 2, ["model.txt", ".npz, .npy, .csv"]),
        (["cnn.keras", "--data", "cut.npz"], 2, ["cut.npz", "cut short"]),
        (["cnn.keras", "--data", "shape.npz"], 2, ["'image'", "(8, 8, 1)", "(7, 7, 1)"]),
        (["cnn.keras", "--data", "text.npz"], 2, ["'image'", "takes numbers"]),
        (["cnn.keras", "--data", "few.npz"], 2, ["few.npz", "2 usable samples"]),
        (["cnn.keras", "--data", "calib.npz", "--precision", "int4"], 2, ["int4", "int16x8"]),
        (["cnn.keras", "--data", "calib.npz", "--to", "coreml"], 2, ["coreml", "tflite, onnx"]),
        (["cnn.keras", "--data", "calib.npz", "--max-drop", "x"], 2, ["--max-drop 'x'", "as 1%"]),
        (["cnn.keras", "--data", "calib.npz", "-o", "model.txt"], 2, ["model.txt", "is a file"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_message(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], status: int, words: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    content = (digits / "cnn.keras").read_bytes()
    for name in ("cnn.keras", "calib.npz"):
        Path(name).write_bytes((digits / name).read_bytes())
    Path("cut.keras").write_bytes(content[: len(content) // 2])
    Path("cut.h5").write_bytes(b"short")
    Path("model.txt").write_text("not a model")
    Path("cut.npz").write_bytes((digits / "calib.npz").read_bytes()[:1000])
    Path("folder").mkdir()
    np.savez("shape.npz", image=np.zeros((20, 7, 7, 1), np.float32))
    np.savez("text.npz", image=np.full((20, 8, 8, 1), "x"))
    np.savez("few.npz", image=np.random.default_rng(0).random((2, 8, 8, 1)))
    result = edgekit("convert", *arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    said = " ".join(result.output.split())
    assert all(word in said for word in words), said
    assert not Path("out/manifest.json").exists()


def test_a_full_disk_is_told_and_harms_nothing(digits: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the end of a disk."""
    output = tmp_path / "out"
    output.mkdir()
    (output / "model_int8.tflite").write_bytes(b"precious")
    command = [sys.executable, "-m", "edgekit", "convert", str(digits / "mlp.keras"), "--data",
               str(digits / "calib.npz"), "-o", str(output)]  # fmt: skip

    def few_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=few_bytes,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert (output / "model_int8.tflite").read_bytes() == b"precious"
    assert not list(output.glob(".edgekit-*"))


def test_demo_leaves_what_the_tour_goes_on_from(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "demo", "-o", str(tmp_path / "demo")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == ""
    for name in ("model.keras", "calib.npz", "eval.npz", "out/manifest.json", "out/report.json"):
        assert (tmp_path / "demo" / name).is_file()
    tour = [line.split() for line in done.stdout.splitlines() if line.startswith("  edgekit ")]
    assert [line[1] for line in tour] == ["convert", "validate", "run"]
    for line in tour:
        result = edgekit(*line[1:])
        assert result.exit_code == 0, result.output


def test_what_nobody_foresaw_is_a_message_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def divide() -> None:
        with errors():
            _ = 1 / 0

    monkeypatch.setitem(COMMANDS, "divide", divide)

    result = edgekit("divide")
    assert result.exit_code == 3
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "Traceback" not in result.output
    monkeypatch.setenv("EDGEKIT_TRACEBACK", "1")
    assert isinstance(edgekit("divide").exception, ZeroDivisionError)
