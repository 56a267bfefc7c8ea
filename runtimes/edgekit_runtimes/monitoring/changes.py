"""Whether two sets of samples are of the same distribution: bounds on what chance alone does.

All hold for any distribution and for any two sizes, however small, as long as the samples are drawn
independently: no assumption of normal values, and no approximation for many samples. They are bounds on a
probability, by its logarithm.

- The Kolmogorov distance D of n and N samples is at least d with probability at most e exp(-2 d2 nN/(n+N))
  (Wei and Dudley, "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities", 2012: proven for n = N, and found by
  computer, with 2 for e, for all others of 4 to 200).
- Of N of n+N samples, the number in one half of a cut is hypergeometric, and so far from its mean with
  probability at most exp(-N KL(share, share of all)) (Hoeffding, 1963); a cut between two samples of the
  reference is such a half, whatever the distribution. It finds a few samples far outside, which D does not.
"""

from math import log

import numpy as np

from edgekit_runtimes.base import Array

_GROUPS = 16  # of classes, whose subsets are all considered


def chance_of_counts(reference: Array, seen: Array) -> Array:
    """By statistic, the logarithm of the probability that counts differ as much by chance, or a bound of it.

    Args:
        reference: counts of each bin, statistics first.
        seen: the same; of any number of windows: the axes before the statistics.
    """
    if reference.size <= len(reference):  # no statistics: of a class by its number
        return np.zeros(seen.shape[:-1])
    n, m = reference.sum(-1)[..., np.newaxis], seen.sum(-1)[..., np.newaxis]
    a = seen.cumsum(-1)[..., :-1] / np.maximum(m, 1)
    b = reference.cumsum(-1)[..., :-1] / np.maximum(n, 1)
    distance = np.abs(a - b).max(-1)
    both = (n * m / np.maximum(n + m, 1))[..., 0]
    by_distance = 1 - 2 * distance**2 * both
    by_cut = log(2 * a.shape[-1]) - _evidence(a, b, m, n).max(-1)
    chance = log(2) + np.minimum(by_distance, by_cut)
    result: Array = np.minimum(0.0, np.where(both > 0, chance, 0.0))
    return result


def chance_of_classes(reference: Array, seen: Array) -> float:
    """The same of how often classes were predicted: any one of them, or any set of them."""
    n, m = int(reference.sum()), int(seen.sum())
    if not n or not m or len(reference) < 2:
        return 0.0
    a, b = seen / m, reference / n
    one = log(2 * len(a)) - float(_evidence(a, b, m, n).max())
    if len(a) > _GROUPS:
        starts = np.linspace(0, len(a), _GROUPS, endpoint=False).astype(int)
        a, b = np.add.reduceat(a, starts), np.add.reduceat(b, starts)
    more = a > b
    together = np.array([a[more].sum()]), np.array([b[more].sum()])
    some = len(a) * log(2) - float(_evidence(*together, m, n).max())
    return min(0.0, log(2) + min(one, some))


def _evidence(a: Array, b: Array, m: Array | int, n: Array | int) -> Array:
    """Against equal shares ``a`` of m and ``b`` of n: the larger of both samples' divergence from all."""
    p = np.clip((m * a + n * b) / np.maximum(m + n, 1), 1e-12, 1 - 1e-12)
    result: Array = np.maximum(m * _divergence(a, p), n * _divergence(b, p))
    return result


def _divergence(a: Array, p: Array) -> Array:
    """Of a coin that falls as often as ``a`` from one that does as often as ``p``."""
    a = np.clip(a, 1e-300, 1)
    rest = np.clip(1 - a, 1e-300, 1)
    result: Array = a * np.log(a / p) + rest * np.log(rest / (1 - p))
    return result
