"""METRICS: how good a model's outputs are, and how far they are from the original's.

A metric keeps a few numbers of each sample, its per-sample statistics, and makes one value of those of all
samples. So it needs one pass over outputs that lie on disk, and intervals weigh statistics, not outputs.
"""

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from edgekit.accuracy import (
    aggregates,
    classification,
    comparison,
    counts,
    detection,
    multilabel,
    ranking,
    regression,
)
from edgekit.accuracy.draws import of_means
from edgekit.accuracy.metric import Metric, PerSample, mean_over_classes, metric_of_draws
from edgekit.accuracy.task_names import Task
from edgekit.accuracy.units import COEFFICIENT, DECIBEL, NUMBER
from edgekit.accuracy.user_metric import UserMetric
from edgekit.data.samples import Array, DataError
from edgekit.errors import nearest


def find_metric(name: str, task: Task | None = None) -> Metric:
    """Find a metric by its name: one of ``METRICS``, ``top3`` and the like, or ``module:function``.

    A user's function takes labels and outputs, as the data and the model have them, all samples at once,
    and returns a number. Higher is better, unless it has an attribute ``lower_is_better`` that is true.

    >>> find_metric("top3").label
    'top-3 accuracy'
    >>> find_metric("rmse").higher_is_better
    False

    Args:
        name: of the metric.
        task: of the output; of several labels at once and of class indices, metrics of the same name are
            computed otherwise.

    Raises:
        DataError: there is no such metric.
    """
    special = _OF_TASK.get(task, {}) if task else {}
    if name in special:
        return special[name]
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
            takes="raw",
        )
    raise DataError(
        f"there is no metric {name!r}{nearest(name, METRICS)}. There are {', '.join(METRICS)}, top2, "
        "top3 and so on, and module:function for a function of your own."
    )


_SCORED: tuple[Task, ...] = ("classes", "sequence", "binary", "binary_logits")
_LABELS: tuple[Task, ...] = ("multilabel", "multilabel_logits")
_VALUES: tuple[Task, ...] = ("values",)
_BOXES: tuple[Task, ...] = ("detection",)
_NUMBERS: tuple[Task, ...] = (*_SCORED, *_LABELS, "values")
_ANY: tuple[Task, ...] = (*_NUMBERS, "index", "detection")


def _top(most: int) -> Metric:
    return metric_of_draws(
        f"top-{most} accuracy",
        partial(classification.correct, most=most),
        of_means(aggregates.ratio),
        _SCORED,
        statistics="correct",
        one_change=aggregates.one_of_all,
    )


def _right(label: str, per_sample: PerSample, tasks: tuple[Task, ...]) -> Metric:
    """The fraction of predictions that are right."""
    return metric_of_draws(
        label,
        per_sample,
        of_means(aggregates.ratio),
        tasks,
        statistics="correct",
        one_change=aggregates.one_of_all,
    )


def _same(label: str, per_sample: PerSample, tasks: tuple[Task, ...]) -> Metric:
    """The fraction of predictions that are the original's."""
    return metric_of_draws(
        label,
        per_sample,
        of_means(aggregates.ratio),
        tasks,
        "original",
        default_bound="max_disagreement",
        statistics="correct",
        one_change=aggregates.one_of_all,
    )


def _counted(label: str, of_counts: counts.OfCounts, *, both: bool = False) -> Metric:
    """A metric that counts predictions by class."""
    by_class = partial(classification.by_class, of_counts, both=both)
    one_change = partial(classification.one_change, of_counts, both=both)
    return mean_over_classes(
        label,
        classification.outcomes,
        by_class,
        _SCORED,
        one_change=one_change,
        rarest=classification.rarest,
    )


def _of_indices(label: str, of_counts: counts.OfCounts) -> Metric:
    """The same of class indices."""
    by_class = partial(classification.by_class, of_counts, both=True)
    one_change = partial(classification.one_change, of_counts, both=True)
    return mean_over_classes(
        label,
        classification.index_outcomes,
        by_class,
        ("index",),
        one_change=one_change,
        rarest=classification.rarest,
    )


def _of_labels(label: str, of_counts: counts.OfCounts) -> Metric:
    """The same of several labels at once."""
    by_class = partial(multilabel.by_label, of_counts)
    one_change = partial(multilabel.one_change, of_counts)
    return mean_over_classes(
        label,
        multilabel.outcomes,
        by_class,
        _LABELS,
        one_change=one_change,
        rarest=multilabel.rarest,
    )


