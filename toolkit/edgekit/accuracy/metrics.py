"""METRICS: how good a model's outputs are, and how far they are from the original's.

A metric keeps a few numbers of each sample, its per-sample statistics, and makes one value of those of all
samples. So it needs one pass over outputs that lie on disk, and the bootstrap draws statistics, not outputs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from edgekit.accuracy import aggregates, classification, comparison, regression
from edgekit.accuracy.tasks import Task
from edgekit.accuracy.units import COEFFICIENT, DECIBEL, NUMBER, PERCENT, Unit
from edgekit.accuracy.user_metric import UserMetric
from edgekit.data.samples import Array, DataError
from edgekit.errors import nearest

Against = Literal["labels", "original"]
Takes = Literal["predictions", "numbers", "raw"]
Statistics = Literal["correct", "outcomes", "other"]
Bound = Literal["max_drop", "max_disagreement", "min_sqnr"]

_MANY_CLASSES = 20  # from which on top-5 accuracy is of interest
_WIDE = 16  # values, from which on a vector without labels is taken for an embedding


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: how it is computed, what it fits, how it is written and what limits it."""

    label: str
    """What tables and messages call it."""

    per_sample: Callable[[Array, Array], Array]
    """Make the per-sample statistics of a batch, of shape (samples, columns); see ``takes``."""

    value: Callable[[Array], float]
    """Make the metric's value of the statistics of all samples."""

    tasks: tuple[Task, ...]
    """The outputs that it fits."""

    against: Against = "labels"
    """Whether it compares a file's outputs with the labels or with the original's outputs."""

    higher_is_better: bool = True

    unit: Unit = PERCENT

    default_bound: Bound = "max_drop"
    """The field of ``Limits`` that limits it where it is a task's main metric."""

    statistics: Statistics = "other"
    """What the per-sample statistics are, where an interval depends on it.

    ``correct``: the number of correct (or unchanged) predictions, and of all. ``outcomes``:
    ``classification.OUTCOME`` where a sample has one prediction.
    """

    has_interval: bool = True
    """Whether it can be estimated from a sample; a maximum cannot."""

    resamples: int = 2000
    """Of the bootstrap."""

    takes: Takes = "predictions"
    """What ``per_sample`` is called with: the truth, or the original's outputs, before the file's.

    ``predictions``: true classes (samples, predictions) and scores (samples, predictions, classes), or
    scores and scores; of values, (samples, values) both. ``numbers``: outputs of any task, flattened to
    (samples, values). ``raw``: labels and outputs as they are, for a function of the user's.
    """

    @property
    def counts_changes(self) -> bool:
        """Whether it counts predictions that are no longer the original's."""
        return self.statistics == "correct" and self.against == "original"


def find_metric(name: str) -> Metric:
    """Find a metric by its name: one of ``METRICS``, ``top3`` and the like, or ``module:function``.

    A user's function takes labels and outputs, as the data and the model have them, all samples at once,
    and returns a number. Higher is better, unless it has an attribute ``lower_is_better`` that is true.

    >>> find_metric("top3").label
    'top-3 accuracy'
    >>> find_metric("rmse").higher_is_better
    False

    Raises:
        DataError: there is no such metric.
    """
    if name in METRICS:
        return METRICS[name]
    if match := re.fullmatch(r"top([1-9]\d*)", name):
        return _top(int(match[1]))
    if ":" in name:
        user = UserMetric(name)
        return Metric(
            name,
            user.per_sample,
            user.value,
            _ANY,
            higher_is_better=user.higher_is_better,
            unit=NUMBER,
            resamples=200,  # nobody knows what a call costs
            takes="raw",
        )
    raise DataError(
        f"there is no metric {name!r}{nearest(name, METRICS)}. There are {', '.join(METRICS)}, top2, "
        "top3 and so on, and module:function for a function of your own."
    )


def task_metrics(task: Task, shape: tuple[int, ...], labelled: bool) -> tuple[str, ...]:
    """Choose the metrics that are reported of an output; the first is limited by default.

    Args:
        task: the output's.
        shape: of a batch of outputs.
        labelled: whether there are labels that fit it.
    """
    if task == "values":
        if labelled:
            return "r2", "rmse", "mae"
        return ("sqnr", "cosine") if len(shape) == 2 and shape[1] >= _WIDE else ("sqnr",)
    if not labelled:
        return "agreement", "kl"
    if len(shape) > 2:
        return "mean_iou", "top1"
    if task == "binary":
        return "top1", "roc_auc", "f1"
    return ("top1", "top5") if shape[-1] >= _MANY_CLASSES else ("top1",)


_ANY: tuple[Task, ...] = ("classes", "binary", "values")
_CLASSES: tuple[Task, ...] = ("classes", "binary")
_VALUES: tuple[Task, ...] = ("values",)


def _top(most: int) -> Metric:
    return Metric(
        f"top-{most} accuracy",
        partial(classification.correct, most=most),
        aggregates.ratio,
        _CLASSES,
        statistics="correct",
    )


def _by_class(label: str, value: Callable[[Array], float]) -> Metric:
    """A metric that counts predictions by class."""
    return Metric(label, classification.outcomes, value, _CLASSES, statistics="outcomes")


def _error(label: str, power: int, value: Callable[[Array], float]) -> Metric:
    """A mean of errors to a power."""
    return Metric(
        label,
        partial(regression.errors, power=power),
        value,
        _VALUES,
        higher_is_better=False,
        unit=NUMBER,
    )


METRICS: dict[str, Metric] = {
    # Against labels. Of two classes, precision, recall and F1 are those of class 1; of more, the mean
    # over the classes that occur ("macro").
    "top1": Metric(
        "accuracy", classification.correct, aggregates.ratio, _CLASSES, statistics="correct"
    ),
    "top5": _top(5),
    "precision": _by_class("precision", classification.precision),
    "recall": _by_class("recall", classification.recall),
    "f1": _by_class("F1", classification.f1),
    "roc_auc": Metric("ROC AUC", classification.truth_and_scores, classification.roc_auc, _CLASSES),
    "mean_iou": _by_class("mean IoU", classification.mean_iou),
    "mse": _error("MSE", 2, aggregates.ratio),
    "mae": _error("MAE", 1, aggregates.ratio),
    "rmse": _error("RMSE", 2, regression.rmse),
    "r2": Metric("R2", regression.moments, regression.r2, _VALUES, unit=COEFFICIENT),
    # Against the original's outputs.
    "agreement": Metric(
        "same predictions",
        comparison.unchanged,
        aggregates.ratio,
        _CLASSES,
        "original",
        default_bound="max_disagreement",
        statistics="correct",
    ),
    "cosine": Metric(
        "cosine similarity",
        comparison.cosine,
        aggregates.mean,
        _ANY,
        "original",
        unit=COEFFICIENT,
        takes="numbers",
    ),
    "sqnr": Metric(
        "SQNR",
        comparison.signal_and_noise,
        comparison.sqnr,
        _ANY,
        "original",
        unit=DECIBEL,
        default_bound="min_sqnr",
        takes="numbers",
    ),
    "kl": Metric(
        "KL divergence",
        comparison.divergence,
        aggregates.mean,
        _CLASSES,
        "original",
        higher_is_better=False,
        unit=NUMBER,
    ),
    "max_error": Metric(
        "max error",
        comparison.largest_error,
        aggregates.largest,
        _ANY,
        "original",
        higher_is_better=False,
        unit=NUMBER,
        has_interval=False,
        takes="numbers",
    ),
}
