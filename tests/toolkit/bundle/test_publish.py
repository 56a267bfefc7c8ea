"""A folder that is whole or says that it is not, wherever putting its files in place was stopped."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import edgekit
from edgekit.bundle.folder import publish
from edgekit.bundle.manifest import read_manifest
from edgekit.cli.main import main
from edgekit_runtimes import ModelError, open_model

KILLED = """
import os, signal, sys
from pathlib import Path
from edgekit.bundle.folder import publish

output, scratch, names, at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), int(sys.argv[4])
replace, moved = Path.replace, 0

def replace_or_die(self, target):
    global moved
    if moved == at:
        os.kill(os.getpid(), signal.SIGKILL)
    moved += 1
    return replace(self, target)

Path.replace = replace_or_die
publish(scratch, names, output)
"""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def other(converted: Path, folder: Path) -> list[str]:
    """A folder like the converted one with other files and the manifest of these; returns their names."""
    shutil.copytree(converted, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        file = folder / entry["file"]
        content = file.read_bytes()
        # At the end a field that nobody reads: text for ONNX, bytes behind the file for TFLite.
        file.write_bytes(content + (b"\x32\x01x" if file.suffix == ".onnx" else bytes(16)))
        entry["sha256"] = sha256(file)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return [entry["file"] for entry in manifest["files"]]


def is_what_its_manifest_says(folder: Path) -> bool:
    manifest = json.loads((folder / "manifest.json").read_text())
    return all(sha256(folder / f["file"]) == f["sha256"] for f in manifest["files"])


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("at", [0, 1, 2, 5, -1])
def test_a_kill_between_two_moves_leaves_a_folder_that_is_whole_or_refused(
    at: int, converted: Path, tmp_path: Path
) -> None:
    output, scratch = tmp_path / "out", tmp_path / "scratch"
    shutil.copytree(converted, output)
    (output / "notes.txt").write_text("mine")
    names = other(converted, scratch)
    moves = len(names) + 2
    at = at % moves
    done = subprocess.run(
        [sys.executable, "-c", KILLED, output, scratch, ",".join(names), str(at)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (output / "notes.txt").read_text() == "mine"
    if at == 0:
        assert is_what_its_manifest_says(output)
        open_model(output / names[0]).close()
        return
    for path in (output, output / names[0], output / names[-1]):
        with pytest.raises(ModelError, match=r"was stopped .*Convert again"):
            open_model(path)
    with pytest.raises(edgekit.DataError, match="Convert again"):
        read_manifest(output)
    publish(other_again(converted, tmp_path), names, output)
    assert is_what_its_manifest_says(output)


def other_again(converted: Path, folder: Path) -> Path:
    other(converted, folder / "again")
    return folder / "again"


@pytest.mark.usefixtures("cache")
def test_the_manifest_is_never_of_other_files_than_those_beside_it(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, scratch = tmp_path / "out", tmp_path / "scratch"
    shutil.copytree(converted, output)
    names = other(converted, scratch)
    replace, seen = Path.replace, []

    def watched(self: Path, target: Path) -> Path:
        done = replace(self, target)
        seen.append(is_what_its_manifest_says(output))
        return done

    monkeypatch.setattr(Path, "replace", watched)
    publish(scratch, names, output)
    assert seen == [True] * (len(names) + 2)


@pytest.mark.parametrize(
    "manifest",
    ['{"name": "my app"}', '{"schema": "other/1", "files": []}', "[1, 2]", "{broken", ""],
)
def test_a_manifest_of_somebody_elses_is_not_overwritten(
    manifest: str, digits: Path, tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    arguments = ["convert", str(digits / "cnn.keras"), "--data", "random", "-o", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "manifest.json: is there already" in result.output
    assert "--force" in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_force_overwrites_it(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("mine")
    model = digits / "mlp.keras"
    edgekit.convert(model, "random", tmp_path, precision="float32", to="tflite", force=True)
    assert is_what_its_manifest_says(tmp_path)
