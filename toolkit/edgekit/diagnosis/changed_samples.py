"""What a person wants to see of an output: which samples changed, what is taken for what, the errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

import numpy as np

from edgekit.accuracy.tasks import (
    Labels,
    Task,
    class_scores,
    ground_truth,
    labels_for_output,
    predicted_classes,
)
from edgekit.data.samples import Array
from edgekit.data.store import StoredArrays

_BATCH = 32
_BARS = 41  # of the histogram; odd, so that one stands for no error
_MOST_CLASSES = 50  # of a confusion matrix that still can be looked at


@dataclass(frozen=True, slots=True)
class ChangedSample:
    """A sample that the file answers otherwise, or with the largest error."""

    number: int
    """Of the sample, in the data."""
    row: int
    """Among the samples of this run."""
    label: str
    """The right answer, where there is one."""
    before: str
    """What the original says."""
    after: str
    """What the file says."""
    error: float
    """The largest difference between the two outputs."""
    changed: bool
    """Whether it is another answer, not only another number."""


@dataclass(frozen=True, slots=True)
class OutputDifferences:
    """Of one output of one file."""

    output: str
    worst: tuple[ChangedSample, ...]
    edges: tuple[float, ...]
    """Of the histogram's bars; one more than there are bars."""
    counts: tuple[int, ...]
    """Values whose error, the file's less the original's, lies in each bar."""
    classes: tuple[str, ...] = ()
    before: tuple[tuple[int, ...], ...] = ()
    """Samples by true class (rows) and the original's answer (columns), where there are labels."""
    after: tuple[tuple[int, ...], ...] = ()
    """The same of the file; without labels, by the original's answer and the file's."""
    changed: int = 0
    """Samples that the file answers otherwise."""


def gather(
    output: str,
    task: Task,
    original: StoredArrays,
    candidate: StoredArrays,
    labels: Labels,
    numbers: Sequence[int],
    class_names: Sequence[str],
    *,
    worst: int,
) -> OutputDifferences:
    """Reads both models' outputs, and keeps what is worth looking at.

    Args:
        output: its name.
        task: what it tells.
        original: the original's outputs.
        candidate: the file's, on the same samples.
        labels: one for each sample, where there are any.
        numbers: of the samples, in the data.
        class_names: in order.
        worst: how many samples to keep.
    """
    widest = _largest_error(output, original, candidate)
    edges = np.linspace(-widest, widest, _BARS + 1)
    counts = np.zeros(_BARS, np.int64)
    own = labels_for_output(labels, output)
    found: list[ChangedSample] = []
    tables: list[Array] = []
    changed_count = row = 0
    for expected, got in _batches(output, original, candidate):
        part = slice(row, row + len(expected))
        true = None if own is None else ground_truth(own[part], expected, task)
        counts += np.histogram(np.clip(got - expected, -widest, widest), edges)[0]
        largest = np.abs(got - expected).reshape(len(got), -1).max(axis=1, initial=0)
        largest[~np.isfinite(largest)] = np.inf
        changed = np.zeros(len(got), bool)
        if task != "values":
            was, is_ = predicted_classes(expected, task), predicted_classes(got, task)
            changed = (was != is_).any(axis=1)
            width = class_scores(expected[:1], task).shape[-1]
            if width <= _MOST_CLASSES:
                rows = was if true is None else true
                tables.append(np.stack([_table(rows, x, width) for x in (was, is_)]))
        changed |= largest == np.inf
        changed_count += int(changed.sum())
        words = (
            ChangedSample(
                numbers[row + i],
                row + i,
                "" if true is None else _said(true[i], task, class_names),
                _answer(expected[i : i + 1], task, class_names),
                _answer(got[i : i + 1], task, class_names),
                float(largest[i]),
                bool(changed[i]),
            )
            for i in nlargest(worst, range(len(got)), key=lambda i: (changed[i], largest[i]))
        )
        found = nlargest(worst, [*found, *words], key=lambda w: (w.changed, w.error))
        row += len(expected)
    before, after = np.sum(tables, axis=0) if tables else np.zeros((2, 0, 0), np.int64)
    width = len(before)
    return OutputDifferences(
        output,
        tuple(found),
        tuple(edges.tolist()),
        tuple(counts.tolist()),
        tuple(_name(i, class_names) for i in range(width)),
        tuple(map(tuple, before.tolist())),
        tuple(map(tuple, after.tolist())),
        changed_count,
    )


def _batches(
    output: str, original: StoredArrays, candidate: StoredArrays
) -> "zip[tuple[Array, Array]]":
    return zip(
        (batch[output].astype(np.float64) for batch in original.batches(_BATCH)),
        (batch[output].astype(np.float64) for batch in candidate.batches(_BATCH)),
        strict=True,
    )


def _largest_error(output: str, original: StoredArrays, candidate: StoredArrays) -> float:
    widest = 0.0
    for expected, got in _batches(output, original, candidate):
        error = np.abs(got - expected)
        widest = max(widest, float(error[np.isfinite(error)].max(initial=0)))
    return widest or 1e-9


def _table(rows: Array, columns: Array, width: int) -> Array:
    kept = (rows >= 0) & (rows < width)
    cells = rows[kept] * width + columns[kept]
    return np.bincount(cells, minlength=width * width).reshape(width, width)


def _answer(outputs: Array, task: Task, class_names: Sequence[str]) -> str:
    """One sample's output in words."""
    if task == "values":
        values = outputs.reshape(-1)
        return ", ".join(f"{v:.4g}" for v in values[:4]) + (", ..." if values.size > 4 else "")
    given = predicted_classes(outputs, task)[0]
    if given.size > 1:
        return _said(given, task, class_names)
    return f"{_name(int(given[0]), class_names)} {class_scores(outputs, task)[0, 0, given[0]]:.3g}"


def _said(values: Array, task: Task, class_names: Sequence[str]) -> str:
    if task == "values":
        return ", ".join(f"{v:.4g}" for v in values[:4]) + (", ..." if values.size > 4 else "")
    if values.size == 1:
        return _name(int(values[0]), class_names)
    kinds, counts = np.unique(values, return_counts=True)
    shares = sorted(zip(counts / values.size, kinds, strict=True), reverse=True)[:3]
    return ", ".join(f"{_name(int(kind), class_names)} {share:.0%}" for share, kind in shares)


def _name(number: int, class_names: Sequence[str]) -> str:
    return class_names[number] if 0 <= number < len(class_names) else str(number)
