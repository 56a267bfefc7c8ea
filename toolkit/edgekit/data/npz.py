"""Samples from ``.npz`` and ``.npy``, of which one at a time is in memory.

The format is the one of ``numpy.lib.format``.
"""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgekit.data.samples import (
    Array,
    DataError,
    Row,
    SampleSource,
    Wanted,
    fit,
    label_names,
    label_of,
    match_names,
)
from edgekit_runtimes import TensorSpec


def open_npz(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Arrays by the names of the inputs, and labels under one of ``LABEL_NAMES`` or as ``y_OUTPUT``."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            counts = {n: _header(archive.open(f"{n}.npy"), f"{path}: {n}")[0] for n in members}
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    labels = label_names(members, inputs)
    names = match_names(members, inputs, str(path))
    used = [*names.values(), *labels.values()]
    if lone := [n for n in used if not counts[n]]:
        raise DataError(f"{path}: {', '.join(lone)}: a lone number, where samples are wanted.")
    sizes = {n: counts[n][0] for n in used}
    if len(set(sizes.values())) != 1:
        raise DataError(
            f"{path}: the arrays have different numbers of samples: "
            f"{', '.join(f'{n} {c}' for n, c in sizes.items())}."
        )

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        with zipfile.ZipFile(path) as archive:
            streams = [_rows_of(archive.open(f"{n}.npy"), f"{path}: {n}", wanted) for n in used]
            for number, *columns in _together(streams):
                arrays = dict(zip(used, columns, strict=True))
                sample = {s.name: fit(arrays[names[s.name]], s, str(path)) for s in inputs}
                yield number, (sample, label_of(labels, arrays))

    return SampleSource(read, count=next(iter(sizes.values())), source=str(path))


def open_npy(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """The array of a single input."""
    if len(inputs) != 1:
        raise DataError(
            f"{path}: one array, and the model takes {len(inputs)} inputs: "
            f"{'; '.join(map(str, inputs))}. Give a .npz with an array for each."
        )
    try:
        with path.open("rb") as file:
            shape = _header(file, str(path))[0]
    except ValueError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        with path.open("rb") as file:
            for number, array in _rows_of(file, str(path), wanted):
                yield number, ({inputs[0].name: fit(array, inputs[0], str(path))}, None)

    if not shape:
        raise DataError(f"{path}: a lone number, where samples are wanted.")
    return SampleSource(read, count=shape[0], source=str(path))


def _header(file: IO[bytes], source: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of a ``.npy`` stream, which then stands at its data."""
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise DataError(f"{source}: .npy version {version} is not known.")
    shape, fortran, kind = reader(file)
    if kind.hasobject:
        raise DataError(f"{source}: holds Python objects, which are not read: they can carry code.")
    return shape, fortran, kind


def _rows_of(file: IO[bytes], source: str, wanted: Wanted) -> Iterator[tuple[int, Array]]:
    """The wanted rows of a ``.npy`` stream, of which one at a time is in memory."""
    try:
        yield from _read_rows(file, source, wanted)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{source}: cannot be read: {error}") from error


def _read_rows(file: IO[bytes], source: str, wanted: Wanted) -> Iterator[tuple[int, Array]]:
    shape, fortran, kind = _header(file, source)
    size = int(np.prod(shape[1:], dtype=np.int64)) * kind.itemsize
    if fortran and len(shape) > 1:  # rows are not together in the file: there is no streaming it
        content = file.read()
        if len(content) != size * shape[0]:
            raise DataError(f"{source}: cut short.")
        array = np.frombuffer(content, kind).reshape(shape[::-1]).transpose()
        yield from ((i, array[i]) for i in filter(wanted, range(shape[0])))
        return
    for number in range(shape[0]):
        row = file.read(size)
        if len(row) != size:
            raise DataError(f"{source}: cut short at sample {number} of {shape[0]}.")
        if wanted(number):
            yield number, np.frombuffer(row, kind).reshape(shape[1:])


def _together(streams: list[Iterator[tuple[int, Array]]]) -> Iterator[tuple[Any, ...]]:
    for rows in zip(*streams, strict=True):
        yield (rows[0][0], *(array for _, array in rows))
