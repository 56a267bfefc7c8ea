"""Pairs of models, simulated: labels, the original's outputs and a file's, of as many samples as wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.task_names import Task
from edgekit.accuracy.tasks import class_scores, ground_truth

Array = npt.NDArray[Any]
Random = np.random.Generator
Draw = Callable[[Random, int], tuple[Array | None, Array, Array]]
"""So many samples: labels where there are any, the original's outputs, and the file's."""

_PART, _PARTS = 20_000, 10
_IMAGES = 2_000  # of boxes, which take longer


def correct(lost: float, won: float, classes: int = 10) -> Draw:
    """A classifier that is right on 90%, and a file that loses and wins such fractions."""

    def draw(random: Random, count: int) -> tuple[Array, Array, Array]:
        kind = random.choice(4, count, p=[lost, won, 0.9 - lost, 0.1 - won])
        labels = random.integers(0, classes, count)
        before, after = np.isin(kind, (0, 2)), np.isin(kind, (1, 2))
        said = [np.where(right, labels, (labels + 1) % classes) for right in (before, after)]
        return labels, *(0.9 * np.eye(classes)[s] + 0.1 / classes for s in said)

    return draw


def yes_or_no(rate: float, shift: float = 0.3, noise: float = 0.4) -> Draw:
    """Probabilities of which so many are of class 1; the file's stray, and are less sure of a yes."""

    def draw(random: Random, count: int) -> tuple[Array, Array, Array]:
        labels = (random.random(count) < rate).astype(np.int64)
        logits = 1.5 * (2 * labels - 1) + random.normal(0, 1, count)
        strayed = logits + random.normal(0, noise, count) - shift * labels
        return labels, expit(logits)[:, np.newaxis], expit(strayed)[:, np.newaxis]

    return draw


def classes(rates: list[float], noise: float = 0.7) -> Draw:
    """A classifier of classes that occur at such rates."""

    def draw(random: Random, count: int) -> tuple[Array, Array, Array]:
        labels = random.choice(len(rates), count, p=rates)
        logits = 2.5 * np.eye(len(rates))[labels] + random.normal(0, 1, (count, len(rates)))
        strayed = logits + random.normal(0, noise, logits.shape)
        return labels, softmax(logits, axis=1), softmax(strayed, axis=1)

    return draw


def labels(rates: list[float], noise: float = 0.5) -> Draw:
    """Several labels at once, each at its rate."""

    def draw(random: Random, count: int) -> tuple[Array, Array, Array]:
        truth = (random.random((count, len(rates))) < rates).astype(np.int64)
        logits = 1.5 * (2 * truth - 1) + random.normal(0, 1, truth.shape)
        strayed = logits + random.normal(0, noise, truth.shape) - 0.2 * truth
        return truth, expit(logits), expit(strayed)

    return draw


def values(heavy: bool) -> Draw:
    """A regression; its errors normal, or with a heavy tail."""

    def draw(random: Random, count: int) -> tuple[Array, Array, Array]:
        truth = random.normal(50, 10, (count, 1))
        errors = random.standard_t(4, truth.shape) if heavy else random.normal(0, 1, truth.shape)
        before = truth + 3 * errors
        return truth, before, before + random.normal(0.5, 1.5, truth.shape)

    return draw


def embeddings(random: Random, count: int) -> tuple[None, Array, Array]:
    """Vectors of different lengths, and noise that is larger in some than in others."""
    before = random.normal(size=(count, 16)) * random.gamma(4, 0.25, (count, 1))
    noise = 0.1 * random.gamma(2, 0.5, (count, 1)) * random.normal(size=before.shape)
    return None, before, before + noise


def masks(random: Random, count: int) -> tuple[Array, Array, Array]:
    """Masks of two classes, 16 pixels each, some harder than others."""
    truth = (random.random((count, 4, 4)) < random.beta(2, 4, (count, 1, 1))).astype(np.int64)
    hard = random.gamma(2, 0.5, (count, 1, 1))
    logits = 1.5 * (2 * truth - 1) + hard * random.normal(0, 1, truth.shape)
    strayed = logits + random.normal(0, 0.7, truth.shape) - 0.2
    both = (expit(x) for x in (logits, strayed))
    return truth, *(np.stack([1 - x, x], axis=-1) for x in both)