def _error(label: str, power: int, of_means_: Callable[[Array], Array]) -> Metric:
    """A mean of errors to a power."""
    return metric_of_draws(
        label,
        partial(regression.errors, power=power),
        of_means(of_means_),
        _VALUES,
        higher_is_better=False,
        unit=NUMBER,
    )


METRICS: dict[str, Metric] = {
    # Against labels. Of two classes, precision, recall, F1, ROC AUC and average precision are those of
    # class 1; of more, the mean over the classes that occur ("macro").
    "top1": _right("accuracy", classification.correct, _SCORED),
    "top5": _top(5),
    "exact": _right("all right", classification.all_correct, _SCORED),
    "precision": _counted("precision", counts.precision),
    "recall": _counted("recall", counts.recall),
    "f1": _counted("F1", counts.f1),
    "roc_auc": mean_over_classes(
        "ROC AUC", ranking.truth_and_scores, ranking.roc_areas, _SCORED, rarest=ranking.rarest
    ),
    "average_precision": mean_over_classes(
        "average precision",
        ranking.truth_and_scores,
        ranking.precision_recall_areas,
        _SCORED,
        rarest=ranking.rarest,
    ),
    "mean_iou": _counted("mean IoU", counts.iou, both=True),
    "mse": _error("MSE", 2, aggregates.ratio),
    "mae": _error("MAE", 1, aggregates.ratio),
    "rmse": _error("RMSE", 2, regression.rmse),
    "r2": metric_of_draws(
        "R2", regression.moments, of_means(regression.r2), _VALUES, unit=COEFFICIENT
    ),
    "map": mean_over_classes("mAP", detection.matches, detection.map_by_class, _BOXES),
    "map50": mean_over_classes(
        "mAP at IoU 0.5", detection.matches, detection.map50_by_class, _BOXES
    ),
    # Against the original's outputs.
    "agreement": _same("same predictions", comparison.unchanged, _SCORED),
    "same_boxes": _same("same boxes", detection.same_boxes, _BOXES),
    "cosine": metric_of_draws(
        "cosine similarity",
        comparison.cosine,
        of_means(aggregates.mean),
        _NUMBERS,
        "original",
        unit=COEFFICIENT,
        takes="numbers",
    ),
    "sqnr": metric_of_draws(
        "SQNR",
        comparison.signal_and_noise,
        of_means(comparison.sqnr),
        _ANY,
        "original",
        unit=DECIBEL,
        default_bound="min_sqnr",
        takes="numbers",
    ),
    "kl": metric_of_draws(
        "KL divergence",
        comparison.divergence,
        of_means(aggregates.mean),
        _SCORED,
        "original",
        higher_is_better=False,
        unit=NUMBER,
    ),
    "max_error": Metric(
        "max error",
        comparison.largest_error,
        lambda errors: float(np.max(errors, initial=0)),
        _ANY,
        "original",
        higher_is_better=False,
        unit=NUMBER,
        has_interval=False,
        takes="numbers",
    ),
}

_OF_LABELS: dict[str, Metric] = {
    "exact": _right("all labels right", multilabel.exact, _LABELS),
    "precision": _of_labels("precision", counts.precision),
    "recall": _of_labels("recall", counts.recall),
    "f1": _of_labels("F1", counts.f1),
    "mean_iou": _of_labels("mean IoU", counts.iou),
    "roc_auc": mean_over_classes(
        "ROC AUC",
        ranking.truth_and_scores,
        ranking.roc_areas_of_labels,
        _LABELS,
        rarest=ranking.rarest_of_labels,
    ),
    "average_precision": mean_over_classes(
        "average precision",
        ranking.truth_and_scores,
        ranking.precision_recall_areas_of_labels,
        _LABELS,
        rarest=ranking.rarest_of_labels,
    ),
    "agreement": _same("same labels", multilabel.unchanged, _LABELS),
}
_OF_INDICES: dict[str, Metric] = {
    "top1": _right("accuracy", classification.correct_indices, ("index",)),
    "exact": _right("all right", classification.all_correct_indices, ("index",)),
    "precision": _of_indices("precision", counts.precision),
    "recall": _of_indices("recall", counts.recall),
    "f1": _of_indices("F1", counts.f1),
    "mae": metric_of_draws(
        "MAE",
        classification.distances,
        of_means(aggregates.ratio),
        ("index",),
        higher_is_better=False,
        unit=NUMBER,
    ),
    "agreement": _same("same predictions", comparison.unchanged_indices, ("index",)),
}
_OF_TASK: dict[Task, dict[str, Metric]] = {
    "multilabel": _OF_LABELS,
    "multilabel_logits": _OF_LABELS,
    "index": _OF_INDICES,
}
"""Metrics that some tasks compute in their own way."""
