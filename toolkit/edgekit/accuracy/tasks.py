"""Tasks: whether an output predicts classes or values, and labels in the shape of its predictions."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from edgekit.data.samples import Array, DataError
from edgekit.data.store import StoredArrays

Task = Literal["classes", "binary", "values"]
"""One of several classes, one of two classes by a single probability, or numbers."""

Labels = Array | Mapping[str, Array] | None
"""One label for each sample; by output name where each output has labels."""


def find_tasks(original: StoredArrays, labels: Labels) -> dict[str, Task]:
    """Find the task of each output, from the original's outputs and the labels.

    >>> import numpy as np, pathlib
    >>> from edgekit.data.store import ArrayWriter
    >>> writer = ArrayWriter(pathlib.Path("outputs"))
    >>> writer.add({"digit": np.array([[0.1, 0.9], [0.6, 0.4]]), "pose": np.array([[4.0, 2.0]] * 2)})
    >>> find_tasks(writer.close(), labels=None)
    {'digit': 'classes', 'pose': 'values'}

    Raises:
        DataError: the labels are no numbers.
    """
    first = next(original.batches(64))
    tasks = {
        name: _find_task(array, labels_for_output(labels, name)) for name, array in first.items()
    }
    probabilities = [
        name for name, task in tasks.items() if task != "values" and _are_probabilities(first[name])
    ]
    if probabilities and not isinstance(labels, Mapping):
        # One label a sample belongs to the probabilities; another output of the same width, which could
        # be logits, is an embedding.
        return {name: task if name in probabilities else "values" for name, task in tasks.items()}
    return tasks


def labels_for_output(labels: Labels, output: str) -> Array | None:
    """Choose the labels of one output; None if there are none."""
    return labels.get(output) if isinstance(labels, Mapping) else labels


def class_scores(outputs: Array, task: Task) -> Array:
    """Shape scores as (samples, predictions, classes); a single probability becomes two classes.

    Most classifiers make one prediction a sample, a segmentation makes one a pixel.

    >>> import numpy as np
    >>> class_scores(np.array([[0.75], [0.5]]), "binary").tolist()
    [[[0.25, 0.75]], [[0.5, 0.5]]]
    """
    count = len(outputs)
    if task == "binary":
        yes = outputs.reshape(count, -1, 1)
        return np.concatenate([1 - yes, yes], axis=-1)
    return outputs.reshape(count, -1, outputs.shape[-1])


def predicted_classes(outputs: Array, task: Task) -> Array:
    """Find the class with the highest score, shaped (samples, predictions); the first of equals."""
    if task == "binary":
        return (outputs.reshape(len(outputs), -1) > 0.5).astype(np.int64)
    classes: Array = np.argmax(outputs, axis=-1).reshape(len(outputs), -1)
    return classes


def ground_truth(labels: Array, outputs: Array, task: Task) -> Array | None:
    """Shape labels as (samples, predictions), one-hot labels as classes; None if they do not fit.

    Labels of values are shaped (samples, values).
    """
    if task == "values":
        fits = labels.size == outputs.size
        return labels.reshape(len(outputs), -1).astype(np.float64) if fits else None
    width = 1 if task == "binary" else outputs.shape[-1]
    count = outputs.size // width
    if labels.size == count:
        return labels.reshape(len(outputs), -1).astype(np.int64)
    if _is_one_hot(labels, max(width, 2), count):
        classes: Array = np.argmax(labels, axis=-1).reshape(len(outputs), -1)
        return classes
    return None


def _find_task(outputs: Array, labels: Array | None) -> Task:
    if outputs.dtype.kind not in "fiu" or not len(outputs):
        return "values"
    if labels is not None and labels.dtype.kind not in "fiub":
        raise DataError(
            f"the labels are {labels.dtype}, and they must be numbers: classes as 0, 1, 2, ... in the order "
            "of the model's outputs, or values."
        )
    first = None if labels is None else labels[: len(outputs)]
    width = outputs.shape[-1] if outputs.ndim > 1 else 1
    count = outputs.size // width
    if width > 1:
        if _are_probabilities(outputs):
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


def _are_probabilities(outputs: Array) -> bool:
    """Whether outputs are probabilities of classes, or of one of two."""
    if outputs.dtype.kind != "f" or outputs.min() < 0:
        return False
    if outputs.ndim > 1 and outputs.shape[-1] > 1:
        return bool(np.allclose(outputs.sum(axis=-1), 1, atol=1e-3))
    return bool(outputs.max() <= 1)


def _are_classes(labels: Array | None, width: int, *, several: bool) -> bool:
    """Whether labels are indices of classes; in masks, 255 and -1 are void pixels."""
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
