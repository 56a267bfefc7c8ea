"""Outputs that were computed earlier, in the user's cache folder: one file for each key.

A file is ``SHA-256 of the rest (32 bytes) | length of the header (8) | header (JSON) | arrays``. It comes
into place by a rename, and is checked by its hash each time, so that whatever is cut short, damaged or of
another kind counts as not there. The files that were not used for longest go first.

``EDGEKIT_CACHE=off`` switches it off, ``EDGEKIT_CACHE_GIB`` says how large it may grow.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgekit.data.store import StoredArrays
from edgekit_runtimes.bundle.private_folder import try_lock

_SWITCH, _LIMIT = "EDGEKIT_CACHE", "EDGEKIT_CACHE_GIB"
_GIB = 2.0
_SUFFIX, _UNFINISHED = ".outputs", ".unfinished"
_DIGEST, _LENGTH = 32, 8  # bytes


def is_on() -> bool:
    """Whether the environment leaves the cache on."""
    return os.environ.get(_SWITCH, "").lower() not in ("off", "0", "no", "false")


def find(
    key: str, folder: Path, *, place: Path | None = None
) -> tuple[dict[str, Any], StoredArrays] | None:
    """What was kept under a key, or None: the document, and the arrays, copied into a new folder.

    A file that is damaged is removed.

    Args:
        key: a name for a file.
        folder: for the arrays; it must not be there yet.
        place: where it was kept, in place of the user's cache folder.
    """
    try:
        path = (place or _folder()) / f"{key}{_SUFFIX}"
        with path.open("rb") as file:
            if file.read(_DIGEST) != hashlib.file_digest(file, "sha256").digest():
                path.unlink(missing_ok=True)
                return None
            file.seek(_DIGEST)
            header = json.loads(file.read(int.from_bytes(file.read(_LENGTH), "little")))
            arrays = _copy_out(file, header, folder)
        os.utime(path)
    except (OSError, RuntimeError):  # no home, no such file, or no right to it
        return None
    return header["document"], arrays


def keep(
    key: str,
    document: Mapping[str, Any],
    arrays: StoredArrays | None = None,
    *,
    place: Path | None = None,
) -> None:
    """Keep a document of plain values, and arrays; without an error where that cannot be done."""
    with contextlib.suppress(OSError, RuntimeError):
        folder = place or _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        most = _most_bytes()
        header = json.dumps({"document": document, **_described(arrays)}).encode()
        if len(header) + (_size(arrays) if arrays else 0) <= most:
            _write(folder / f"{key}{_SUFFIX}", header, arrays)
        _evict(folder, most)


def digest_of(arrays: StoredArrays) -> str:
    """A hash of stored arrays: their names, shapes, types and bytes."""
    digest = hashlib.sha256(json.dumps(_described(arrays)).encode())
    for name in arrays.shapes:
        with arrays.path(name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _described(arrays: StoredArrays | None) -> dict[str, Any]:
    if arrays is None:
        return {"count": 0, "arrays": []}
    listed = [[n, list(arrays.shapes[n]), arrays.dtypes[n]] for n in arrays.shapes]
    return {"count": arrays.count, "arrays": listed}


def _size(arrays: StoredArrays) -> int:
    return sum(arrays.path(name).stat().st_size for name in arrays.shapes)


def _write(path: Path, header: bytes, arrays: StoredArrays | None) -> None:
    handle, name = tempfile.mkstemp(suffix=_UNFINISHED, dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb+") as file:
            try_lock(file.fileno())  # so that nobody takes it for left behind
            file.write(bytes(_DIGEST) + len(header).to_bytes(_LENGTH, "little") + header)
            for array in arrays.shapes if arrays else ():
                with arrays.path(array).open("rb") as raw:  # type: ignore[union-attr]
                    shutil.copyfileobj(raw, file, 1 << 20)
            file.seek(_DIGEST)
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0)
            file.write(digest)
            file.flush()
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _copy_out(file: IO[bytes], header: Mapping[str, Any], folder: Path) -> StoredArrays:
    folder.mkdir(parents=True)
    count, shapes, dtypes = header["count"], {}, {}
    for position, (name, shape, dtype) in enumerate(header["arrays"]):
        shapes[name], dtypes[name] = tuple(shape), dtype
        left = count * math.prod(shape) * np.dtype(dtype).itemsize
        with (folder / f"{position}.raw").open("wb") as raw:
            while left and (block := file.read(min(left, 1 << 20))):
                left -= raw.write(block)
    return StoredArrays(folder, count, shapes, dtypes)


def _evict(folder: Path, most: int) -> None:
    """Remove what was not used for longest, and what a killed process left half-written."""
    for unfinished in folder.glob(f"*{_UNFINISHED}"):
        with contextlib.suppress(OSError), unfinished.open("rb") as file:
            if try_lock(file.fileno()):
                unfinished.unlink(missing_ok=True)
    entries = []
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # another process removed it
            stat = path.stat()
            entries.append((stat.st_mtime_ns, stat.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size


def _most_bytes() -> int:
    try:
        return int(float(os.environ.get(_LIMIT, _GIB)) * 2**30)
    except (ValueError, OverflowError):
        return int(_GIB * 2**30)


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit" / "outputs"
