"""Samples that a change began with, kept in files of their own: for the next calibration and validation."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit_runtimes.base import Array

_BYTES = 64 << 20  # of samples in memory


class RecentSamples:
    """Copies of the inputs of the samples looked at since the last check."""

    def __init__(self, folder: Path, most: int) -> None:
        """Keep them in memory.

        Args:
            folder: where files are written.
            most: samples, in all files together; those of an earlier run count.
        """
        self.folder = folder
        self.files: list[str] = []
        self._most = most
        self._rows: list[Mapping[str, Array]] = []
        self._bytes = 0

    def add(self, inputs: Mapping[str, Array]) -> None:
        """Copy a batch, unless too much is in memory."""
        size = sum(array.nbytes for array in inputs.values())
        if self._bytes + size <= _BYTES or not self._rows:
            self._rows.append({name: array.copy() for name, array in inputs.items()})
            self._bytes += size

    def forget(self) -> None:
        """Begin again."""
        self._rows.clear()
        self._bytes = 0

    def write(self) -> None:
        """Write them as a ``.npz`` that ``--data`` reads, unless the folder holds enough.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        left = self._most - sum(_samples(path) for path in self.folder.glob("changed-*.npz"))
        count = min(left, sum(len(_first(row)) for row in self._rows))
        if count <= 0:
            return
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        stem = f"changed-{stamp}-{os.getpid()}-{len(self.files)}-{count}"
        path, unfinished = self.folder / f"{stem}.npz", self.folder / f".{stem}.tmp"
        arrays = {
            name: np.concatenate([row[name] for row in self._rows])[:count]
            for name in self._rows[0]
        }
        try:
            with unfinished.open("xb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self.files.append(str(path))


def _samples(path: Path) -> int:
    """How many samples a file of ours has: its name says it."""
    last = path.stem.rpartition("-")[2]
    return int(last) if last.isdigit() else 0


def _first(row: Mapping[str, Array]) -> Array:
    return next(iter(row.values()))
