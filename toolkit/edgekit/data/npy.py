"""The format of ``.npy``, read one sample at a time; see ``numpy.lib.format``."""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from edgekit.data.samples import Array, DataError, Selector

UNREADABLE = (
    ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error,
    RuntimeError,  # an encrypted or unknown member; too many brackets in a header
    SyntaxError, TypeError, KeyError, tokenize.TokenError, MemoryError, OverflowError,
)  # fmt: skip
"""What zipfile and NumPy raise of damaged, foreign and hostile files."""

_LARGEST = 1 << 28
"""Bytes of a sample whose size no input limits, and of an array that only fits in memory whole."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the beginning of an array says of it."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def bytes(self) -> int:
        """Bytes that follow."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], source: str) -> Header:
    """Read what an array is, up to where its data begins.

    Raises:
        DataError: it holds Python objects, its samples hold nothing or are huge, or its version is unknown.
        UNREADABLE: it is damaged.
    """
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise DataError(f"{source}: .npy version {version} is not known.")
    header = Header(*reader(file))
    if header.dtype.hasobject:
        raise DataError(f"{source}: holds Python objects, which are not read: they can carry code.")
    if any(size < 0 for size in header.shape):
        raise DataError(f"{source}: its shape, {header.shape}, is impossible: the file is damaged.")
    if header.shape and header.shape[0] and not header.sample_bytes:
        raise DataError(f"{source}: its samples, of shape {header.shape[1:]}, hold nothing.")
    if header.sample_bytes > _LARGEST:
        raise DataError(
            f"{source}: a single sample, of shape {header.shape[1:]} and {header.dtype}, takes "
            f"{header.sample_bytes:,} bytes; {_LARGEST:,} is the most."
        )
    if _in_columns(header) and header.bytes > _LARGEST:
        raise DataError(
            f"{source}: is in Fortran order, in which samples do not lie one after another, and with "
            f"{header.bytes:,} bytes too large to be read at once. Save np.ascontiguousarray(array)."
        )
    return header


def check_bytes(header: Header, available: int, source: str) -> None:
    """Refuse an array that is larger than the file that it is in.

    Raises:
        DataError: it claims more than there is.
    """
    if header.bytes > available:
        raise DataError(
            f"{source}: cut short: it claims {' x '.join(map(str, header.shape)) or 'one'} values of "
            f"{header.dtype}, {header.bytes:,} bytes, and has {available:,}."
        )


def read_samples(file: IO[bytes], source: str, selected: Selector) -> Iterator[tuple[int, Array]]:
    """Read the selected samples of an array, one at a time.

    Raises:
        DataError: it is damaged.
    """
    try:
        yield from _read_samples(file, source, selected)
    except UNREADABLE as error:
        raise DataError(f"{source}: cannot be read: {error}") from error


def _read_samples(file: IO[bytes], source: str, selected: Selector) -> Iterator[tuple[int, Array]]:
    header = read_header(file, source)
    shape, size = header.shape, header.sample_bytes
    if _in_columns(header):  # a sample is not in one piece: it cannot be streamed
        content = file.read(header.bytes)
        if len(content) != header.bytes:
            raise DataError(f"{source}: cut short.")
        array = np.frombuffer(content, header.dtype).reshape(shape[::-1]).transpose()
        yield from ((i, array[i]) for i in filter(selected, range(shape[0])))
        return
    for number in range(shape[0]):
        content = file.read(size)
        if len(content) != size:
            raise DataError(f"{source}: cut short at sample {number} of {shape[0]}.")
        if selected(number):
            yield number, np.frombuffer(content, header.dtype).reshape(shape[1:])


def _in_columns(header: Header) -> bool:
    return header.fortran and len(header.shape) > 1
