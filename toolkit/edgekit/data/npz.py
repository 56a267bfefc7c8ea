"""Samples from ``.npz`` and ``.npy``, read one at a time.

Nothing in a file is believed before it is checked: an array cannot be larger than its file, nor an
archive's member larger than its compressed bytes allow.
"""

import contextlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekit.data.npy import UNREADABLE, Header, check_bytes, read_header, read_samples
from edgekit.data.samples import (
    Array,
    DataError,
    Sample,
    SampleSource,
    Selector,
    check_shape,
    label_arrays,
    label_from,
    match_names,
    to_input,
)
from edgekit.data.unused_labels import unused_labels
from edgekit.names import printable
from edgekit_runtimes import TensorSpec

_MOST_EXPANSION = 1032
"""How many bytes one compressed byte can become (zlib's Technical Details: "1030:1", and a block's end)."""

_COMPRESSIONS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "lzma"}


def check_npz(path: Path) -> None:
    """Refuse a file that is no archive, or claims to hold more than it can, without reading its arrays.

    Raises:
        DataError: it is cut short, no archive, or one that NumPy would not write.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{printable(path)}: not a .npz archive: cut short or of another kind "
            f"({path.stat().st_size:,} bytes)."
        )
    with _opened(path):
        pass


def check_npy(path: Path) -> None:
    """Refuse a file that is no array, or claims to be larger than it is, without reading it.

    Raises:
        DataError: it is.
    """
    _header(path)


def open_npz(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Open arrays named as the inputs, with labels in ``y``, ``labels``, ``label`` or ``y_OUTPUT``.

    Raises:
        DataError: it is no archive of arrays, claims to hold more than it can, or does not fit the inputs.
    """
    source = printable(path)
    with _opened(path) as archive:
        members = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
        labels = label_arrays(members, inputs)
        names = match_names(members, inputs, source)
        used = [*names.values(), *labels.values()]
        headers = {n: _member_header(archive, n, f"{source}: {n}") for n in used}
    if scalars := [n for n in used if not headers[n].shape]:
        raise DataError(
            f"{source}: {', '.join(scalars)}: a 0-d array, where samples are expected, batch axis first."
        )
    sizes = {n: headers[n].shape[0] for n in used}
    if len(set(sizes.values())) != 1:
        raise DataError(
            f"{source}: the arrays have different numbers of samples: "
            f"{', '.join(f'{n} {c}' for n, c in sizes.items())}."
        )
    for spec in inputs:
        check_shape(headers[names[spec.name]].shape[1:], spec, source)

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        with _opened(path) as archive:
            streams = [
                read_samples(archive.open(f"{n}.npy"), f"{source}: {n}", selected) for n in used
            ]
            for number, *columns in _together(streams):
                arrays = dict(zip(used, columns, strict=True))
                sample = {s.name: to_input(arrays[names[s.name]], s, source) for s in inputs}
                yield number, (sample, label_from(labels, arrays))

    return SampleSource(
        read,
        count=next(iter(sizes.values())),
        source=source,
        warnings=unused_labels(members, used, source),
    )


def open_npy(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Open the array of a single input; there are no labels.

    Raises:
        DataError: it is no array, claims to be larger than the file, or does not fit the one input.
    """
    source = printable(path)
    if len(inputs) != 1:
        raise DataError(
            f"{source}: one array, and the model takes {len(inputs)} inputs: "
            f"{'; '.join(map(str, inputs))}. Use a .npz with an array for each."
        )
    header = _header(path)
    if not header.shape:
        raise DataError(f"{source}: a 0-d array, where samples are expected, batch axis first.")
    check_shape(header.shape[1:], inputs[0], source)

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        with path.open("rb") as file:
            for number, array in read_samples(file, source, selected):
                yield number, ({inputs[0].name: to_input(array, inputs[0], source)}, None)

    return SampleSource(read, count=header.shape[0], source=source)


def check_archive(archive: zipfile.ZipFile, size: int, source: str) -> None:
    """Refuse an archive that claims to hold more than a file of its size can.

    A zip bomb lets members share bytes, or uses a compression without a limit; NumPy does neither.

    Raises:
        DataError: it does.
    """
    for member in archive.infolist():
        if member.flag_bits & 1:
            raise DataError(
                f"{source}: {member.filename} is encrypted, which NumPy's archives are not."
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            name = _COMPRESSIONS.get(member.compress_type, f"method {member.compress_type}")
            raise DataError(
                f"{source}: {member.filename} is compressed by {name}; NumPy reads and writes deflate. "
                "Save it with np.savez_compressed."
            )
        most = member.compress_size
        if member.compress_type == zipfile.ZIP_DEFLATED:
            most = _MOST_EXPANSION * (member.compress_size + 1)
        if member.file_size > most:
            raise DataError(
                f"{source}: {member.filename} claims {member.file_size:,} bytes, and its "
                f"{member.compress_size:,} compressed bytes cannot hold more than {most:,}."
            )
    claimed = sum(member.compress_size for member in archive.infolist())
    if claimed > size:
        raise DataError(
            f"{source}: its members claim {claimed:,} compressed bytes, and the file has {size:,}."
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive that holds what it claims, open; what zipfile raises of it is ``DataError``."""
    source = printable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.stat().st_size, source)
            yield archive
    except UNREADABLE as error:
        raise DataError(
            f"{source}: cannot be read as a .npz archive, cut short or of another kind: {error}"
        ) from error


def _header(path: Path) -> Header:
    source = printable(path)
    try:
        with path.open("rb") as file:
            header = read_header(file, source)
            check_bytes(header, path.stat().st_size - file.tell(), source)
    except UNREADABLE as error:
        raise DataError(f"{source}: cannot be read as a .npy file: {error}") from error
    return header


def _member_header(archive: zipfile.ZipFile, name: str, source: str) -> Header:
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:
        header = read_header(file, source)
        check_bytes(header, member.file_size - file.tell(), source)
    return header


def _together(streams: list[Iterator[tuple[int, Array]]]) -> Iterator[tuple[Any, ...]]:
    """Read several streams in step: the index, and an array of each."""
    for numbered in zip(*streams, strict=True):
        yield (numbered[0][0], *(array for _, array in numbered))
