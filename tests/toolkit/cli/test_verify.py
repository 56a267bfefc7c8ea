"""``edgekit verify``: the table, JSON, and how it ends."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgekit.cli.main import main


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def test_it_prints_a_line_for_each_file_and_device_and_the_verdict(converted: Path) -> None:
    result = verify(converted, "--device", "cpu")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    (int8,) = [line.split() for line in lines if line.startswith("model_int8.tflite")]
    assert int8 == ["model_int8.tflite", "pass", "xnnpack", "pass", "0.00"]
    assert "pass (all hashes, and 8 golden samples)" in result.output.replace("\n", " ")


def test_json_has_every_check(converted: Path) -> None:
    printed = json.loads(verify(converted, "--device", "cpu", "--json").stdout)
    assert printed["passed"] is True
    assert {
        "file": "golden.npz",
        "device": "",
        "verdict": "pass",
        "reason": "",
        "error": None,
    } in printed["checks"]


@pytest.mark.parametrize(
    ("spoil", "options", "status", "says"),
    [
        ("model_int8.onnx", ["--device", "cpu"], 1, "it is not the file that manifest.json lists"),
        ("", ["--device", "tpu"], 4, "no device 'tpu'"),
        ("manifest.json", [], 2, "there is no manifest.json"),
    ],
)
def test_it_ends_as_every_command_does(
    spoil: str, options: list[str], status: int, says: str, converted: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted, tmp_path / "out")
    if spoil == "manifest.json":
        (folder / spoil).unlink()
    elif spoil:
        (folder / spoil).write_bytes(b"?")
    result = verify(folder, *options)
    assert result.exit_code == status, result.output
    assert says in " ".join(result.output.split())
