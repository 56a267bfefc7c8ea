"""Samples from ``.csv``: a line for each sample, columns called after the inputs."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekit.data.samples import LABEL_NAMES, DataError, Row, SampleSource, Wanted, fit
from edgekit_runtimes import TensorSpec

_LABELS = (*LABEL_NAMES, "target")


def open_csv(path: Path, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Columns ``name_0``, ``name_1``, ... for each input, or all of them for a single one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel writes a byte order mark
            lines = csv.reader(file)
            header = [name.strip() for name in next(lines, [])]
            count = sum(1 for line in lines if line)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table in UTF-8: {error}") from error
    wanted_names = {s.name for s in inputs}
    label = next((header.index(n) for n in _LABELS if n in header and n not in wanted_names), None)
    columns = _columns(header, label, inputs, path)

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = (line for line in reader if line)
            next(lines)
            for number, line in enumerate(lines):
                if not wanted(number):
                    continue
                try:
                    values = [float(cell) if cell.strip() else np.nan for cell in line]
                    sample = {
                        s.name: fit(
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
    """The columns of each input: all but the label for a single one, else ``name``, ``name_0`` ..."""
    features = [i for i in range(len(header)) if i != label]
    found = {}
    for spec in inputs:
        size = int(np.prod([n or 1 for n in spec.shape[1:]]))
        own = [
            i
            for i in features
            if header[i] == spec.name or header[i].rpartition("_")[0] == spec.name
        ]
        if len(inputs) == 1 and len(own) != size:
            own = features
        if len(own) != size:
            raise DataError(
                f"{path}: input {spec} takes {size} columns, and {len(own)} are for it "
                f"({', '.join(header[i] for i in own) or 'none'}). Call them {spec.name}_0, "
                f"{spec.name}_1, ..."
            )
        if all(header[i].removeprefix(f"{spec.name}_").isdecimal() for i in own):
            own = sorted(own, key=lambda i: int(header[i].removeprefix(f"{spec.name}_")))
        found[spec.name] = own
    return found
