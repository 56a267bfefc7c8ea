"""Per-sample statistics of classifiers and segmentations, and the metrics made of them.

Truth is shaped (samples, predictions), scores (samples, predictions, classes): most classifiers make one
prediction a sample, a segmentation makes one a pixel.
"""

from math import nan

import numpy as np

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


def precision(outcomes: Array) -> float:
    """True positives of all that were predicted."""
    hit, wrong, missed = _counts(outcomes)
    return _over_classes(hit, hit + wrong, hit + wrong + missed)


def recall(outcomes: Array) -> float:
    """True positives of all that are true."""
    hit, wrong, missed = _counts(outcomes)
    return _over_classes(hit, hit + missed, hit + wrong + missed)


def f1(outcomes: Array) -> float:
    """The harmonic mean of precision and recall."""
    hit, wrong, missed = _counts(outcomes)
    return _over_classes(2 * hit, 2 * hit + wrong + missed, hit + wrong + missed)


def mean_iou(outcomes: Array) -> float:
    """Intersection over union: the mean over the classes that occur or are predicted."""
    hit, wrong, missed = _counts(outcomes)
    union = hit + wrong + missed
    return float((hit[union > 0] / union[union > 0]).mean()) if union.any() else nan


def _counts(outcomes: Array) -> tuple[Array, Array, Array]:
    """True positives, false positives and false negatives by class, of all samples."""
    if outcomes.shape[1] != len(OUTCOME):
        hit, wrong, missed = outcomes.sum(axis=0).reshape(3, -1)
        return hit, wrong, missed
    truth = outcomes[:, 0].astype(np.int64)
    predicted = outcomes[:, 1].astype(np.int64)
    width = int(outcomes[0, 2])
    known = truth[(truth >= 0) & (truth < width)]  # a label that is no class is no class's miss
    hit = np.bincount(predicted[truth == predicted], minlength=width)
    wrong = np.bincount(predicted, minlength=width) - hit
    return hit, wrong, np.bincount(known, minlength=width) - hit


def _over_classes(part: Array, whole: Array, seen: Array) -> float:
    """Part of whole, of class 1 where there are two, else the mean over the classes seen."""
    each = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    if len(each) == 2:
        return float(each[1])
    return float(each[seen > 0].mean()) if seen.any() else nan


def truth_and_scores(truth: Array, scores: Array) -> Array:
    """The true class and all scores of a sample.

    Raises:
        DataError: there are several predictions a sample.
    """
    if truth.shape[1] > 1:
        raise DataError("roc_auc is for outputs with one prediction per sample.")
    return np.column_stack([truth[:, 0], scores[:, 0]])


def roc_auc(truth_and_scores: Array) -> float:
    """The area under the ROC curve; of several classes, the mean of each that occurs against the rest."""
    truth, columns = truth_and_scores[:, 0], truth_and_scores[:, 1:].T
    if len(columns) == 2:
        return _area(truth == 1, columns[1])
    areas = np.array([_area(truth == c, column) for c, column in enumerate(columns)])
    known = areas[~np.isnan(areas)]
    return float(known.mean()) if known.size else nan


def _area(positive: Array, scores: Array) -> float:
    """Mann and Whitney's U: the fraction of pairs in which the positive has the higher score.

    Equal scores count half.
    """
    levels, level = np.unique(scores, return_inverse=True)
    yes = np.bincount(level[positive], minlength=len(levels))
    no = np.bincount(level[~positive], minlength=len(levels))
    pairs = int(yes.sum()) * int(no.sum())
    return float((yes * (np.cumsum(no) - no / 2)).sum() / pairs) if pairs else nan
