"""Memory that a worker and a model's process both see: arrays cross without passing through a pipe."""

import mmap
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edgekit.data.samples import Array

_KEPT = 4 << 20
"""Bytes that are kept; what a larger call took is given back by the next small one."""
_ALIGNED = 64
"""Bytes: what the widest instructions load at once."""

Layout = tuple[int, int, tuple[tuple[str, str, tuple[int, ...], int], ...]]
"""How large the memory is, how much of it is used, and of each array the name, type, shape and place."""


def open_memory() -> int:
    """A file without a name, in memory where the system has such files, for a process to inherit."""
    if sys.platform == "linux":
        return os.memfd_create("edgekit")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Memory:
    """Arrays in a file that another process has mapped as well; one of them writes at a time."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._map: mmap.mmap | None = None

    def put(self, arrays: Mapping[str, Array], behind: Layout | None = None) -> Layout:
        """Copy arrays into the memory; where they lie, for ``get`` in the other process.

        Args:
            arrays: by name.
            behind: what must not be written over.
        """
        at = behind[1] if behind else 0
        placed = []
        for name, array in arrays.items():
            placed.append((name, array.dtype.str, array.shape, at))
            at += -(-array.nbytes // _ALIGNED) * _ALIGNED
        self._map_all(self._wanted(max(at, 1), behind))
        layout = self._size, at, tuple(placed)
        for name, view in self._views(layout):
            view[...] = arrays[name]
        return layout

    def get(self, layout: Layout) -> dict[str, Array]:
        """The arrays that the other process put; they are its memory, until it puts others."""
        self._map_all(layout[0])
        return dict(self._views(layout))

    def close(self) -> None:
        """Give the memory back; the other process may have it still."""
        self._map = None
        os.close(self._file)

    @property
    def _size(self) -> int:
        return 0 if self._map is None else len(self._map)

    def _wanted(self, used: int, behind: Layout | None) -> int:
        """How large the memory is to be: it grows as it must, and shrinks when nothing lies in it."""
        if used > self._size:
            return max(_ALIGNED, 1 << (used - 1).bit_length())
        return self._size if behind or used > _KEPT else min(self._size, _KEPT)

    def _map_all(self, size: int) -> None:
        if size != self._size:
            # Arrays that lie in the former map keep it; nobody reads what is cut off.
            if os.fstat(self._file).st_size != size:
                os.ftruncate(self._file, size)
            self._map = mmap.mmap(self._file, size)

    def _views(self, layout: Layout) -> Iterator[tuple[str, Array]]:
        assert self._map is not None
        for name, dtype, shape, at in layout[2]:
            view: np.ndarray[Any, Any] = np.ndarray(shape, dtype, self._map, at)
            yield name, view
