"""A walk over all of a ``.tflite`` file that stays inside it: every offset, vector and text is checked.

LiteRT follows the offsets in a file as they are, and a wrong one ends the process. What is read here
are plain Python values, of tables as ``tflite_schema.py`` lays them out.
"""

import struct
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.formats.tflite_schema import TABLES, UNIONS

_NUMBERS = {"1": "<B", "2": "<h", "4": "<i", "8": "<q"}
_VECTORS = {"v1": "u1", "v2": "<u2", "v4": "<i4", "v8": "<i8"}


class Damaged(ValueError):
    """What is wrong with a file."""


class Vector(NamedTuple):
    """A vector of numbers: where in the file, how many, and their NumPy type."""

    at: int
    length: int
    dtype: str


Table = list[Any]
"""A value for each field of a layout: a number, a text, a ``Vector``, a table, or a list of tables.

Where the file leaves a field out, it is None.
"""


class Walk:
    """Reads tables; what several others point to is read once, so that no file takes long."""

    def __init__(self, content: bytes | mmap) -> None:
        """``content`` is all of the file."""
        self._content = content
        self._size = len(content)
        self._fields: dict[tuple[int, str], tuple[int, list[tuple[str, int]]]] = {}
        self._tables: dict[tuple[int, str], Table] = {}
        self._left = 4 * self._size + 65536  # elements; a file that is honest has each but once

    def model(self) -> Table:
        """The root.

        Raises:
            Damaged: something points outside the file, or is not what it should be.
        """
        if self._size < 8 or self._content[4:8] != b"TFL3":
            raise Damaged("this is not a TFLite file")
        return self._table(self._follow(0), "Model", TABLES["Model"])

    def array(self, vector: Vector | None) -> Array:
        """The numbers of a vector."""
        if vector is None or not vector.length:
            return np.zeros(0, np.int32)
        self._spend(vector.length)
        return np.frombuffer(self._content, vector.dtype, vector.length, vector.at)

    def integers(self, vector: Vector | None) -> list[int]:
        """The same as a list."""
        return self.array(vector).tolist()  # type: ignore[no-any-return]

    def _table(self, at: int, name: str, layout: str) -> Table:
        known = self._tables.get((at, name))
        if known is not None:
            return known
        size, fields = self._vtable(at, name, layout)
        if at + size > self._size:
            raise Damaged(f"a table ({name}) ends outside the file")
        values: Table = []
        for kind, offset in fields:
            if not offset:
                values.append(None)
            elif kind[0] == "|":
                which = int(values[-1] or 0)
                inside = UNIONS[kind[1:]].get(which, "")
                values.append(self._table(self._follow(at + offset), f"{kind[1:]} {which}", inside))
            else:
                values.append(self._value(at + offset, kind, name))
        self._tables[at, name] = values
        return values

    def _vtable(self, at: int, name: str, layout: str) -> tuple[int, list[tuple[str, int]]]:
        """The size of a table, and the place of each field in it, 0 where it is left out."""
        place = at - self._number(at, "<i")
        known = self._fields.get((place, name))
        if known is not None:
            return known
        length, size = self._number(place, "<H"), self._number(place + 2, "<H")
        if length < 4 or length % 2 or place + length > self._size or size < 4:
            raise Damaged(f"a table ({name}) has no valid layout")
        offsets = struct.unpack_from(f"<{(length - 4) // 2}H", self._content, place + 4)
        kinds = layout.split()
        padded = [*offsets, *[0] * (len(kinds) - len(offsets))]
        fields = list(zip(kinds, padded, strict=False))
        for kind, offset in fields:
            width = int(kind) if kind in _NUMBERS else 4
            if offset and not 4 <= offset <= size - width:
                raise Damaged(f"a field of a table ({name}) lies outside it")
        self._fields[place, name] = size, fields
        return size, fields

    def _value(self, at: int, kind: str, name: str) -> Any:
        if kind in _NUMBERS:
            return self._number(at, _NUMBERS[kind])
        target = self._follow(at)
        if kind in _VECTORS:
            dtype = _VECTORS[kind]
            width = int(kind[1])
            start, count = self._vector(target, width, name)
            if start % width:
                raise Damaged(f"a vector in a table ({name}) is not aligned")
            return Vector(start, count, dtype)
        if kind == "s":
            start, count = self._vector(target, 1, name)
            if start + count >= self._size or self._content[start + count] != 0:
                raise Damaged(f"a text in a table ({name}) has no end")
            try:
                return self._content[start : start + count].decode()
            except UnicodeDecodeError as error:
                raise Damaged(f"a text in a table ({name}) is not UTF-8") from error
        if kind[0] == "*":
            start, count = self._vector(target, 4, name)
            self._spend(count)
            inner = kind[1:]
            layout = TABLES[inner]
            return [self._table(self._follow(start + 4 * i), inner, layout) for i in range(count)]
        return self._table(target, kind, TABLES[kind])

    def _vector(self, at: int, width: int, name: str) -> tuple[int, int]:
        count = self._number(at, "<I")
        if at + 4 + width * count > self._size:
            raise Damaged(f"a vector in a table ({name}) ends outside the file")
        return at + 4, count

    def _follow(self, at: int) -> int:
        return at + self._number(at, "<I")

    def _number(self, at: int, form: str) -> int:
        if not 0 <= at <= self._size - struct.calcsize(form):
            raise Damaged("an offset points outside the file")
        return int(struct.unpack_from(form, self._content, at)[0])

    def _spend(self, elements: int) -> None:
        self._left -= elements
        if self._left < 0:
            raise Damaged("its tables point to one another again and again")
