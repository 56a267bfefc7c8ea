"""Per-sample statistics of several labels at once, and the metrics made of them.

Truth (0 or 1) and scores (above 0 for yes) are shaped (samples, predictions, labels).
"""

import numpy as np

from edgekit.accuracy.counts import OfCounts, of_one_change
from edgekit.data.samples import Array


def outcomes(truth: Array, scores: Array) -> Array:
    """Count true positives, false positives and false negatives of each label."""
    is_label, is_predicted = truth == 1, scores > 0
    parts = [is_label & is_predicted, ~is_label & is_predicted, is_label & ~is_predicted]
    return np.concatenate([part.sum(axis=1) for part in parts], axis=1).astype(np.float64)


def by_label(metric: OfCounts, outcomes: Array, weights: Array) -> Array:
    """A metric of counts, of each label."""
    hit, wrong, missed = np.split((weights @ outcomes).T, 3)
    return metric((hit, wrong, missed))


def one_change(metric: OfCounts, outcomes: Array) -> float:
    """The mean square of what one label more or less does to the mean over labels."""
    hit, wrong, missed = np.split(outcomes.sum(axis=0)[:, np.newaxis], 3)
    lost, gained = of_one_change(metric, (hit, wrong, missed))
    positive = (hit + missed) / max(len(outcomes), 1)
    squares = positive * lost**2 + (1 - np.minimum(positive, 1)) * gained**2
    return float(squares.mean()) / len(hit) ** 2


def rarest(outcomes: Array) -> float:
    """How many samples have a label or have it not, whichever are fewer; the sum over labels."""
    hit, _, missed = np.split(outcomes.sum(axis=0), 3)
    positive = hit + missed
    return float(np.minimum(positive, np.abs(len(outcomes) - positive)).sum())


def exact(truth: Array, scores: Array) -> Array:
    """Whether all labels of a sample are right."""
    right = ((truth == 1) == (scores > 0)) & ~np.isnan(scores)
    return np.column_stack([right.all(axis=(1, 2)), np.ones(len(right))])


def unchanged(original: Array, scores: Array) -> Array:
    """Count labels that are predicted as by the original, and all labels."""
    same = ((original > 0) == (scores > 0)) & ~np.isnan(scores)
    return np.column_stack([same.sum(axis=(1, 2)), np.full(len(same), same[0].size)])
