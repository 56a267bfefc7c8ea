"""Rows from files and folders: which reader takes which."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgekit.data.csv import open_csv
from edgekit.data.images import Images, open_images
from edgekit.data.npz import open_npy, open_npz
from edgekit.data.samples import DataError, Rows
from edgekit_runtimes import TensorSpec

_OPENERS: dict[str, Callable[[Path, Sequence[TensorSpec]], Rows]] = {
    ".npz": open_npz,
    ".npy": open_npy,
    ".csv": open_csv,
}
_KINDS = ".npz, .npy, .csv, a folder of images, module:function, or random"


def check_file(path: Path) -> None:
    """Refuses what cannot be data, without reading it.

    Raises:
        DataError: it is not there, of an unknown kind, or cut short.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder. Data is {_KINDS}.")
    if path.is_dir():
        return
    if path.suffix not in _OPENERS:
        raise DataError(f"{path}: unknown kind of data {path.suffix!r}. Data is {_KINDS}.")
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: not a .npz archive: cut short or of another kind "
            f"({path.stat().st_size:,} bytes)."
        )


def open_file(path: Path, inputs: Sequence[TensorSpec], images: Images) -> Rows:
    """Rows from a file or a folder."""
    check_file(path)
    if path.is_dir():
        return open_images(path, inputs, images)
    return _OPENERS[path.suffix](path, inputs)
