"""Files of a converted folder that are not what its manifest lists: refused, and checked but once."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import edgekit
from edgekit.cli.main import main
from edgekit_runtimes import ModelError, open_model

FILES = ("model_float32.tflite", "model_float32.onnx", "model_int8.tflite", "model_int8.onnx")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def with_a_bit_flipped(converted: Path, folder: Path, name: str) -> Path:
    """A copy of the converted files; a weight of one of them is another, and it runs all the same."""
    shutil.copytree(converted, folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 0x40
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_changed_is_not_opened(name: str, converted: Path, tmp_path: Path) -> None:
    folder = with_a_bit_flipped(converted, tmp_path / "out", name)
    for path, trust in ((folder, False), (folder / name, False), (folder / name, True)):
        with pytest.raises(
            ModelError, match=rf"{name}: it is not the file that manifest\.json lists"
        ):
            open_model(path, trust=trust)
    others = [n for n in FILES if n != name]
    open_model(folder / others[0]).close()


def test_nor_by_any_command(converted: Path, digits: Path, tmp_path: Path) -> None:
    folder = with_a_bit_flipped(converted, tmp_path / "out", FILES[2])
    file, data = str(folder / FILES[2]), ["--data", str(digits / "eval.npz")]
    for command in (
        ["run", file, *data],
        ["run", str(folder), *data],
        ["inspect", file],
        ["bench", file, "--seconds", "0.1"],
        ["validate", str(folder / FILES[0]), file, *data],
        ["validate", str(digits / "cnn.keras"), str(folder), *data],
        ["validate", file, str(folder / FILES[0]), *data],
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 3, command
        assert f"{FILES[2]}: it is not the file that manifest.json lists" in result.output


def test_a_float32_counterpart_that_was_changed_explains_nothing(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    folder = with_a_bit_flipped(converted, tmp_path / "out", FILES[0])
    with pytest.raises(ModelError, match=FILES[0]):
        edgekit.validate(digits / "cnn.keras", folder / FILES[2], digits / "eval.npz")


def test_moved_to_another_folder_it_is_a_file_as_any_other(converted: Path, tmp_path: Path) -> None:
    folder = with_a_bit_flipped(converted, tmp_path / "out", FILES[1])
    shutil.copy(folder / FILES[1], tmp_path / "other.onnx")
    open_model(tmp_path / "other.onnx").close()


OPEN_WITHOUT_HASHING = """
import hashlib, sys
def file_digest(*_):
    raise AssertionError("hashed once more")
hashlib.file_digest = file_digest
from edgekit_runtimes import open_model
open_model(sys.argv[1]).close()
print("subprocess" in sys.modules, "json" in sys.modules)
"""


@pytest.mark.parametrize("listed", [True, False])
def test_another_process_opens_it_without_computing_a_hash_or_trying_it(
    listed: bool, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(converted, tmp_path / "out")
    file = tmp_path / "out" / FILES[2]
    if not listed:
        (tmp_path / "out" / "manifest.json").unlink()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10)  # its last change is no longer a moment ago
    open_model(file).close()
    command = [sys.executable, "-c", OPEN_WITHOUT_HASHING, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x40
    file.write_bytes(content)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "hashed once more" in done.stderr
