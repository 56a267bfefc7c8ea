"""Samples from ``.csv``: a line for each sample, columns named after the inputs."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekit.data.samples import LABEL_NAMES, DataError, Sample, SampleSource, Selector, to_input
from edgekit_runtimes import TensorSpec

_LABELS = (*LABEL_NAMES, "target")


def open_csv(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Open a table with columns ``NAME_0``, ``NAME_1``, ... for each input.

    A single input may take all columns but the label, whatever they are called.

    Raises:
        DataError: it is no table in UTF-8, or its columns do not fit the inputs.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel writes a byte order mark
            lines = csv.reader(file)
            header = [name.strip() for name in next(lines, [])]
            count = sum(1 for line in lines if line)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table in UTF-8: {error}") from error
    input_names = {s.name for s in inputs}
    label = next((header.index(n) for n in _LABELS if n in header and n not in input_names), None)
    columns = _columns(header, label, inputs, path)

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = (line for line in reader if line)
            next(lines)
            for number, line in enumerate(lines):
                if not selected(number):
                    continue
                try:
                    values = [float(cell) if cell.strip() else np.nan for cell in line]
                    sample = {
                        s.name: to_input(
                            np.array([values[c] for c in columns[s.name]]).reshape(
                                [n or -1 for n in s.shape[1:]]
                            ),
                            s,
                            str(path),
                        )
                        for s in inputs
                    }
                except (ValueError, IndexError) as error:
                    raise DataError(f"{path}, line {reader.line_num}: {error}") from error
                yield number, (sample, None if label is None else np.array(values[label]))

    return SampleSource(read, count=count, source=str(path))


def _columns(
    header: list[str], label: int | None, inputs: Sequence[TensorSpec], path: Path
) -> dict[str, list[int]]:
    """Find the columns of each input: ``NAME``, ``NAME_0`` ...; of a single one, all but the label."""
    features = [i for i in range(len(header)) if i != label]
    columns = {}
    for spec in inputs:
        size = int(np.prod([n or 1 for n in spec.shape[1:]]))
        named = [
            i
            for i in features
            if header[i] == spec.name or header[i].rpartition("_")[0] == spec.name
        ]
        if len(inputs) == 1 and len(named) != size:
            named = features
        if len(named) != size:
            raise DataError(
                f"{path}: input {spec} takes {size} columns, and {len(named)} are for it "
                f"({', '.join(header[i] for i in named) or 'none'}). Name them {spec.name}_0, "
                f"{spec.name}_1, ..."
            )
        if all(header[i].removeprefix(f"{spec.name}_").isdecimal() for i in named):
            named = sorted(named, key=lambda i: int(header[i].removeprefix(f"{spec.name}_")))
        columns[spec.name] = named
    return columns
