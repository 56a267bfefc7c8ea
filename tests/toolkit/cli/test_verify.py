"""``edgekit verify``: the table, JSON, and how it ends."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.signing import make_pair

import edgekit
from edgekit.cli.main import main


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def test_it_prints_a_line_for_each_file_and_device_and_the_verdict(converted: Path) -> None:
    result = verify(converted, "--device", "cpu")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    (int8,) = [line.split() for line in lines if line.startswith("model_int8.tflite")]
    assert int8 == ["model_int8.tflite", "pass", "xnnpack", "pass", "0.00"]
    assert "pass (all hashes, and 8 golden samples through 10 files)" in result.output.replace(
        "\n", " "
    )


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


def test_a_signature_is_verified_first_and_nothing_is_opened_without_it(
    converted: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted, tmp_path / "out")
    pair, other = make_pair(tmp_path), make_pair(tmp_path, "other")
    unsigned = verify(folder, "--key", pair.public)
    assert unsigned.exit_code == 1, unsigned.output
    assert "it is not signed: there is no model.sig" in " ".join(unsigned.output.split())

    edgekit.sign(folder, pair.private)
    result = verify(folder, "--key", pair.public, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "pass (the signature, all hashes, and 8 golden samples through" in " ".join(
        result.output.split()
    )
    assert result.output.splitlines()[1].split() == ["model.sig", "pass"]

    with (folder / "report.json").open("a") as file:  # which the manifest does not list
        file.write(" ")
    for key, says in ((pair.public, "changed: report.json"), (other.public, "by another key")):
        checks = json.loads(verify(folder, "--key", key, "--json").stdout)["checks"]
        assert [(c["file"], c["verdict"]) for c in checks] == [("model.sig", "fail")]
        assert says in checks[0]["reason"]
    assert verify(folder, "--device", "cpu").exit_code == 0
    assert verify(folder, "--key", tmp_path / "none.pub").exit_code == 2
