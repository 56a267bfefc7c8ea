"""Samples, saved outputs and folders that somebody made to do harm."""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Make = Callable[[Path, Path], list[object]]
"""From a new folder and that of good files to the words of a command; see ``hostile_models.py``."""


class Harm:
    """What runs where somebody unpickles it: it leaves a mark."""

    def __reduce__(self) -> Any:
        return (os.system, ("touch harm",))


def _npy(shape: object, data: bytes = b"", kind: str = "<f4", version: bytes = b"\1\0") -> bytes:
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header) + 1)
    return b"\x93NUMPY" + version + length + header + b"\n" + data


def _archive(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def _run(name: str, content: bytes) -> Make:
    """``edgekit run`` with such a file as samples."""

    def make(folder: Path, seeds: Path) -> list[object]:
        (folder / name).write_bytes(content)
        return ["run", seeds / "tflite" / "digits.tflite", "--data", folder / name]

    return make


def _edited(changes: Callable[[bytearray], None]) -> bytes:
    """A good archive with other bytes."""
    content = bytearray(_archive({"image.npy": _npy((1, 8, 8, 1), bytes(256))}))
    changes(content)
    return bytes(content)


def _everywhere(offset_local: int, offset_central: int, value: int) -> Callable[[bytearray], None]:
    """Writes 16 bits into both headers of the first member."""

    def change(content: bytearray) -> None:
        struct.pack_into("<H", content, offset_local, value)
        struct.pack_into("<H", content, content.index(b"PK\1\2") + offset_central, value)

    return change


def _pickled(save: Callable[..., Any]) -> bytes:
    written = io.BytesIO()
    save(written, np.array([Harm()] * 4, object))
    return written.getvalue()


def _bomb(megabytes: int) -> bytes:
    """An archive with one member of zeros that claims to be samples."""
    count = megabytes * (1 << 20) // 256
    return _archive({"image.npy": _npy((count, 8, 8, 1)) + bytes(megabytes << 20)})


def _picture(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def _images(place: Callable[[Path], object]) -> Make:
    def make(folder: Path, seeds: Path) -> list[object]:
        (folder / "images").mkdir()
        place(folder / "images" / "a.png")
        return ["run", seeds / "tflite" / "digits.tflite", "--data", folder / "images"]

    return make


def _link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def _special(name: str, place: Callable[[Path], object]) -> Make:
    """Something that is no file in place of samples."""

    def make(folder: Path, seeds: Path) -> list[object]:
        place(folder / name)
        return ["run", seeds / "tflite" / "digits.tflite", "--data", folder / name]

    return make


def _manifest(change: Callable[[dict[str, Any]], Any]) -> Make:
    """``edgekit run`` of a folder with another manifest."""

    def make(folder: Path, seeds: Path) -> list[object]:
        for path in (seeds / "out").iterdir():
            (folder / path.name).symlink_to(path)
        document = json.loads((folder / "manifest.json").read_text())
        changed = change(document)
        (folder / "manifest.json").unlink()
        if callable(changed):
            changed(folder / "manifest.json")
        else:
            text = changed if isinstance(changed, str) else json.dumps(document)
            (folder / "manifest.json").write_text(text)
        return ["run", folder, "--data", seeds / "few.npz"]

    return make


def _first(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["files"].__setitem__(
        slice(None), [document["files"][0] | {key: value, "verdict": "pass"}]
    )


def _results(change: Callable[[dict[str, bytes]], None]) -> Make:
    """``edgekit validate --from`` saved outputs with other members."""

    def make(folder: Path, seeds: Path) -> list[object]:
        with zipfile.ZipFile(seeds / "results_npz" / "results.npz") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        (folder / "results.npz").write_bytes(_archive(members))
        return ["validate", "--from", folder / "results.npz"]

    return make


def _labels(content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({"labels.npy": content})


def _image(count: int = 1) -> bytes:
    return _npy((count, 8, 8, 1), bytes(256 * count))


DATA: dict[str, Make] = {
    "pickle in npz": _run("a.npz", _pickled(lambda f, a: np.savez(f, image=a))),
    "pickle in npy": _run("a.npy", _pickled(np.save)),
    "pickle by name": _run("a.npz", b"cos\nsystem\n(S'touch harm'\ntR."),
    "structured dtype": _run("a.npy", _npy((4,), bytes(64), kind="|V16")),
    "600 million rows": _run("a.npy", _npy((600_000_000, 8, 8, 1), bytes(1500))),
    "600 million rows in npz": _run("a.npz", _archive({"image.npy": _npy((600_000_000, 8, 8, 1), bytes(1500))})),
    "bomb": _run("a.npz", _bomb(300)),
    "path traversal": _run("a.npz", _archive({"../../image.npy": _image(), "/etc/x.npy": _image()})),
    "encrypted": _run("a.npz", _edited(_everywhere(6, 8, 1))),
    "unknown compression": _run("a.npz", _edited(_everywhere(8, 10, 99))),
    "twice the same name": _run("a.npz", _archive({"image.npy": _image()}) + _archive({"image.npy": _image(2)})),
    "negative shape": _run("a.npz", _archive({"image.npy": _npy((-1, 8, 8, 1), bytes(256))})),
    "huge shape": _run("a.npy", _npy((1 << 62, 1 << 62, 8, 1), bytes(256))),
    "shape of floats": _run("a.npy", _npy((1.5, 8, 8, 1), bytes(256))),
    "header of brackets": _run("a.npy", _npy("(" * 60_000, version=b"\2\0")),
    "header of code": _run("a.npy", _npy("__import__('os').system('touch harm')")),
    "header of 4 GB": _run("a.npy", b"\x93NUMPY\2\0\xff\xff\xff\xff{"),
    "version 9": _run("a.npy", _npy((1, 8, 8, 1), bytes(256), version=b"\x09\0")),
    "link in npz": _run("a.npz", _edited(lambda c: struct.pack_into("<I", c, c.index(b"PK\1\2") + 38, 0o120777 << 16))),
    "line of 5 MB": _run("a.csv", b"x" * 5_000_000),
    "million columns": _run("a.csv", b"1," * 1_000_000),
    "NUL bytes": _run("a.csv", b"a,b\n\0,\0\n" * 100),
    "unclosed quote": _run("a.csv", b'a,"b\n' + b"1,2\n" * 50_000),
    "formula": _run("a.csv", b"=cmd|'/C touch harm'!A0\n1\n"),
    "picture of 2.5 gigapixels": _images(lambda path: path.write_bytes(_picture(50_000, 50_000))),
    "picture of no pixels": _images(lambda path: path.write_bytes(_picture(0, 0))),
    "picture that is endless": _images(_link("/dev/zero")),
    "picture that is random": _images(_link("/dev/urandom")),
    "picture that is a pipe": _images(os.mkfifo),
    "picture that is a folder": _images(Path.mkdir),
    "picture that is a circle": _images(_link("a.png")),
    "pipe": _special("a.npz", os.mkfifo),
    "endless": _special("a.npy", _link("/dev/zero")),
    "circle": _special("a.csv", _link("a.csv")),
    "module that is a path": _special("a", lambda path: None),
    "listed above": _manifest(_first("file", "../../../../etc/passwd")),
    "listed absolute": _manifest(_first("file", "/etc/passwd")),
    "listed itself": _manifest(_first("file", "manifest.json")),
    "listed folder": _manifest(_first("file", ".")),
    "listed nothing": _manifest(_first("file", "")),
    "listed NUL": _manifest(_first("file", "a\0b.tflite")),
    "no hash": _manifest(_first("sha256", None)),
    "other hash": _manifest(_first("sha256", "0" * 64)),
    "deep manifest": _manifest(lambda _: "[" * 200_000),
    "endless manifest": _manifest(lambda _: _link("/dev/zero")),
    "manifest that is a pipe": _manifest(lambda _: os.mkfifo),
    "manifest of digits": _manifest(lambda _: "9" * 100_000),
    "pickled labels": _results(_labels(_pickled(np.save))),
    "labels of 600 million": _results(_labels(_npy((600_000_000,), bytes(100)))),
    "outputs above": _results(lambda members: members.update({"file 0/../../harm.npy": _image()})),
    "outputs of 600 million": _results(lambda members: members.update(
        {name: _npy((600_000_000, 10), bytes(100)) for name in members if name.startswith("original/")}
    )),
    "million files": _results(lambda members: members.update(
        {"document.json": json.dumps(json.loads(members["document.json"]) | {"files": [{}] * 1_000_000}).encode()}
    )),
}  # fmt: skip
"""What each is, and how it is made."""
