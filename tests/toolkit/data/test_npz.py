"""Files of arrays that are damaged, or hold what is not read."""

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.user_data import SAMPLES, X, npy, npz, read, refusal

import edgekit
from edgekit.data.open import open_samples
from edgekit.data.samples import DataError


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("name", ["samples.npz", "samples.npy"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_truncated_file_is_named(name: str, order: str, fraction: float, tmp_path: Path) -> None:
    array = np.asarray(np.random.default_rng(0).random((50, 3, 2)), order=order)  # type: ignore[call-overload]
    path = (npz(tmp_path, x=array) if name == "samples.npz" else npy(tmp_path, array)).absolute()
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])

    assert refusal(path, X).startswith(str(path))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_named(save: Callable[..., None], tmp_path: Path) -> None:
    path = npz(tmp_path, save, x=np.random.default_rng(0).random((5000, 3, 2)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF  # far from the header: it shows when samples are read
    path.write_bytes(content)

    assert refusal(path, X).startswith(str(path))


def test_python_objects_are_refused_as_they_can_carry_code(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}, None], dtype=object)

    for path in (npz(tmp_path, x=objects), npy(tmp_path, objects)):
        message = refusal(path, X)
        assert message.startswith(str(path))
        assert "can carry code" in message


def header(
    shape: str, kind: str = "<f4", version: bytes = b"\x01\x00", fortran: bool = False
) -> bytes:
    """The beginning of a ``.npy`` file that claims what it likes."""
    text = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text) + 1) + text + b"\n"


CLAIMS = {
    "600 million rows": (header("(600000000, 3, 2)"), "cut short: it claims 600000000 x 3 x 2"),
    "endless rows of nothing": (header("(1000000000000000000, 3, 0)"), "hold nothing"),
    "no bytes a number": (header("(1000000000000000000, 3, 2)", "<U0"), "hold nothing"),
    "a huge sample": (header("(1, 3000000000, 2)"), "a single sample"),
    "more than 64 bits count": (header(f"({2**70}, 3, 2)"), "cut short"),
    "negative": (header("(-1, 3, 2)"), "impossible"),
    "a negative side": (header("(4, -3, -2)"), "impossible"),
    "half a row": (header("(4.5, 3, 2)"), "cannot be read"),
    "no shape": (header("None"), "cannot be read"),
    "brackets": (header("(" * 5000), "cannot be read"),
    "minuses": (header("-" * 8000 + "1"), "cannot be read"),
    "names of columns": (header("(4, 3, 2)", "nonsense"), "cannot be read"),
    "a version to come": (header("(4, 3, 2)", version=b"\x09\x00"), "version (9, 0)"),
    "version 3": (b"\x93NUMPY\x03\x00" + bytes(20), "version (3, 0)"),
    "no header": (b"\x93NUMPY\x01\x00", "cannot be read"),
    "a header cut short": (header("(4, 3, 2)")[:30], "cannot be read"),
    "bytes for a header": (b"\x93NUMPY\x01\x00\x40\x00" + bytes(range(192, 256)), "cannot be read"),
    "in columns, huge": (header("(300000000, 3, 2)", fortran=True), "Fortran order"),
    "empty": (b"", "cannot be read"),
}


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("kind", ["npy", "stored", "deflated"])
def test_an_array_that_claims_the_impossible_is_refused_from_its_header(
    kind: str, name: str, tmp_path: Path
) -> None:
    content, words = CLAIMS[name]
    content += bytes(1700)
    if name in ("empty", "no header", "a header cut short"):
        content = content[:-1700]
    path = tmp_path / f"samples.{'npy' if kind == 'npy' else 'npz'}"
    if kind == "npy":
        path.write_bytes(content)
    else:
        how = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", how) as archive:
            archive.writestr("x.npy", content)

    with pytest.raises(DataError) as caught:
        open_samples(path, [X])  # no sample is read

    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


def test_labels_are_held_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    rows = np.zeros((4, 3, 2), np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header("(4, 3, 2)") + rows.tobytes())
        archive.writestr("y.npy", header("(4, 300000000)", "<f8") + bytes(1700))

    assert "a single sample, of shape (300000000,)" in refusal(path, X)


def test_what_is_not_used_may_be_anything(tmp_path: Path) -> None:
    path = npz(tmp_path, x=SAMPLES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.npy", b"no array at all")

    assert len(read(open_samples(path, [X]))) == len(SAMPLES)


def altered(path: Path, *changes: tuple[str, int, bytes]) -> Path:
    """An archive whose local headers and directory say something else, at an offset of the latter."""
    content = bytearray(path.read_bytes())
    for signature, offset, value in changes:
        at = -1
        while (at := content.find(signature.encode("latin-1"), at + 1)) >= 0:
            content[at + offset : at + offset + len(value)] = value
    path.write_bytes(content)
    return path


LOCAL, DIRECTORY = "PK\x03\x04", "PK\x01\x02"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([(LOCAL, 6, b"\x01"), (DIRECTORY, 8, b"\x01")], "x.npy is encrypted"),
        ([(LOCAL, 8, b"\x61"), (DIRECTORY, 10, b"\x61")], "compressed by method 97"),
        ([(LOCAL, 8, b"\x0c"), (DIRECTORY, 10, b"\x0c")], "compressed by bzip2"),
        ([(DIRECTORY, 24, b"\xff\xff\xff\x7f")], "claims 2,147,483,647 bytes"),
        ([(DIRECTORY, 20, b"\xff\xff\xff\x7f")], "claim 2,147,483,647 compressed bytes"),
        ([(DIRECTORY, 42, b"\xff\xff\xff\x7f")], "cannot be read"),
        ([(DIRECTORY, 6, b"\xff")], "cannot be read"),
        ([(DIRECTORY, 16, b"\xff\xff")], "cannot be read"),
    ],
    ids=[
        "encrypted",
        "unknown",
        "bzip2",
        "expands",
        "compressed",
        "elsewhere",
        "version",
        "checksum",
    ],
)
def test_an_archive_that_lies_is_refused_in_words(
    changes: list[tuple[str, int, bytes]], words: str, tmp_path: Path
) -> None:
    path = altered(npz(tmp_path, np.savez_compressed, x=SAMPLES), *changes)

    message = refusal(path, X)

    assert message.startswith(str(path))
    assert words in message


def test_members_that_share_their_bytes_are_a_bomb(tmp_path: Path) -> None:
    """As in Fifield's "A better zip bomb": each entry of the directory names the same compressed bytes."""
    path = tmp_path / "samples.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header("(100000, 3, 2)") + bytes(2_400_000))
        archive.filelist.extend([archive.filelist[0]] * 500)

    assert "compressed bytes, and the file has" in refusal(path, X)


def test_saved_outputs_are_held_to_the_same(tmp_path: Path) -> None:
    path = altered(npz(tmp_path, x=SAMPLES), (LOCAL, 6, b"\x01"), (DIRECTORY, 8, b"\x01"))

    with pytest.raises(DataError, match=r"x\.npy is encrypted"):
        edgekit.validate_saved(path)
