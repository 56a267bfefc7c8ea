"""Intervals of values of counts, such as F1: all values that the counted samples do not reject.

Samples are counted by kind: label, the original's prediction, the file's. A kind that these samples do not
show has a probability too; of few samples it may be several percent.
"""

from itertools import permutations

import numpy as np

from edgekit.accuracy.intervals import SCORE, Interval
from edgekit.accuracy.resampling import OfWeights
from edgekit.data.samples import Array

MOST_CLASSES = 20
"""Of more, there are too many kinds."""

_STEPS = 25
_CLOSE = 1e-7  # a step that changes the value by less is the last
_NUDGE = 1e-4  # of all samples, for slopes


def kinds_of(truth: Array, *predictions: Array) -> tuple[Array, Array]:
    """Count samples by label and predictions; kinds of which there are none stand behind those seen.

    Of two models those are the kinds of which one model is right and the other wrong, of one model all. Which
    of them would move a value most is found by its slope.

    Args:
        truth: a label of each sample.
        predictions: of one model, or of two.

    Returns:
        The kinds, (kinds, 1 + models), and how many samples there are of each.
    """
    seen, counts = np.unique(np.column_stack([truth, *predictions]), axis=0, return_counts=True)
    classes = np.unique(seen[:, 0]).tolist()
    known = set(map(tuple, seen.tolist()))
    wrong = [*permutations(classes, 2)]
    possible: list[tuple[int, ...]]
    if len(predictions) == 1:
        possible = [*((label, label) for label in classes), *wrong]
    else:
        possible = [(label, label, other) for label, other in wrong]
        possible += [(label, other, label) for label, other in wrong]
    unseen = [kind for kind in possible if kind not in known]
    kinds = np.concatenate([seen, np.array(unseen, seen.dtype).reshape(-1, seen.shape[1])])
    return kinds, np.concatenate([counts, np.zeros(len(unseen))])


def region_interval(values: OfWeights, counts: Array) -> Interval:
    """Compute the 95% interval of a value: its least and its greatest over all likely probabilities.

    Likely are those from which the counts lie no farther, by Pearson's chi-squared, than one degree of
    freedom allows: the projection of Gold's region (R. Z. Gold, Tests auxiliary to chi-squared tests in a
    Markov chain, Annals of Mathematical Statistics 34 (1963), 56-74) on one value, with its one degree of
    freedom. Of a fraction it is Wilson's score interval (1927), which it makes of that the general form.

    Args:
        values: the values of weighted kinds of samples.
        counts: how many samples there are of each kind; of those that were not seen, 0.

    >>> import numpy as np
    >>> fraction = lambda weights: weights[:, 0] / weights.sum(axis=1)
    >>> low, high = region_interval(fraction, np.array([90.0, 10.0]))
    >>> f"{low:.3f} to {high:.3f}"
    '0.826 to 0.945'
    """
    return -_greatest(lambda weights: -values(weights), counts), _greatest(values, counts)


def _greatest(values: OfWeights, counts: Array) -> float:
    """Uphill from what was seen, each time to where the slope here would be greatest."""
    total = counts.sum()
    shares, most = counts / total, 1 + SCORE**2 / total
    here, best = shares, _at(values, shares)
    each = np.eye(len(shares))
    for _ in range(_STEPS):
        slopes = (values(here + _NUDGE * each) - best) / _NUDGE
        aim = _steepest(np.nan_to_num(slopes), shares, most)
        steps = here + np.array([[1.0], [0.5], [0.25], [0.1], [0.03]]) * (aim - here)
        found = np.nan_to_num(values(steps), nan=-np.inf)
        at = int(found.argmax())
        gained = float(found[at]) - best
        if gained > 0:
            here, best = steps[at], float(found[at])
        if gained < _CLOSE:
            break
    return best


def _steepest(slopes: Array, shares: Array, most: float) -> Array:
    """The probabilities p of the greatest sum of slopes * p, with sum of shares^2 / p at most ``most``.

    By Lagrange, p is shares / sqrt(bound - slopes) to a factor, where ``bound`` is above all slopes; a kind
    that was not seen gets what is left, where its slope is the bound.
    """
    seen = shares > 0
    slope, share = slopes[seen], shares[seen]
    unseen = int(np.where(seen, -np.inf, slopes).argmax())
    top = float(slope.max())
    bound = max(top, -np.inf if seen.all() else float(slopes[unseen]))
    width = bound - float(slope.min())
    found = np.zeros(len(shares))
    if width <= 0:
        return shares
    if bound > top:
        root = np.sqrt(bound - slope)
        if (share * root).sum() * (share / root).sum() < most:
            found[seen] = share / root * (share * root).sum() / most
            found[unseen] = 1 - found.sum()
            return found
    low, high = 1e-12 * width, 1e9 * width
    for _ in range(100):
        middle = float(np.sqrt(low * high))
        root = np.sqrt(bound + middle - slope)
        if (share * root).sum() * (share / root).sum() > most:
            low = middle
        else:
            high = middle
    found[seen] = share / np.sqrt(bound + high - slope)
    weights: Array = found / found.sum()
    return weights


def _at(values: OfWeights, shares: Array) -> float:
    return float(values(shares[np.newaxis])[0])
