"""Metrics of counts: true positives, false positives and false negatives, each (classes, draws)."""

from collections.abc import Callable

import numpy as np

from edgekit.data.samples import Array

Counts = tuple[Array, Array, Array]
"""True positives, false positives, false negatives."""

OfCounts = Callable[[Counts], Array]


def precision(counts: Counts) -> Array:
    """True positives of all that were predicted."""
    hit, wrong, _ = counts
    return _divided(hit, hit + wrong, counts)


def recall(counts: Counts) -> Array:
    """True positives of all that are true."""
    hit, _, missed = counts
    return _divided(hit, hit + missed, counts)


def f1(counts: Counts) -> Array:
    """The harmonic mean of precision and recall."""
    hit, wrong, missed = counts
    return _divided(2 * hit, 2 * hit + wrong + missed, counts)


def iou(counts: Counts) -> Array:
    """Intersection over union."""
    hit, wrong, missed = counts
    return _divided(hit, hit + wrong + missed, counts)


def of_one_change(metric: OfCounts, counts: Counts) -> tuple[Array, Array]:
    """What a metric of each class loses by one true positive less, and by one false positive more."""
    hit, wrong, missed = counts
    one = np.minimum(hit, 1)
    each = metric(counts)
    lost = np.nan_to_num(each - metric((hit - one, wrong, missed + one)))
    return lost, np.nan_to_num(each - metric((hit, wrong + 1, missed)))


def _divided(part: Array, whole: Array, counts: Counts) -> Array:
    """Part of whole, 0 where there is none; NaN of a class that is neither true nor predicted."""
    each = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    each[sum(counts) <= 0] = np.nan
    return each
