"""How often the 95% intervals of a drop hold the true one: over simulated pairs of models.

Each pair is judged by ``compare``, as any file is. What is true is taken from a
million samples of the same kind.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.accuracy.limits import Limits
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.results import compare
from edgekit.accuracy.tasks import Task, class_scores, find_tasks, ground_truth
from edgekit.data.store import ArrayWriter

pytestmark = pytest.mark.benchmark

Array = npt.NDArray[Any]
Tell = Callable[[str], None]
Draw = Callable[[np.random.Generator, int], tuple[Array, Array, Array]]
"""So many samples: labels, the original's outputs, and the file's."""

_PART, _PARTS = 50_000, 20


def answers(lost: float, won: float, classes: int = 10) -> Draw:
    """A classifier that is right on 90%, and a file that loses and wins such shares."""

    def draw(random: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
        kind = random.choice(4, count, p=[lost, won, 0.9 - lost, 0.1 - won])
        labels = random.integers(0, classes, count)
        before, after = np.isin(kind, (0, 2)), np.isin(kind, (1, 2))
        said = [np.where(right, labels, (labels + 1) % classes) for right in (before, after)]
        return labels, *(0.9 * np.eye(classes)[s] + 0.1 / classes for s in said)

    return draw


def yes_or_no(rate: float, shift: float) -> Draw:
    """Scores of which so many are of class 1; the file's stray, and are less sure of a yes."""

    def draw(random: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
        labels = (random.random(count) < rate).astype(np.int64)
        logits = 1.5 * (2 * labels - 1) + random.normal(0, 1, count)
        strayed = logits + random.normal(0, 0.4, count) - shift * labels
        return labels, *(1 / (1 + np.exp(-x))[:, np.newaxis] for x in (logits, strayed))

    return draw


def values(heavy: bool) -> Draw:
    """A regression; its errors normal, or with a heavy tail."""

    def draw(random: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
        labels = random.normal(50, 10, (count, 1))
        errors = random.standard_t(4, labels.shape) if heavy else random.normal(0, 1, labels.shape)
        before = labels + 3 * errors
        return labels, before, before + random.normal(0.5, 1.5, labels.shape)

    return draw


def masks(random: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Masks of two classes, 16 pixels each, some harder than others."""
    labels = (random.random((count, 4, 4)) < random.beta(2, 4, (count, 1, 1))).astype(np.int64)
    hard = random.gamma(2, 0.5, (count, 1, 1))
    logits = 1.5 * (2 * labels - 1) + hard * random.normal(0, 1, labels.shape)
    strayed = logits + random.normal(0, 0.7, labels.shape) - 0.2
    both = (1 / (1 + np.exp(-x)) for x in (logits, strayed))
    return labels, *(np.stack([1 - x, x], axis=-1) for x in both)


CASES: list[tuple[tuple[str, ...], str, Draw, int, int]] = [
    # metrics, data, draw, samples, pairs
    *(
        (("top1",), f"{lost:.1%} lost, {won:.1%} won", answers(lost, won), count, 1000)
        for lost, won, count in (
            (0.002, 0.0, 1000), (0.01, 0.0, 400),
            (0.02, 0.01, 100), (0.02, 0.01, 1000), (0.05, 0.03, 400),
        )
    ),
    (("f1", "roc_auc"), "half are yes", yes_or_no(0.5, 0.3), 100, 200),
    (("f1", "roc_auc"), "one in ten is yes", yes_or_no(0.1, 0.3), 200, 200),
    (("r2", "rmse"), "normal errors", values(False), 60, 200),
    (("r2", "rmse"), "heavy-tailed errors", values(True), 200, 200),
    (("mean_iou",), "masks of 16 pixels", masks, 40, 200),
]  # fmt: skip


def task_of(metric: str) -> Task:
    if metric in ("rmse", "r2"):
        return "values"
    return "binary" if metric in ("f1", "roc_auc") else "classes"


def worth(metric: str, labels: Array, outputs: Array) -> float:
    found, task = find_metric(metric), task_of(metric)
    true = ground_truth(labels, outputs, task)
    assert true is not None
    given = outputs if task == "values" else class_scores(outputs, task)
    return found.value(found.per_sample(true, given))


def true_drop(metric: str, draw: Draw) -> float:
    """Of very many samples, a part at a time: sure to a hundredth of an interval's width."""
    random, parts = np.random.default_rng(1), []
    for _ in range(_PARTS):
        labels, before, after = draw(random, _PART)
        lost = worth(metric, labels, before) - worth(metric, labels, after)
        parts.append(lost if find_metric(metric).higher_is_better else -lost)
    return float(np.mean(parts))


def covered(
    metrics: tuple[str, ...], draw: Draw, count: int, pairs: int, folder: Path
) -> dict[str, tuple[float, float]]:
    """How often each metric's interval holds the true drop, and how wide it is."""
    drops = {metric: true_drop(metric, draw) for metric in metrics}
    hits: dict[str, list[bool]] = {metric: [] for metric in metrics}
    widths: dict[str, list[float]] = {metric: [] for metric in metrics}
    random = np.random.default_rng(2)
    for _ in range(pairs):
        labels, before, after = draw(random, count)
        stored = []
        for name, outputs in (("original", before), ("file", after)):
            store = ArrayWriter(folder / name)
            store.add({"y": outputs})
            stored.append(store.close())
        tasks = find_tasks(stored[0], labels)
        (score,) = compare(*stored, tasks, labels, Limits(), metrics=metrics)
        for metric, drop in drops.items():
            measure = score.metric(metric)
            assert measure is not None and measure.interval is not None
            low, high = measure.interval
            hits[metric].append(low <= drop <= high)
            widths[metric].append(high - low)
        for name in ("original", "file"):
            shutil.rmtree(folder / name)
    return {m: (float(np.mean(hits[m])), float(np.median(widths[m]))) for m in metrics}


@pytest.mark.timeout(1800)
def test_intervals_hold_the_true_drop_in_95_of_100_pairs(tmp_path: Path, tell: Tell) -> None:
    tell(f"{'metric':9} {'samples':>7} {'pairs':>6} {'covered':>8}  {'width':>7}  data")
    found = {}
    for metrics, data, draw, count, pairs in CASES:
        for metric, (share, width) in covered(metrics, draw, count, pairs, tmp_path).items():
            outside = "" if share <= 0.97 else ": conservative"
            outside = outside if share >= 0.93 else ": too few"
            tell(f"{metric:9} {count:7} {pairs:6} {share:8.1%}  {width:7.3f}  {data}{outside}")
            found[metric, data, count] = share, pairs
    for case, (share, pairs) in found.items():
        # Three standard errors of so many pairs: 2 points of 1,000, 4 of 250.
        assert share >= 0.95 - 3 * (0.95 * 0.05 / pairs) ** 0.5, case
