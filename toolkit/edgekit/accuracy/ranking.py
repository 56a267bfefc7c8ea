"""Areas under the ROC and the precision-recall curve: how well scores rank the positives first.

Statistics are the truth and the scores of a sample side by side; see ``edgekit.accuracy.draws``.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from edgekit.data.samples import Array, DataError

Area = Callable[[Array, Array, Array], Array]


def truth_and_scores(truth: Array, scores: Array) -> Array:
    """The true class and all scores of a sample; of several labels at once, the truth of each.

    Raises:
        DataError: there are several predictions a sample.
    """
    if truth.shape[1] > 1:
        raise DataError(
            "roc_auc is for outputs with one prediction per sample, and so is average_precision."
        )
    return np.column_stack([truth[:, 0], scores[:, 0]])


def roc_areas(statistics: Array, weights: Array) -> Array:
    """Each class against the rest; of two classes, class 1 alone."""
    return _areas(roc_area, _classes(statistics), weights)


def precision_recall_areas(statistics: Array, weights: Array) -> Array:
    """Each class against the rest; of two classes, class 1 alone."""
    return _areas(average_precision, _classes(statistics), weights)


def roc_areas_of_labels(statistics: Array, weights: Array) -> Array:
    """Each label by itself."""
    return _areas(roc_area, _labels(statistics), weights)


def precision_recall_areas_of_labels(statistics: Array, weights: Array) -> Array:
    """Each label by itself."""
    return _areas(average_precision, _labels(statistics), weights)


def rarest(statistics: Array) -> float:
    """How many samples are of a class or are not, whichever are fewer; the sum over classes."""
    return _fewer(positive for positive, _ in _classes(statistics))


def rarest_of_labels(statistics: Array) -> float:
    """The same of labels."""
    return _fewer(positive for positive, _ in _labels(statistics))


def roc_area(positive: Array, scores: Array, weights: Array) -> Array:
    """Mann and Whitney's U: the fraction of pairs in which the positive has the higher score.

    Equal scores count half.
    """
    order = np.argsort(scores, kind="stable")
    yes, no = _by_level(positive, scores, weights, order)
    below = np.cumsum(no, axis=1) - no / 2
    pairs = yes.sum(axis=1) * no.sum(axis=1)
    return _divided((yes * below).sum(axis=1), pairs)


def average_precision(positive: Array, scores: Array, weights: Array) -> Array:
    """The precision at each positive's score, the mean over positives; equal scores are one step.

    The sum over steps of precision times the gain in recall, not interpolated.
    """
    order = np.argsort(-scores, kind="stable")
    yes, no = _by_level(positive, scores, weights, order)
    hits = np.cumsum(yes, axis=1)
    precision = _divided(hits, hits + np.cumsum(no, axis=1))
    return _divided(np.nansum(yes * precision, axis=1), yes.sum(axis=1))


def _classes(statistics: Array) -> Iterator[tuple[Array, Array]]:
    truth, columns = statistics[:, 0], statistics[:, 1:].T
    if len(columns) == 2:
        yield truth == 1, columns[1]
        return
    yield from ((truth == c, column) for c, column in enumerate(columns))


def _labels(statistics: Array) -> Iterator[tuple[Array, Array]]:
    truth, columns = np.split(statistics.T, 2)
    yield from zip(truth == 1, columns, strict=True)


def _fewer(classes: Iterable[Array]) -> float:
    return float(sum(min(positive.sum(), (~positive).sum()) for positive in classes))


def _areas(area: Area, classes: Iterator[tuple[Array, Array]], weights: Array) -> Array:
    areas = [
        np.full(len(weights), np.nan) if np.isnan(scores).any() else area(positive, scores, weights)
        for positive, scores in classes
    ]
    return np.array(areas)


def _by_level(positive: Array, scores: Array, weights: Array, order: Array) -> tuple[Array, Array]:
    """Weigh positives and negatives at each level of the scores: (draws, levels) both."""
    ranked = scores[order]
    first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    taken, is_yes = weights[:, order], positive[order]
    yes = np.add.reduceat(taken * is_yes, first, axis=1)
    return yes, np.add.reduceat(taken, first, axis=1) - yes


def _divided(part: Array, whole: Array) -> Array:
    """Part of whole; NaN where there is no whole."""
    quotient: Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return quotient
