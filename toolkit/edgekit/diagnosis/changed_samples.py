"""How an output's predictions and values changed: worst samples, confusion matrices, error histogram."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

import numpy as np

from edgekit.accuracy.detection import CONFIDENT, in_common
from edgekit.accuracy.tasks import (
    SEVERAL_LABELS,
    Labels,
    Task,
    class_scores,
    ground_truth,
    labels_for_output,
    predicted_classes,
)
from edgekit.data.samples import Array
from edgekit.data.store import StoredArrays
from edgekit.diagnosis.changed_boxes import SampleBox, sample_boxes
from edgekit.diagnosis.per_class import ClassCounts, ClassResult
from edgekit.diagnosis.value_pairs import PairCollector, ValuePairs
from edgekit.names import class_name

_BATCH = 32
_MOST_NAMED = 6  # labels or boxes of a sample
_BINS = 41  # of the error histogram; odd, so that the middle one stands for no error
_ONE_OF_SEVERAL = ("classes", "sequence", "binary", "binary_logits")
_MOST_CLASSES = 50  # of a confusion matrix that still can be looked at


@dataclass(frozen=True, slots=True)
class ChangedSample:
    """A sample whose prediction changed, or whose values have the largest error."""

    number: int
    """Of the sample, in the data."""
    row: int
    """Among the samples of this run."""
    label: str
    """The correct prediction; empty without labels."""
    original: str
    """The original's prediction."""
    candidate: str
    """The file's prediction."""
    error: float
    """The largest difference between the two outputs; of detections, how much of both's boxes is not in
    common, 0 to 1."""
    changed: bool
    """Whether the prediction changed, not only the values; of detections, whether a box came or went."""
    boxes: tuple[SampleBox, ...] = ()
    """Of detections: the true ones, the original's and the file's."""


@dataclass(frozen=True, slots=True)
class OutputDifferences:
    """How one output of a file differs from the original's."""

    output: str
    worst: tuple[ChangedSample, ...]
    """Changed predictions first, then the largest errors."""
    error_edges: tuple[float, ...]
    """Edges of the output error histogram's bins; one more than there are bins."""
    error_counts: tuple[int, ...]
    """Values in each bin by their error: the file's value less the original's."""
    class_names: tuple[str, ...] = ()
    original_confusion: tuple[tuple[int, ...], ...] = ()
    """Samples by label (rows) and the original's prediction (columns); without labels, its
    predictions are the labels."""
    candidate_confusion: tuple[tuple[int, ...], ...] = ()
    """The same of the file."""
    changed: int = 0
    """Samples whose prediction changed."""
    per_class: tuple[ClassResult, ...] = ()
    """The classes that occur, where the output has classes."""
    value_pairs: tuple[ValuePairs, ...] = ()
    """Some of its values, where it has no classes."""


