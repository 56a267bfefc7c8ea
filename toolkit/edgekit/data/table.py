"""A ``.csv`` file as lines of cells: its encoding, its separator, and whether its columns have names.

Values are separated by commas, semicolons (then 0,5 is a half, as spreadsheets write it where that is
usual), tabs, or single spaces (``numpy.savetxt``), whichever the first line holds.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from pathlib import Path

from edgekit.data.samples import DataError
from edgekit.names import printable

_SEPARATORS = "\t;,"
_MISSING = {"", "na", "n/a", "null", "none"}
"""Cells of a missing number, as pandas, R and databases write it."""
_DIGITS = 20
"""Of the longest integer of 64 bits, or its sign."""
_LOOKED_AT = 100
"""Lines by which a line of integers is told from a line of names."""
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # Excel's "Unicode text"

Line = tuple[int, list[str]]
"""A line's number in the file, from 1, and its cells."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a first pass over a file finds."""

    path: Path
    encoding: str
    separator: str
    width: int
    """Cells in a line."""
    names: list[str] | None
    """The columns' names; None where the first line holds a sample."""
    count: int
    """Of samples."""
    warnings: tuple[str, ...]

    def lines(self) -> Iterator[Line]:
        """Read the lines that hold samples, in order."""
        found = _lines(self.path, self.encoding, self.separator)
        if self.names is not None:
            next(found, None)
        return found


def survey(path: Path) -> Table:
    """Read a file once, to know its form.

    Raises:
        DataError: it is empty, or a line is longer or shorter than the first.
        UnicodeError, csv.Error: it is no table, or in another encoding.
    """
    source = printable(path)
    with path.open("rb") as file:
        encoding = _BYTE_ORDER_MARKS.get(file.read(2), "utf-8-sig")  # which Excel writes
    with path.open(newline="", encoding=encoding) as file:
        separator = _separator(next((line for line in file if line.strip()), ""))
    lines = _lines(path, encoding, separator)
    _, first = next(lines, (0, []))
    if not first:
        raise DataError(f"{source}: is empty.")
    first = [cell.strip() for cell in first]
    count, integers = 0, True
    for number, cells in lines:
        if len(cells) != len(first):
            raise DataError(
                f"{source}, line {number}: {len(cells)} columns, and the first line has {len(first)}."
            )
        if count < _LOOKED_AT:
            integers = integers and all(_is_integer(c) or _is_missing(c) for c in cells)
        count += 1
    named, warnings = _names(first, separator, integers or not count, source)
    names = first if named else None
    return Table(
        path, encoding, separator, len(first), names, count if named else count + 1, warnings
    )


def number_in(cell: str, separator: str) -> int | float:
    """The number in a cell; an integer stays one where it may be more than a float holds exactly.

    Raises:
        ValueError: there is none.
    """
    if _is_integer(cell) and len(cell) <= _DIGITS and -(2**63) <= int(cell) < 2**64:
        return int(cell)
    if _is_missing(cell):
        return nan
    if "_" in cell:  # Python takes 1_000
        raise ValueError(cell)
    return float(cell.replace(",", ".") if separator == ";" else cell)


def is_number(cell: str, separator: str) -> bool:
    """Whether a cell holds a number, or a missing one."""
    try:
        number_in(cell, separator)
    except ValueError:
        return False
    return True


def _is_integer(cell: str) -> bool:
    digits = cell.strip().removeprefix("-")
    return digits.isascii() and digits.isdigit()


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in _MISSING


def _lines(path: Path, encoding: str, separator: str) -> Iterator[Line]:
    """Read the lines that are not empty."""
    with path.open(newline="", encoding=encoding) as file:
        reader = csv.reader(file, delimiter=separator, skipinitialspace=separator == " ")
        for cells in reader:
            if separator == " " and cells and not cells[-1]:
                cells.pop()  # of a space at the end
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield reader.line_num, cells


def _names(
    first: list[str], separator: str, integers: bool, source: str
) -> tuple[bool, tuple[str, ...]]:
    """Whether the first line holds names, and a warning where that is not certain.

    Args:
        first: its cells; numpy.savetxt's # before names is removed.
        separator: between them.
        integers: whether the lines that follow hold integers only.
        source: for the warning.
    """
    if not all(is_number(cell, separator) for cell in first):
        first[0] = first[0].removeprefix("#").strip()
        return True, ()
    counted = [str(n) for n in range(len(first))]
    if first == ["", *counted[:-1]]:  # with pandas' index in front
        return True, ()
    if not all(map(_is_integer, first)) or (integers and (len(first) < 3 or first != counted)):
        return False, ()
    named = first == counted and len(first) > 3 and not integers
    line = ", ".join(first[:3]) + ("" if len(first) <= 3 else ", ...")
    return named, (
        f"{source}: the first line, {line}, is taken for "
        + (
            "the names that pandas gives columns. If it is a sample, put a line of names above it"
            if named
            else "a sample. If it holds names, remove it or write words"
        ),
    )


def _separator(line: str) -> str:
    """What separates the cells of a line; within quotes nothing does."""
    outside = "".join(line.split('"')[::2])
    if found := next((s for s in _SEPARATORS if s in outside), None):
        return found
    return " " if all(is_number(word, " ") for word in outside.split()) else ","
