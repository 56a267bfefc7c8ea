"""Samples from ``.npz`` and ``.npy``, read one at a time.

The format is that of ``numpy.lib.format``.
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
    Sample,
    SampleSource,
    Selector,
    label_arrays,
    label_from,
    match_names,
    to_input,
)
from edgekit_runtimes import TensorSpec


def check_npz(path: Path) -> None:
    """Refuse a file that is no archive, without reading it.

    Raises:
        DataError: it is cut short or no archive.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: not a .npz archive: cut short or of another kind "
            f"({path.stat().st_size:,} bytes)."
        )


def open_npz(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Open arrays named as the inputs, with labels in ``y``, ``labels``, ``label`` or ``y_OUTPUT``.

    Raises:
        DataError: it is no archive of arrays, or they do not fit the inputs.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            counts = {n: _header(archive.open(f"{n}.npy"), f"{path}: {n}")[0] for n in members}
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as a .npz archive, cut short or of another kind: {error}"
        ) from error
    labels = label_arrays(members, inputs)
    names = match_names(members, inputs, str(path))
    used = [*names.values(), *labels.values()]
    if scalars := [n for n in used if not counts[n]]:
        raise DataError(
            f"{path}: {', '.join(scalars)}: a 0-d array, where samples are expected, batch axis first."
        )
    sizes = {n: counts[n][0] for n in used}
    if len(set(sizes.values())) != 1:
        raise DataError(
            f"{path}: the arrays have different numbers of samples: "
            f"{', '.join(f'{n} {c}' for n, c in sizes.items())}."
        )

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        with zipfile.ZipFile(path) as archive:
            streams = [_stream(archive.open(f"{n}.npy"), f"{path}: {n}", selected) for n in used]
            for number, *columns in _together(streams):
                arrays = dict(zip(used, columns, strict=True))
                sample = {s.name: to_input(arrays[names[s.name]], s, str(path)) for s in inputs}
                yield number, (sample, label_from(labels, arrays))

    return SampleSource(read, count=next(iter(sizes.values())), source=str(path))


def open_npy(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Open the array of a single input; there are no labels.

    Raises:
        DataError: it is no array, or the model takes several inputs.
    """
    if len(inputs) != 1:
        raise DataError(
            f"{path}: one array, and the model takes {len(inputs)} inputs: "
            f"{'; '.join(map(str, inputs))}. Use a .npz with an array for each."
        )
    try:
        with path.open("rb") as file:
            shape = _header(file, str(path))[0]
    except ValueError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        with path.open("rb") as file:
            for number, array in _stream(file, str(path), selected):
                yield number, ({inputs[0].name: to_input(array, inputs[0], str(path))}, None)

    if not shape:
        raise DataError(f"{path}: a 0-d array, where samples are expected, batch axis first.")
    return SampleSource(read, count=shape[0], source=str(path))


def _header(file: IO[bytes], source: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the shape, Fortran order and dtype of a ``.npy`` stream, up to where its data begins."""
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


def _stream(file: IO[bytes], source: str, selected: Selector) -> Iterator[tuple[int, Array]]:
    """Read the selected samples of a ``.npy`` stream, one at a time."""
    try:
        yield from _read_stream(file, source, selected)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{source}: cannot be read: {error}") from error


def _read_stream(file: IO[bytes], source: str, selected: Selector) -> Iterator[tuple[int, Array]]:
    shape, fortran, kind = _header(file, source)
    size = int(np.prod(shape[1:], dtype=np.int64)) * kind.itemsize
    if fortran and len(shape) > 1:  # a sample is not in one piece: it cannot be streamed
        content = file.read()
        if len(content) != size * shape[0]:
            raise DataError(f"{source}: cut short.")
        array = np.frombuffer(content, kind).reshape(shape[::-1]).transpose()
        yield from ((i, array[i]) for i in filter(selected, range(shape[0])))
        return
    for number in range(shape[0]):
        content = file.read(size)
        if len(content) != size:
            raise DataError(f"{source}: cut short at sample {number} of {shape[0]}.")
        if selected(number):
            yield number, np.frombuffer(content, kind).reshape(shape[1:])


def _together(streams: list[Iterator[tuple[int, Array]]]) -> Iterator[tuple[Any, ...]]:
    """Read several streams in step: the index, and an array of each."""
    for numbered in zip(*streams, strict=True):
        yield (numbered[0][0], *(array for _, array in numbered))