def find_differences(
    output: str,
    *,
    task: Task,
    original: StoredArrays,
    candidate: StoredArrays,
    labels: Labels,
    numbers: Sequence[int],
    class_names: Sequence[str],
    worst: int,
) -> OutputDifferences:
    """Compare one output of a file with the original's, sample by sample.

    Args:
        output: its name.
        task: the kind of its predictions, from ``find_tasks``.
        original: the original's outputs.
        candidate: the file's outputs on the same samples.
        labels: one for each sample, where there are any.
        numbers: the samples' numbers in the data.
        class_names: in the order of the classes; empty for none.
        worst: how many samples to keep.
    """
    largest_error = _largest_error(output, original, candidate)
    edges = np.linspace(-largest_error, largest_error, _BINS + 1)
    error_counts = np.zeros(_BINS, np.int64)
    output_labels = labels_for_output(labels, output)
    kept: list[ChangedSample] = []
    confusions: list[Array] = []
    counts: ClassCounts | None = None
    values = int(np.prod(original.shapes[output], dtype=np.int64))
    collector = PairCollector(len(original), values)
    changed_count = row = 0
    for expected, actual in _batches(output, original, candidate):
        count = len(expected)
        true = None
        if output_labels is not None:
            true = ground_truth(output_labels[row : row + count], expected, task)
        errors = actual - expected
        error_counts += np.histogram(np.clip(errors, -largest_error, largest_error), edges)[0]
        error = np.abs(errors).reshape(count, -1).max(axis=1, initial=0)
        error[~np.isfinite(error)] = np.inf
        changed = error == np.inf
        if task == "values":
            collector.add(row, expected, actual)
        elif task == "detection":
            common = in_common(expected, actual)
            error = 1 - common[:, 0]
            changed |= common[:, 1] < 1
        else:
            predictions = predicted_classes(expected, task), predicted_classes(actual, task)
            changed |= (predictions[0] != predictions[1]).any(axis=1)
            classes = class_scores(expected[:1], task).shape[-1]
            rows = predictions[0] if true is None else true
            if task in SEVERAL_LABELS:
                counts = counts or ClassCounts(classes)
                counts.add_several(rows, *predictions)
            elif task in _ONE_OF_SEVERAL:
                counts = counts or ClassCounts(classes)
                counts.add(rows, *predictions)
            if task in _ONE_OF_SEVERAL and classes <= _MOST_CLASSES:
                confusions.append(np.stack([_confusion(rows, p, classes) for p in predictions]))
        changed_count += int(changed.sum())
        ranked = nlargest(worst, range(count), key=lambda i: (changed[i], error[i]))
        samples = (
            ChangedSample(
                number=numbers[row + i],
                row=row + i,
                label="" if true is None else _label(true[i], task, class_names),
                original=_prediction(expected[i : i + 1], task, class_names),
                candidate=_prediction(actual[i : i + 1], task, class_names),
                error=float(error[i]),
                changed=bool(changed[i]),
                boxes=sample_boxes(
                    output, None if true is None else true[i], expected[i], actual[i], class_names
                )
                if task == "detection"
                else (),
            )
            for i in ranked
        )
        kept = nlargest(worst, [*kept, *samples], key=lambda s: (s.changed, s.error))
        row += count
    confusion = np.sum(confusions, axis=0) if confusions else np.zeros((2, 0, 0), np.int64)
    return OutputDifferences(
        output=output,
        worst=tuple(kept),
        error_edges=tuple(edges.tolist()),
        error_counts=tuple(error_counts.tolist()),
        class_names=tuple(class_names)
        if task == "detection"
        else tuple(class_name(i, class_names) for i in range(confusion.shape[1])),
        original_confusion=tuple(map(tuple, confusion[0].tolist())),
        candidate_confusion=tuple(map(tuple, confusion[1].tolist())),
        changed=changed_count,
        per_class=counts.results(class_names) if counts else (),
        value_pairs=collector.pairs(),
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
    largest = 0.0
    for expected, actual in _batches(output, original, candidate):
        error = np.abs(actual - expected)
        largest = max(largest, float(error[np.isfinite(error)].max(initial=0)))
    return largest or 1e-9


def _confusion(rows: Array, columns: Array, classes: int) -> Array:
    known = (rows >= 0) & (rows < classes)
    cells = rows[known] * classes + columns[known]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def _prediction(outputs: Array, task: Task, class_names: Sequence[str]) -> str:
    """Format one sample's output, of shape (1, ...): class and score, or the first values."""
    if task == "values":
        return _first_values(outputs)
    if task == "detection":
        sure = outputs[0][outputs[0, :, 4] >= CONFIDENT]
        best = sure[np.argsort(-sure[:, 4], kind="stable")]
        return _listed(f"{class_name(c, class_names)} {s:.3g}" for s, c in best[:, 4:].tolist())
    predicted = predicted_classes(outputs, task)[0]
    if task in SEVERAL_LABELS:
        return _names_of(predicted, class_names)
    if task == "index" and predicted.size == 1:
        return class_name(int(predicted[0]), class_names)
    if predicted.size > 1:
        return _label(predicted, task, class_names)
    score = class_scores(outputs, task)[0, 0, predicted[0]]
    return f"{class_name(int(predicted[0]), class_names)} {score:.3g}"


def _label(values: Array, task: Task, class_names: Sequence[str]) -> str:
    """Format one sample's label; of a mask, the most frequent classes."""
    if task == "values":
        return _first_values(values)
    if task == "detection":
        return _listed(class_name(c, class_names) for c in values[:, 4].tolist() if c >= 0)
    if task in SEVERAL_LABELS:
        return _names_of(values.reshape(-1), class_names)
    if values.size == 1:
        return class_name(int(values[0]), class_names)
    classes, counts = np.unique(values, return_counts=True)
    most = sorted(zip(counts / values.size, classes, strict=True), reverse=True)[:3]
    return ", ".join(f"{class_name(int(c), class_names)} {fraction:.0%}" for fraction, c in most)


def _names_of(labels: Array, class_names: Sequence[str]) -> str:
    """Name the labels that are 1."""
    return _listed(class_name(i, class_names) for i in np.flatnonzero(labels).tolist())


def _listed(names: Iterable[str]) -> str:
    """The first few of several names."""
    known = list(names)
    more = ["..."] if len(known) > _MOST_NAMED else []
    return ", ".join(known[:_MOST_NAMED] + more) or "none"


def _first_values(values: Array) -> str:
    flat = values.reshape(-1)
    return ", ".join(f"{v:.4g}" for v in flat[:4]) + (", ..." if flat.size > 4 else "")
