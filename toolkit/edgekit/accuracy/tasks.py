"""What an output tells: which kind of answer it gives, and what the labels say of it."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from edgekit.data.samples import Array, DataError
from edgekit.data.store import StoredArrays

Task = Literal["classes", "binary", "values"]
"""One of several classes, yes or no, or plain numbers."""

Labels = Array | Mapping[str, Array] | None
"""One label for each sample; by output name where outputs have labels of their own."""


def find_tasks(original: StoredArrays, labels: Labels) -> dict[str, Task]:
    """What each output tells, by the original's answers and the labels."""
    first = next(original.batches(64))
    tasks = {name: _find_task(array, labels_of(labels, name)) for name, array in first.items()}
    likely = [name for name, task in tasks.items() if task != "values" and _are_shares(first[name])]
    if likely and not isinstance(labels, Mapping):
        # One label a sample beside probabilities: it is theirs, and what looks like logits for it is
        # an embedding.
        return {name: task if name in likely else "values" for name, task in tasks.items()}
    return tasks


def labels_of(labels: Labels, output: str) -> Array | None:
    """The labels of one output."""
    return labels.get(output) if isinstance(labels, Mapping) else labels


def scores(outputs: Array, task: Task) -> Array:
    """A score for each class, shaped (samples, answers, classes): yes or no are two classes.

    Most classifiers give one answer a sample; a segmentation gives one a pixel.
    """
    count = len(outputs)
    if task == "binary":
        yes = outputs.reshape(count, -1, 1)
        return np.concatenate([1 - yes, yes], axis=-1)
    return outputs.reshape(count, -1, outputs.shape[-1])


def answers(outputs: Array, task: Task) -> Array:
    """The class with the highest score, shaped (samples, answers); the first of equals."""
    if task == "binary":
        return (outputs.reshape(len(outputs), -1) > 0.5).astype(np.int64)
    found: Array = np.argmax(outputs, axis=-1).reshape(len(outputs), -1)
    return found


def truth(labels: Array, outputs: Array, task: Task) -> Array | None:
    """The labels in the answers' shape, one-hot ones as class numbers; None if they do not fit.

    For plain numbers, in the outputs' shape, flattened.
    """
    if task == "values":
        fits = labels.size == outputs.size
        return labels.reshape(len(outputs), -1).astype(np.float64) if fits else None
    width = 1 if task == "binary" else outputs.shape[-1]
    count = outputs.size // width
    if labels.size == count:
        return labels.reshape(len(outputs), -1).astype(np.int64)
    if _is_one_hot(labels, max(width, 2), count):
        found: Array = np.argmax(labels, axis=-1).reshape(len(outputs), -1)
        return found
    return None


def _find_task(outputs: Array, labels: Array | None) -> Task:
    if outputs.dtype.kind not in "fiu" or not len(outputs):
        return "values"
    if labels is not None and labels.dtype.kind not in "fiub":
        raise DataError(
            f"the labels are {labels.dtype}, where numbers are wanted: of classes 0, 1, 2, ... in the "
            "order of the model's outputs, or values."
        )
    first = None if labels is None else labels[: len(outputs)]
    width = outputs.shape[-1] if outputs.ndim > 1 else 1
    count = outputs.size // width
    if width > 1:
        if _are_shares(outputs):
            return "classes"
        fits = first is not None and (
            (first.size == count and _are_classes(labels, width, several=outputs.ndim > 2))
            or _is_one_hot(first, width, count)
        )
        return "classes" if fits else "values"
    fits = first is not None and (
        (first.size == count and _are_classes(labels, 2, several=outputs.ndim > 2))
        or _is_one_hot(first, 2, count)
    )
    return "binary" if fits and outputs.min() >= 0 and outputs.max() <= 1 else "values"


def _are_shares(outputs: Array) -> bool:
    """Whether outputs are probabilities: of classes, or of yes."""
    if outputs.dtype.kind != "f" or outputs.min() < 0:
        return False
    if outputs.ndim > 1 and outputs.shape[-1] > 1:
        return bool(np.allclose(outputs.sum(axis=-1), 1, atol=1e-3))
    return bool(outputs.max() <= 1)


def _are_classes(labels: Array | None, width: int, *, several: bool) -> bool:
    """Whether labels are numbers of classes; masks may hold 255 or -1 for "any"."""
    assert labels is not None
    if several:
        labels = labels[(labels != 255) & (labels != -1)]
    if not labels.size or labels.min() < 0 or labels.max() >= width:
        return False
    return bool(np.array_equal(labels, np.rint(labels)))


def _is_one_hot(labels: Array, width: int, count: int) -> bool:
    return (
        labels.ndim > 1
        and labels.shape[-1] == width
        and labels.size == count * width
        and bool(np.isin(labels, (0, 1)).all())
        and bool((labels.sum(axis=-1) == 1).all())
    )
