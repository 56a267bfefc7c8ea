"""The task of an output, guessed from the original's outputs and the labels."""

import numpy as np

from edgekit.accuracy.task_names import Task
from edgekit.data.samples import Array, DataError

_WRONG_EVERY_TIME = 0.25  # the squared error of always saying one half, where labels are 0 and 1


def guess_task(outputs: Array, labels: Array | None) -> Task:
    """Guess what an output predicts.

    Args:
        outputs: of some samples, (samples, ...).
        labels: of at least as many samples.

    Raises:
        DataError: the labels are no numbers.
    """
    if outputs.dtype.kind not in "fiu" or not len(outputs):
        return "values"
    if labels is not None and labels.dtype.kind not in "fiub":
        raise DataError(
            f"the labels are {labels.dtype}, and they must be numbers: classes as 0, 1, 2, ... in the order "
            "of the model's outputs, or values."
        )
    if _are_indices(outputs, labels):
        return "index"
    width = outputs.shape[-1] if outputs.ndim > 1 else 1
    if width > 1:
        return _guess_of_several(outputs, labels, width)
    return _guess_of_one(outputs, labels)


def are_probabilities(outputs: Array) -> bool:
    """Whether outputs are probabilities of classes, or of one of two."""
    if outputs.dtype.kind != "f" or outputs.min() < 0:
        return False
    if outputs.ndim > 1 and outputs.shape[-1] > 1:
        return bool(np.allclose(outputs.sum(axis=-1), 1, atol=1e-3))
    return bool(outputs.max() <= 1)


def is_one_hot(labels: Array, width: int, count: int) -> bool:
    """Whether labels are so many classes, each as a vector of zeros with one 1."""
    return (
        labels.ndim > 1
        and labels.shape[-1] == width
        and labels.size == count * width
        and bool(np.isin(labels, (0, 1)).all())
        and bool((labels.sum(axis=-1) == 1).all())
    )


def leaves_0_to_1(outputs: Array) -> bool:
    """Whether outputs cannot all be probabilities."""
    return bool(outputs.size and (outputs.min() < 0 or outputs.max() > 1))


def _guess_of_several(outputs: Array, labels: Array | None, width: int) -> Task:
    """Guess the task of an output with several values in its last axis."""
    several: Task = "sequence" if outputs.ndim == 3 else "classes"
    if are_probabilities(outputs):
        return several
    if labels is None:
        return "values"
    first = labels[: len(outputs)]
    count = outputs.size // width
    if first.size == count and _are_classes(labels, width, several=outputs.ndim > 2):
        return several
    if is_one_hot(labels, width, labels.size // width):
        return several if first.size == outputs.size else "values"
    if first.shape != outputs.shape or not np.isin(labels, (0, 1)).all():
        return "values"
    if not leaves_0_to_1(outputs):
        return "multilabel"
    return "values" if _estimates(outputs, first) else "multilabel_logits"


def _guess_of_one(outputs: Array, labels: Array | None) -> Task:
    """Guess the task of an output with one value a prediction."""
    if labels is None:
        return "values"
    first = labels[: len(outputs)]
    count = outputs.size
    if is_one_hot(first, 2, count):
        first = first.argmax(axis=-1)
    elif first.size != count or not _are_classes(labels, 2, several=outputs.ndim > 2):
        return "values"
    if not leaves_0_to_1(outputs):
        return "binary"
    return "values" if _estimates(outputs, first) else "binary_logits"


def _estimates(outputs: Array, labels: Array) -> bool:
    """Whether outputs come near labels of 0 and 1, as a regression on them does, and logits do not."""
    outputs, labels = outputs.reshape(-1), labels.reshape(-1)
    known = np.isin(labels, (0, 1))
    error = outputs[known].astype(np.float64) - labels[known]
    return bool(error.size and np.mean(error**2) < _WRONG_EVERY_TIME)


def _are_classes(labels: Array, width: int, *, several: bool) -> bool:
    """Whether labels are indices of classes; in masks, 255 and -1 are void pixels."""
    if several:
        labels = labels[(labels != 255) & (labels != -1)]
    if not labels.size or labels.min() < 0 or labels.max() >= width:
        return False
    return bool(np.array_equal(labels, np.rint(labels)))


def _are_indices(outputs: Array, labels: Array | None) -> bool:
    """Whether outputs are numbers of classes: what ArgMax gives, and not an image or scores as integers."""
    fits = whole_labels = False
    if labels is not None:
        first = labels[: len(outputs)]
        fits = first.size == outputs.size
        whole_labels = fits and bool(np.array_equal(first, np.rint(first)))
    if outputs.dtype.kind in "iu":
        is_wide = outputs.ndim > 1 and outputs.shape[-1] > 1 and outputs.dtype.itemsize < 4
        return bool(outputs.min() >= 0) and (whole_labels if fits else not is_wide)
    # As float32 it takes whole labels of the same shape, and more values than 0 and 1.
    return whole_labels and bool(
        np.isfinite(outputs).all()
        and outputs.min() >= 0
        and outputs.max() > 1
        and np.array_equal(outputs, np.rint(outputs))
    )
