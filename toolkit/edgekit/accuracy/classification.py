"""Per-sample statistics of classifiers and segmentations, and the metrics made of them.

Truth is shaped (samples, predictions), scores (samples, predictions, classes): most classifiers make one
prediction a sample, a segmentation makes one a pixel.
"""

import numpy as np

from edgekit.accuracy.counts import OfCounts, of_one_change
from edgekit.data.samples import Array, DataError

OUTCOME = ("true class", "predicted class", "number of classes")
"""The statistics of a sample with one prediction, for metrics that count predictions by class."""


def correct(truth: Array, scores: Array, most: int = 1) -> Array:
    """Count predictions with the true class among the ``most`` highest scores, and all predictions.

    Of equal scores the first class is the higher, as argmax has it: int8 outputs are often equal.
    """
    width = scores.shape[-1]
    known = (truth >= 0) & (truth < width)
    true_score = np.take_along_axis(scores, np.clip(truth, 0, width - 1)[..., np.newaxis], axis=-1)
    before = np.arange(width) < truth[..., np.newaxis]
    rank = ((scores > true_score) | ((scores == true_score) & before)).sum(axis=-1)
    right = known & (rank < most) & ~np.isnan(true_score[..., 0])
    # A mask's void pixels (255, -1) do not count; a classifier's label out of range is an error.
    counted = known if truth.shape[1] > 1 else np.ones_like(known)
    return np.stack([right.sum(axis=1), counted.sum(axis=1)], axis=1)


def outcomes(truth: Array, scores: Array) -> Array:
    """Count true positives, false positives and false negatives of each class.

    Of a sample with one prediction, ``OUTCOME`` says the same in three numbers.
    """
    width = scores.shape[-1]
    predicted = scores.argmax(axis=-1)
    if truth.shape[1] == 1:
        return np.column_stack([truth, predicted, np.full(len(truth), width)])
    counted = ((truth >= 0) & (truth < width))[..., np.newaxis]
    classes = np.arange(width)
    is_class = (truth[..., np.newaxis] == classes) & counted
    is_predicted = (predicted[..., np.newaxis] == classes) & counted
    parts = [is_class & is_predicted, ~is_class & is_predicted, is_class & ~is_predicted]
    return np.concatenate([part.sum(axis=1) for part in parts], axis=1)


def by_class(metric: OfCounts, outcomes: Array, weights: Array, *, both: bool = False) -> Array:
    """A metric of counts, of each class; of two classes, of class 1 alone unless ``both``."""
    counts = tuple(weights @ part for part in _counts(outcomes))
    each = metric((counts[0].T, counts[1].T, counts[2].T))
    if len(each) != 2 or both:
        return each
    return np.nan_to_num(each[1:], nan=0.0)  # without a yes, true or predicted, F1 is 0


def one_change(metric: OfCounts, outcomes: Array, *, both: bool = False) -> float:
    """The mean square of what one prediction more or less right does to the mean over classes."""
    hit, wrong, missed = (part.sum(axis=0)[:, np.newaxis] for part in _counts(outcomes))
    lost, gained = of_one_change(metric, (hit, wrong, missed))
    share = (hit + missed) / max((hit + missed).sum(), 1)
    if len(hit) == 2 and not both:  # the metric is that of class 1
        return float((share[1] * lost[1] ** 2 + share[0] * gained[1] ** 2)[0])
    seen = max(int((hit + wrong + missed > 0).sum()), 1)
    return float((share * (np.abs(lost) + np.abs(gained).mean()) ** 2).sum()) / seen**2


def rarest(outcomes: Array) -> float:
    """How many predictions have the rarer of two classes; of several, how many there are."""
    hit, _, missed = (part.sum(axis=0) for part in _counts(outcomes))
    return float((hit + missed).min() if len(hit) == 2 else (hit + missed).sum())


def correct_indices(truth: Array, indices: Array) -> Array:
    """Count indices that are the true class, and all indices; of several, 255 and -1 do not count."""
    known = (truth >= 0) & (truth != 255) if truth.shape[1] > 1 else np.ones_like(truth, bool)
    right = (truth == indices) & known
    return np.stack([right.sum(axis=1), known.sum(axis=1)], axis=1)


def distances(truth: Array, indices: Array) -> Array:
    """Sum the distances between the index and the true class, and count them: classes have an order."""
    apart = np.abs(truth - indices)
    return np.stack([apart.sum(axis=1), np.full(len(apart), apart.shape[1])], axis=1)


def index_outcomes(truth: Array, indices: Array) -> Array:
    """The outcome of one index; there are as many classes as occur.

    Raises:
        DataError: there are several predictions a sample.
    """
    if truth.shape[1] > 1:
        raise DataError(
            "precision, recall and f1 of class indices are for one prediction a sample."
        )
    return np.column_stack([truth, indices, np.zeros(len(truth))])


def all_correct(truth: Array, scores: Array) -> Array:
    """Whether all predictions of a sample are right."""
    return _all(correct(truth, scores))


def all_correct_indices(truth: Array, indices: Array) -> Array:
    """Whether all indices of a sample are the true classes."""
    return _all(correct_indices(truth, indices))


def _all(correct: Array) -> Array:
    return np.column_stack([correct[:, 0] == correct[:, 1], np.ones(len(correct))])


def _counts(outcomes: Array) -> tuple[Array, Array, Array]:
    """True positives, false positives and false negatives: (samples, classes) each."""
    if outcomes.shape[1] != len(OUTCOME):
        hit, wrong, missed = np.split(outcomes, 3, axis=1)
        return hit, wrong, missed
    truth, predicted = outcomes[:, :2].astype(np.int64).T
    width = int(outcomes[0, 2]) or int(max(truth.max(), predicted.max())) + 1
    classes = np.arange(width)  # a label that is no class is no class's miss
    is_class, is_predicted = (numbers[:, np.newaxis] == classes for numbers in (truth, predicted))
    parts = (is_class & is_predicted, ~is_class & is_predicted, is_class & ~is_predicted)
    hit, wrong, missed = (part.astype(np.float64) for part in parts)
    return hit, wrong, missed
