"""What an output tells: which kind of answer it gives, and what the labels say of it."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from edgekit.rows import Array
from edgekit.storage import Stored

Task = Literal["classes", "binary", "values"]
"""One of several classes, yes or no, or plain numbers."""

Labels = Array | Mapping[str, Array] | None
"""One label for each sample; by output name where outputs have labels of their own."""


def find_tasks(original: Stored, labels: Labels) -> dict[str, Task]:
    """What each output tells, by the original's answers and the labels."""
    first = next(original.batches(64))
    return {name: _find_task(array, labels_of(labels, name)) for name, array in first.items()}


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
        return labels.reshape(len(outputs), -1) if labels.size == outputs.size else None
    width = 1 if task == "binary" else outputs.shape[-1]
    count = outputs.size // width
    if labels.size == count:
        return labels.reshape(len(outputs), -1).astype(np.int64)
    if (
        labels.ndim > 1
        and labels.shape[-1] in (width, 2)
        and labels.size // labels.shape[-1] == count
    ):
        found: Array = np.argmax(labels, axis=-1).reshape(len(outputs), -1)
        return found
    return None


def _find_task(outputs: Array, labels: Array | None) -> Task:
    if outputs.dtype.kind not in "fiu" or not len(outputs):
        return "values"
    width = outputs.shape[-1] if outputs.ndim > 1 else 1
    if width > 1:
        if outputs.min() >= 0 and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3):
            return "classes"
        fits = (
            labels is not None
            and labels.ndim <= outputs.ndim - 1
            and labels[: len(outputs)].size == outputs.size // width
            and np.array_equal(labels, np.rint(labels))
            and labels.min() >= 0
            and labels.max() < width
        )
        return "classes" if fits else "values"
    yes_or_no = labels is not None and labels.size and set(np.unique(labels)) <= {0, 1}
    return "binary" if yes_or_no and outputs.min() >= 0 and outputs.max() <= 1 else "values"
