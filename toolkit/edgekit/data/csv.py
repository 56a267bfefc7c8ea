"""Samples from ``.csv``: a line for each sample, columns named after the inputs, or without names."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekit.data.samples import LABEL_NAMES, DataError, Sample, SampleSource, Selector, to_input
from edgekit.data.table import Table, is_number, number_in, survey
from edgekit.data.unused_labels import unused_labels
from edgekit.names import printable
from edgekit_runtimes import TensorSpec

_LABELS = (*LABEL_NAMES, "target")
_LONGEST = 20  # digits of a column's number: Python refuses to read thousands


def open_csv(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Open a table with columns ``NAME_0``, ``NAME_1``, ... for each input.

    A single input may take all columns but the label, whatever they are called; and where the first line
    holds numbers, and so no names, all columns in their order. A first line of 0, 1, 2, 3, ... above
    fractions holds the names that pandas gives.

    Raises:
        DataError: it is no table in UTF-8 or UTF-16, a line is longer or shorter than the first, or the
            columns do not fit the inputs.
    """
    source = printable(path)
    try:
        table = survey(path)
    except (UnicodeError, csv.Error) as error:
        raise DataError(
            f"{source}: cannot be read as a table in UTF-8, which it must be saved as: {error}"
        ) from error
    if table.names is None:
        label, columns = None, _in_order(table, inputs, source)
    else:
        label, columns = _by_name(table.names, inputs, source)

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        for number, (line, cells) in enumerate(table.lines()):
            if selected(number):
                yield (
                    number,
                    _sample(cells, columns, label, table, inputs, f"{source}, line {line}"),
                )

    header = table.names or []
    used = {header[i] for of_input in columns.values() for i in of_input} if header else set()
    if label is not None:
        used.add(header[label])
    unused = unused_labels(header, used, source)
    return SampleSource(read, count=table.count, source=source, warnings=(*table.warnings, *unused))


def _in_order(table: Table, inputs: Sequence[TensorSpec], source: str) -> dict[str, list[int]]:
    """Give a single input all columns of a table without names."""
    if len(inputs) == 1 and _size(inputs[0]) in (table.width, None):
        return {inputs[0].name: list(range(table.width))}
    raise DataError(
        f"{source}: {table.width} columns without names (the first line holds numbers), and the model "
        f"takes {'; '.join(map(str, inputs))}. Which column is for what is not known: begin with a line "
        f"of names, {inputs[0].name}_0, {inputs[0].name}_1, ..., and y for labels."
    )


def _by_name(
    header: Sequence[str], inputs: Sequence[TensorSpec], source: str
) -> tuple[int | None, dict[str, list[int]]]:
    """Find the label's column, and each input's: ``NAME``, ``NAME_0``, ...; of a single one, all others.

    A column without a name is none: pandas writes its index so.
    """
    input_names = {s.name for s in inputs}
    label = next((header.index(n) for n in _LABELS if n in header and n not in input_names), None)
    features = [i for i in range(len(header)) if i != label and header[i]]
    columns = {}
    for spec in inputs:
        size = _size(spec)
        named = [
            i
            for i in features
            if header[i] == spec.name or header[i].rpartition("_")[0] == spec.name
        ]
        if len(inputs) == 1 and (not named or size not in (len(named), None)):
            named = features
        if not named or size not in (len(named), None):
            raise DataError(
                f"{source}: input {spec} takes {size or 'any number of'} columns, and {len(named)} are "
                f"for it ({', '.join(header[i] for i in named) or 'none'}). Name them {spec.name}_0, "
                f"{spec.name}_1, ..."
            )
        if twice := next((header[i] for i in named if header.count(header[i]) > 1), None):
            raise DataError(f"{source}: two columns are called {twice!r}.")
        places = {i: header[i].removeprefix(f"{spec.name}_") for i in named}
        if all(place.isdecimal() and len(place) < _LONGEST for place in places.values()):
            named = sorted(named, key=lambda i: int(places[i]))
        columns[spec.name] = named
    return label, columns


def _size(spec: TensorSpec) -> int | None:
    """Of one sample, in numbers; None where a dimension is dynamic."""
    sizes = [n for n in spec.shape[1:] if n]
    return int(np.prod(sizes)) if len(sizes) == len(spec.shape[1:]) else None


def _sample(
    cells: Sequence[str],
    columns: dict[str, list[int]],
    label: int | None,
    table: Table,
    inputs: Sequence[TensorSpec],
    source: str,
) -> Sample:
    def numbers(positions: Sequence[int]) -> list[int | float]:
        try:
            return [number_in(cells[i], table.separator) for i in positions]
        except ValueError:
            wrong = next(i for i in positions if not is_number(cells[i], table.separator))
            name = f" of {table.names[wrong]!r}" if table.names else ""
            raise DataError(
                f"{source}: {cells[wrong]!r}, in column {wrong + 1}{name}, is no number."
            ) from None

    sample = {}
    for spec in inputs:
        shape = [n or -1 for n in spec.shape[1:]]
        try:
            array = np.array(numbers(columns[spec.name])).reshape(shape)
        except ValueError as error:  # of a dynamic dimension
            raise DataError(f"{source}: {error}") from error
        sample[spec.name] = to_input(array, spec, source)
    return sample, None if label is None else np.array(float(numbers([label])[0]))
