"""Outputs of an original and of a file, made up, and what ``compare`` makes of them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from edgekit.accuracy.limits import Limits
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.results import MetricValue, OutputResult, compare
from edgekit.accuracy.task_names import Task, TaskTexts
from edgekit.accuracy.tasks import Labels, class_scores, find_tasks, ground_truth
from edgekit.data.store import ArrayWriter, StoredArrays

Array = npt.NDArray[Any]


def stored(folder: Path, outputs: dict[str, Array]) -> StoredArrays:
    store = ArrayWriter(folder)
    store.add(outputs)
    return store.close()


def compared(
    before: Array | dict[str, Array],
    after: Array | dict[str, Array],
    labels: Labels,
    folder: Path,
    limits: Limits | None = None,
    task: TaskTexts = (),
    **options: Any,
) -> tuple[OutputResult, ...]:
    """What ``compare`` gives for an original's outputs and a file's."""
    both = (x if isinstance(x, dict) else {"y": x} for x in (before, after))
    original, candidate = (
        stored(folder / str(number), outputs) for number, outputs in enumerate(both)
    )
    tasks = find_tasks(original, labels, task)
    return compare(original, candidate, tasks, labels, limits or Limits(), **options)


def classifier(
    lost: int, won: int, both: int, neither: int, classes: int = 4
) -> tuple[Array, Array, Array]:
    """Outputs of an original and a file, and labels: so many samples lost, won, right, wrong."""
    random = np.random.default_rng(0)
    before = np.repeat([True, False, True, False], [lost, won, both, neither])
    after = np.repeat([False, True, True, False], [lost, won, both, neither])
    order = random.permutation(len(before))
    labels = random.integers(0, classes, len(before))

    def outputs(right: Array) -> Array:
        predicted = np.where(right, labels, (labels + 1) % classes)
        return softmax(
            4 * np.eye(classes)[predicted] + random.random((len(predicted), classes)), axis=-1
        )

    return outputs(before[order]), outputs(after[order]), labels


def masks(count: int, noise: float, seed: int) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, (count, 6, 6))
    logits = 3 * np.eye(3)[truth] + random.normal(0, 1, (count, 6, 6, 3))
    return (
        softmax(logits, axis=-1),
        softmax(logits + random.normal(0, noise, logits.shape), axis=-1),
        truth,
    )


def regression(count: int, noise: float, columns: int = 1) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(1)
    labels = random.normal(50, 10, (count, columns))
    before = labels + random.normal(0, 2, labels.shape)
    return before, before + random.normal(0, noise, labels.shape), labels


def measure(
    metric: str, labels: Array | None, before: Array, after: Array, folder: Path
) -> MetricValue:
    """A metric as ``compare`` takes it of an original's outputs and a file's."""
    original, candidate = (
        stored(folder / "original", {"y": before}),
        stored(folder / "file", {"y": after}),
    )
    tasks = find_tasks(original, labels)
    (result,) = compare(original, candidate, tasks, labels, Limits(), metrics=metric)
    value = result.metric(metric)
    assert value is not None
    return value


def worth(metric: str, labels: Array, outputs: Array) -> float:
    """A metric against labels of outputs alone, without its interval, which takes long."""
    entry = find_metric(metric)
    wide = outputs.ndim > 1 and outputs.shape[-1] > 1
    task: Task = "values" if entry.tasks == ("values",) else "classes" if wide else "binary"
    true = ground_truth(labels, outputs, task)
    assert true is not None
    if task == "values":
        return entry.value(entry.per_sample(true, outputs.astype(float).reshape(len(outputs), -1)))
    return entry.value(entry.per_sample(true, class_scores(outputs, task)))


def guesses(classes: int, labels: Array, random: np.random.Generator) -> Array:
    """Probabilities that are right more often than not."""
    return softmax(
        random.normal(size=(*labels.shape, classes)) + 2 * np.eye(classes)[labels], axis=-1
    )
