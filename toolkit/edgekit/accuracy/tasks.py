"""Tasks: what an output predicts, and labels in the shape of its predictions."""

from collections.abc import Mapping

import numpy as np

from edgekit.accuracy.task_guess import are_probabilities, guess_task, is_one_hot, leaves_0_to_1
from edgekit.accuracy.task_names import Task as Task
from edgekit.accuracy.task_names import TaskTexts, read_tasks
from edgekit.data.samples import Array, DataError
from edgekit.data.store import StoredArrays

Labels = Array | Mapping[str, Array] | None
"""One label for each sample; by output name where each output has labels."""

_GUESSED_FROM = 256  # samples
_LOGITS: dict[Task, Task] = {"binary": "binary_logits", "multilabel": "multilabel_logits"}
SEVERAL_LABELS: tuple[Task, ...] = ("multilabel", "multilabel_logits")
"""Tasks of which a prediction is several classes at once, or none."""


def find_tasks(original: StoredArrays, labels: Labels, given: TaskTexts = ()) -> dict[str, Task]:
    """Find the task of each output, from the original's outputs and the labels.

    >>> import numpy as np, pathlib
    >>> from edgekit.data.store import ArrayWriter
    >>> writer = ArrayWriter(pathlib.Path("outputs"))
    >>> writer.add({"digit": np.array([[0.1, 0.9], [0.6, 0.4]]), "pose": np.array([[4.0, 2.0]] * 2)})
    >>> outputs = writer.close()
    >>> find_tasks(outputs, labels=None)
    {'digit': 'classes', 'pose': 'values'}
    >>> find_tasks(outputs, labels=None, given="pose=multilabel")["pose"]
    'multilabel_logits'

    Args:
        original: the original's outputs.
        labels: where there are any.
        given: tasks as the user named them, where a guess would be wrong: ``"multilabel"`` for every
            output, or ``"tags=multilabel"`` for one.

    Raises:
        DataError: the labels are no numbers; or a given task is none, does not fit its output, or is of
            an output that there is not.
    """
    first = next(original.batches(_GUESSED_FROM))
    tasks = {
        name: guess_task(array, labels_for_output(labels, name)) for name, array in first.items()
    }
    certain = [name for name, task in tasks.items() if _is_certain(task, first[name])]
    if certain and not isinstance(labels, Mapping):
        # One label a sample belongs to the probabilities; another output of the same width, which could
        # be logits, is an embedding.
        tasks = {name: task if name in certain else "values" for name, task in tasks.items()}
    chosen = read_tasks(given, tasks)
    return {
        name: _checked(chosen.get(name, task), name, first[name]) for name, task in tasks.items()
    }


def labels_for_output(labels: Labels, output: str) -> Array | None:
    """Choose the labels of one output; None if there are none."""
    return labels.get(output) if isinstance(labels, Mapping) else labels


def class_scores(outputs: Array, task: Task) -> Array:
    """Shape scores as (samples, predictions, classes); a single score becomes two classes.

    Most classifiers make one prediction a sample, a segmentation makes one a pixel. Of several labels at
    once, a score above 0 is a yes: probabilities become logits. Class indices have no scores: they stay
    indices, shaped (samples, predictions).

    >>> import numpy as np
    >>> class_scores(np.array([[0.75], [0.5]]), "binary").tolist()
    [[[0.25, 0.75]], [[0.5, 0.5]]]
    """
    count = len(outputs)
    if task == "binary":
        yes = outputs.reshape(count, -1, 1)
        return np.concatenate([1 - yes, yes], axis=-1)
    if task == "binary_logits":
        yes = outputs.reshape(count, -1, 1)
        return np.concatenate([np.zeros_like(yes), yes], axis=-1)
    if task == "index":
        return _indices(outputs)
    scores = outputs.reshape(count, -1, outputs.shape[-1])
    return _logits(scores) if task == "multilabel" else scores


def predicted_classes(outputs: Array, task: Task) -> Array:
    """Find the class with the highest score, shaped (samples, predictions); the first of equals.

    Of several labels at once, 1 or 0 for each label.
    """
    if task == "index":
        return _indices(outputs)
    if task in ("binary", "multilabel"):
        return (outputs.reshape(len(outputs), -1) > 0.5).astype(np.int64)
    if task in ("binary_logits", "multilabel_logits"):
        return (outputs.reshape(len(outputs), -1) > 0).astype(np.int64)
    classes: Array = np.argmax(outputs, axis=-1).reshape(len(outputs), -1)
    return classes


def ground_truth(labels: Array, outputs: Array, task: Task) -> Array | None:
    """Shape labels as (samples, predictions), one-hot labels as classes; None if they do not fit.

    Labels of values are shaped (samples, values), several at once (samples, predictions, labels). Those of
    detections stay as they are: (samples, boxes, 5).
    """
    count = len(outputs)
    if task == "detection":
        return labels.astype(np.float64) if labels.shape[2:] == (5,) else None
    if task == "values":
        fits = labels.size == outputs.size
        return labels.reshape(count, -1).astype(np.float64) if fits else None
    if task in SEVERAL_LABELS:
        fits = labels.size == outputs.size and bool(np.isin(labels, (0, 1)).all())
        return labels.reshape(count, -1, outputs.shape[-1]).astype(np.int64) if fits else None
    width = outputs.shape[-1] if task in ("classes", "sequence") else 1
    predictions = outputs.size // width
    if labels.size == predictions:
        return labels.reshape(count, -1).astype(np.int64)
    if task != "index" and is_one_hot(labels, max(width, 2), predictions):
        classes: Array = np.argmax(labels, axis=-1).reshape(count, -1)
        return classes
    return None


def _is_certain(task: Task, outputs: Array) -> bool:
    """Whether outputs show by themselves that they predict classes; of logits only the labels say so."""
    if task in ("index", "multilabel", "detection"):
        return True
    return task != "values" and are_probabilities(outputs)


def _checked(task: Task, name: str, outputs: Array) -> Task:
    """The task, of logits where a given one is of probabilities.

    Raises:
        DataError: it does not fit the output.
    """
    width = outputs.shape[-1] if outputs.ndim > 1 else 1
    needed = {
        "classes": (width > 1, "a score for each class in its last axis"),
        "sequence": (outputs.ndim > 2 and width > 1, "(samples, steps, classes)"),
        "binary": (width == 1, "one score a prediction"),
        "binary_logits": (width == 1, "one score a prediction"),
        "multilabel": (width > 1, "a score for each label in its last axis"),
        "multilabel_logits": (width > 1, "a score for each label in its last axis"),
        "index": (bool(np.array_equal(outputs, np.rint(outputs))), "whole numbers"),
        "detection": (outputs.ndim == 3 and width == 6, "(samples, boxes, 6)"),
        "values": (True, ""),
    }
    fits, wanted = needed[task]
    if not fits:
        raise DataError(
            f"task {task} needs {wanted}, and the output {name!r} is {outputs.dtype} of shape "
            f"{outputs.shape[1:]} a sample."
        )
    return _LOGITS.get(task, task) if leaves_0_to_1(outputs) else task


def _indices(outputs: Array) -> Array:
    """Class indices as integers; what is not finite is no class."""
    whole = np.where(np.isfinite(outputs), outputs, -1)
    return np.rint(whole).astype(np.int64).reshape(len(outputs), -1)


def _logits(probabilities: Array) -> Array:
    """The logarithms of the odds: the same order, and above 0 where a probability is above a half."""
    inside = np.clip(probabilities.astype(np.float64), 0, 1)
    with np.errstate(divide="ignore"):
        logits: Array = np.log(inside) - np.log1p(-inside)
    return logits
