"""Data of every shape that a disk can hold: read, or refused with one message and a status of its own."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgekit.cli.main import main

LATIN_1 = b"caf\xe9"
"""A name that is not UTF-8, as archives from elsewhere bring it."""


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def images(count: int = 4) -> Any:
    return np.zeros((count, 8, 8, 1), np.float32)


def folder(path: Path) -> None:
    path.mkdir()


def encrypted(path: Path) -> None:
    np.savez(path, image=images())
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def text_array(path: Path) -> None:
    np.savez(path, image=np.full((4, 8, 8, 1), "token"))


REFUSED: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "encrypted": ("x.npz", encrypted, "image.npy is encrypted"),
    "text": ("x.npz", text_array, "takes numbers, and these samples are <U5"),
    "tokens": ("x.csv", lambda p: p.write_text("a,b\nhello,world\n"), "takes 64 columns"),
    "empty npz": ("x.npz", lambda p: p.touch(), "not a .npz archive"),
    "empty npy": ("x.npy", lambda p: p.touch(), "cannot be read as a .npy file"),
    "empty csv": ("x.csv", lambda p: p.touch(), "is empty"),
    "empty archive": ("x.npz", lambda p: zipfile.ZipFile(p, "w").close(), "no array for the input"),
    "folder for npz": ("x.npz", folder, "no image in it"),
    "folder for csv": ("x.csv", folder, "no image in it"),
    "device for csv": ("x.csv", lambda p: p.symlink_to("/dev/null"), "no regular file"),
    "no suffix": ("x", lambda p: p.touch(), "unknown kind of samples ''"),
    "a long name": ("x" * 5000 + ".npz", lambda p: None, "xxx.npz: "),
    "binary csv": ("x.csv", lambda p: p.write_bytes(bytes(range(256))), "cannot be read as a table"),
    "nan for all": ("x.npy", lambda p: np.save(p, images() * np.nan), "0 usable samples (4 more hold NaN"),
    "no rows": ("x.npy", lambda p: np.save(p, images(0)), "0 usable samples"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_data_is_status_2_in_words(
    name: str, converted: Path, tmp_path: Path
) -> None:
    file, make, words = REFUSED[name]
    make(tmp_path / file)
    float32, int8 = (converted / f"model_{precision}.onnx" for precision in ("float32", "int8"))

    result = command("validate", float32, int8, "--data", tmp_path / file)

    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert words in result.stderr
    assert "did not foresee" not in result.stderr


def test_a_suffix_in_capitals_is_one(converted: Path, digits: Path, tmp_path: Path) -> None:
    shutil.copy(digits / "eval.npz", tmp_path / "EVAL.NPZ")

    result = command("run", converted / "model_int8.onnx", "--data", tmp_path / "EVAL.NPZ")

    assert result.exit_code == 0, result.output


@pytest.fixture
def latin_1(converted: Path, digits: Path, tmp_path: Path) -> Path:
    """A folder whose name is no UTF-8, with a file and samples."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + LATIN_1))
    path.mkdir()
    shutil.copy(converted / "model_int8.onnx", path)
    shutil.copy(digits / "eval.npz", path)
    return path


def test_data_on_a_path_that_is_not_utf8_is_read_and_told(latin_1: Path, converted: Path) -> None:
    arguments = [
        "validate", converted / "model_float32.onnx", converted / "model_int8.onnx",
        "--data", latin_1 / "eval.npz", "--samples", "100",
        "--html", latin_1 / "page.html", "--junit", latin_1 / "junit.xml", "--save", latin_1 / "saved.json",
    ]  # fmt: skip
    result = command(*arguments)
    assert result.exit_code == 0, result.output

    result = command(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert r"caf\xe9/eval.npz" in json.loads(result.stdout)["data"]
    assert all((latin_1 / name).stat().st_size for name in ("page.html", "junit.xml", "saved.json"))


@pytest.mark.parametrize("verb", ["run", "inspect", "validate"])
def test_a_model_on_a_path_that_is_not_utf8_is_refused(
    verb: str, latin_1: Path, converted: Path
) -> None:
    """LiteRT and ONNX Runtime take names as UTF-8 only."""
    data = [] if verb == "inspect" else ["--data", latin_1 / "eval.npz"]
    original = [converted / "model_float32.onnx"] if verb == "validate" else []

    result = command(verb, *original, latin_1 / "model_int8.onnx", *data)

    assert (result.exit_code, result.stdout) == (3, "")
    assert r"caf\xe9/model_int8.onnx: its name is not UTF-8" in result.stderr


def test_an_output_folder_that_is_not_utf8_is_refused_at_once(latin_1: Path, digits: Path) -> None:
    """LiteRT opens no file there, and the folder is to be shipped."""
    result = command(
        "convert", digits / "cnn.keras", "--data", latin_1 / "eval.npz", "-o", latin_1 / "out"
    )

    assert result.exit_code == 2
    assert "its name is not UTF-8" in result.stderr
    assert not (latin_1 / "out").exists()


@pytest.mark.parametrize(
    "content", [LATIN_1, b"\x00\xff", None], ids=["latin-1", "binary", "folder"]
)
def test_a_names_file_that_is_no_text_is_refused(
    content: bytes | None, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "names.txt"
    path.mkdir() if content is None else path.write_bytes(content)
    shutil.copy(digits / "cnn.keras", "model.keras")
    shutil.copy(digits / "calib.npz", "calib.npz")
    convert = ["convert", "model.keras", "--data", "calib.npz"]

    result = command(*convert, "--labels", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "names.txt" in result.stderr
    assert "cannot be read as a text file" in result.stderr

    Path("edgekit.toml").write_text('[convert]\nlabels = "names.txt"\n')
    result = command(*convert)
    assert result.exit_code == 2
    assert "cannot be read as a text file" in result.stderr


@pytest.mark.parametrize(
    ("label", "shown"),
    [(21.53, "21.53"), (4.0, "4"), (7, "7"), (np.nan, "nan"), (np.array([0.5, 1]), "[0.5 1. ]")],
    ids=["a number", "a class in floats", "a class", "missing", "several"],
)
def test_labels_are_printed_as_they_are(
    label: Any, shown: str, converted: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", image=images(1), y=np.array([label]))

    result = command("run", converted / "model_int8.onnx", "--data", tmp_path / "x.npz")

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(f"(label {shown})\n")
