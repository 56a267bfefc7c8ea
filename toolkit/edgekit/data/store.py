"""Arrays stored on disk: calibration samples, held-out samples, and models' outputs for them.

Every pass over the data reads these files, so that memory holds one batch, however many samples
there are, and a source that can be read only once is read once.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from edgekit.data.npy import read_header
from edgekit.data.samples import Array, DataError
from edgekit.progress import Progress, advances


@dataclass(frozen=True, slots=True)
class StoredArrays:
    """Arrays with one sample per row, in a folder: one file for each array name."""

    folder: Path
    count: int
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    watch: Callable[[int, int], None] | None = None
    """Is called with the rows that are read, and all that there are, as somebody reads."""

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[dict[str, Array]]:
        for batch in self.batches(1):
            yield {name: array[0] for name, array in batch.items()}

    def watched(self, progress: Progress) -> "StoredArrays":
        """The same arrays; a watcher is told how far they are read."""
        return replace(self, watch=advances(progress))

    def batches(self, size: int) -> Iterator[dict[str, Array]]:
        """Yield batches of at most ``size`` rows; read, not mapped: mapped pages count as memory."""
        files = {name: self.path(name).open("rb") for name in self.shapes}
        try:
            for start in range(0, self.count, size):
                rows = min(size, self.count - start)
                yield {name: self._read(file, name, rows) for name, file in files.items()}
                if self.watch:
                    self.watch(start + rows, self.count)
        finally:
            for file in files.values():
                file.close()

    def rows(self, start: int, count: int) -> dict[str, Array]:
        """So many rows from one on, or as many of them as there are."""
        rows = {}
        for name, shape in self.shapes.items():
            with self.path(name).open("rb") as file:
                file.seek(
                    start
                    * int(np.prod(shape, dtype=np.int64))
                    * np.dtype(self.dtypes[name]).itemsize
                )
                rows[name] = self._read(file, name, min(count, self.count - start))
        return rows

    def write_npy(self, name: str, file: IO[bytes]) -> None:
        """Write one array in the format of ``.npy``, piece by piece."""
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(self.dtypes[name])),
            "fortran_order": False,
            "shape": (self.count, *self.shapes[name]),
        }
        np.lib.format.write_array_header_1_0(file, header)
        with self.path(name).open("rb") as raw:
            shutil.copyfileobj(raw, file)

    def path(self, name: str) -> Path:
        """The file that holds an array: its rows, one after the other, without a header."""
        return self.folder / f"{list(self.shapes).index(name)}.raw"

    def _read(self, file: IO[bytes], name: str, rows: int) -> Array:
        shape = self.shapes[name]
        count = rows * int(np.prod(shape, dtype=np.int64))
        return np.fromfile(file, self.dtypes[name], count).reshape(rows, *shape)


class ArrayWriter:
    """Write batches into a folder; ``close`` returns them as ``StoredArrays``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.count = 0
        self._files: dict[str, IO[bytes]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._dtypes: dict[str, str] = {}

    def add(self, batch: Mapping[str, Array]) -> None:
        """Add a batch: an array for each name, batch axis first.

        Raises:
            DataError: its samples have another shape than those before.
        """
        for name, array in batch.items():
            if name not in self._files:
                self._files[name] = (self.folder / f"{len(self._files)}.raw").open("wb")
                self._shapes[name], self._dtypes[name] = array.shape[1:], array.dtype.name
            if array.shape[1:] != self._shapes[name]:
                raise DataError(
                    f"{name!r}: samples of different shapes, {self._shapes[name]} and "
                    f"{array.shape[1:]}. A file for an edge device has one fixed shape."
                )
            # By Python: ndarray.tofile tells nobody of a disk that is full.
            self._files[name].write(array.astype(self._dtypes[name], copy=False).tobytes())
        self.count += len(next(iter(batch.values())))

    def close(self) -> StoredArrays:
        """Close the files and return the arrays, ready to be read."""
        for file in self._files.values():
            file.close()
        return StoredArrays(self.folder, self.count, dict(self._shapes), dict(self._dtypes))


def read_npy(files: Mapping[str, IO[bytes]], folder: Path) -> StoredArrays:
    """Store arrays from the format of ``.npy``, as ``StoredArrays.write_npy`` writes it.

    Raises:
        ValueError: a file is no array, is larger or smaller than it says, or they differ in length.
        DataError: it holds Python objects, or its shape is impossible.
    """
    folder.mkdir(parents=True)
    counts, shapes, dtypes = set[int](), {}, {}
    for position, (name, file) in enumerate(files.items()):
        header = read_header(file, name)
        if not header.shape or header.fortran:
            raise ValueError(f"{name} is not written row by row")
        counts.add(header.shape[0])
        shapes[name], dtypes[name] = header.shape[1:], header.dtype.name
        with (folder / f"{position}.raw").open("wb") as raw:
            shutil.copyfileobj(file, raw)
            if raw.tell() != header.bytes:
                raise ValueError(f"{name} claims {header.bytes:,} bytes and has {raw.tell():,}")
    if len(counts) != 1:
        raise ValueError(f"arrays of different lengths: {sorted(counts)}")
    return StoredArrays(folder, counts.pop(), shapes, dtypes)