def boxes(random: Random, count: int) -> tuple[Array, Array, Array]:
    """One to four boxes of three classes an image; a detector that finds most, and some that are none."""
    room = 8
    true = np.full((count, 4, 5), -1.0)
    number = random.integers(1, 5, (count, 1))
    low = random.uniform(0, 0.7, (count, 4, 2))
    true[..., :2], true[..., 2:4] = low, low + random.uniform(0.1, 0.3, (count, 4, 2))
    true[..., 4] = np.where(np.arange(4) < number, random.integers(0, 3, (count, 4)), -1)
    is_true = np.concatenate([true[..., 4] >= 0, np.zeros((count, 4), bool)], axis=1)
    outputs = np.zeros((count, room, 6))
    outputs[:, :4, :4] = true[..., :4] + random.normal(0, 0.02, (count, 4, 4))
    false = random.uniform(0, 0.7, (count, 4, 2))
    outputs[:, 4:, :4] = np.concatenate([false, false + 0.2], axis=2)
    outputs[:, :4, 5] = np.maximum(true[..., 4], 0)
    outputs[:, 4:, 5] = random.integers(0, 3, (count, 4))
    logits = np.where(is_true, 1.5, -1.5) + random.normal(0, 1, (count, room))
    outputs[..., 4] = expit(logits)
    strayed = outputs.copy()
    strayed[..., :4] += random.normal(0, 0.01, (count, room, 4))
    strayed[..., 4] = expit(logits + random.normal(0, 0.4, logits.shape))
    return true, outputs, strayed


def estimate(metric: str, task: Task, pair: tuple[Array | None, Array, Array]) -> Estimate:
    """A metric of a pair of models, as a report has it."""
    truth, *both = pair
    entry = find_metric(metric, task)
    if entry.against == "original":
        before, after = (_given(outputs, task) for outputs in both)
        return Estimate(metric, entry, None, entry.per_sample(before, after))
    assert truth is not None
    true = ground_truth(truth, both[0], task)
    assert true is not None
    before, after = (entry.per_sample(true, _given(outputs, task)) for outputs in both)
    return Estimate(metric, entry, before, after)


def interval(given: Estimate) -> tuple[float, float]:
    """The 95% interval of the drop; of the value where there is no drop."""
    return given.value_interval() if given.before is None else given.drop_interval()


def truth_of(metric: str, task: Task, draw: Draw) -> float:
    """The drop, or the value, on very many samples."""
    random, parts = np.random.default_rng(1), []
    for _ in range(_PARTS):
        found = estimate(metric, task, draw(random, _IMAGES if task == "detection" else _PART))
        parts.append(found.value if found.drop is None else found.drop)
    return float(np.mean(parts))


@dataclass(frozen=True)
class Coverage:
    """How often intervals hold the truth, and how wide they are."""

    held: float
    worse: float
    """How often the file is truly worse than the interval says: a pass would be too easy."""
    better: float
    """How often it is truly better: a fail would be."""
    width: float


def covered(metric: str, task: Task, draw: Draw, count: int, pairs: int, truth: float) -> Coverage:
    """Simulate so many pairs of models, on so many samples each."""
    random = np.random.default_rng(2)
    ends = np.array([interval(estimate(metric, task, draw(random, count))) for _ in range(pairs)])
    beyond = [float((truth > ends[:, 1]).mean()), float((truth < ends[:, 0]).mean())]
    entry = find_metric(metric, task)
    if entry.against == "original" and entry.higher_is_better:  # the value, not a drop
        beyond.reverse()
    held = 1 - sum(beyond)
    return Coverage(held, *beyond, float(np.median(ends[:, 1] - ends[:, 0])))


def _given(outputs: Array, task: Task) -> Array:
    if task == "values":
        return outputs.reshape(len(outputs), -1).astype(np.float64)
    return outputs if task == "detection" else class_scores(outputs.astype(np.float64), task)
