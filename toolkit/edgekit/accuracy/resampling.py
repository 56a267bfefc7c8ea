"""Confidence intervals of values that have no formula for theirs: by leaving samples out, or by drawing them.

A value is given as a function of weights, (draws, samples), to values, (draws,); see ``edgekit.accuracy.draws``.
"""

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf, isfinite, isnan, sqrt

import numpy as np

from edgekit.accuracy.intervals import CONFIDENCE, Interval, scipy_stats
from edgekit.data.samples import Array

OfWeights = Callable[[Array], Array]

_MOST_GROUPS = 500  # of samples that are left out together, where there are more samples
_DRAWS = 2000
_ROUNDING = 1e-9
_FEW = 5  # samples of the rarer kind
_SHOWN_BY_FEW = 1.65  # times the skewness that samples show, where few are of the rarer kind
FEWEST = 8
"""Of fewer samples of the rarer kind nothing is known."""


def jackknife_interval(
    values: OfWeights, count: int, *, least: float = 0.0, rarest: float = inf
) -> Interval:
    """Compute the 95% interval of a value from what it becomes without each sample.

    The jackknife's variance (Tukey 1958), with Student's t for as many degrees of freedom as the
    samples' parts in it allow (Satterthwaite 1946): where a few samples make all of the variance, it is
    known badly. The interval leans to where the parts do, by Hall's transformation (1992, *On the removal
    of skewness by transformation*, J. R. Stat. Soc. B 54).

    Args:
        values: the values of weighted samples.
        count: how many samples.
        least: the least variance there can be, whatever these samples show.
        rarest: how many samples there are of the rarer kind, where the value is of classes. Of few the
            interval is wider, and it leans more than the samples do, as simulation has it (``make bench``):
            else the truth lies beyond the worse end in 6 of 100 cases. Under 8 it has no ends.

    >>> import numpy as np
    >>> samples = np.arange(50.0)
    >>> low, high = jackknife_interval(lambda weights: weights @ samples / weights.sum(axis=1), 50)
    >>> f"{low:.1f} to {high:.1f}"
    '20.4 to 28.6'
    """
    if count < 2:
        return -inf, inf
    whole = float(values(np.ones((1, count)))[0])
    if not isfinite(whole):
        return (-inf, inf) if isnan(whole) else (whole, whole)
    groups = min(count, _MOST_GROUPS)
    parts = (groups - 1) * (whole - _in_pieces(values, _all_but_one(count, groups)))
    parts = np.where(np.isfinite(parts), parts, 0.0)
    parts -= parts.mean()
    if np.abs(parts).max() <= _ROUNDING * abs(whole):
        parts[:] = 0.0
    seen = float((parts**2).sum()) / (groups * (groups - 1))
    error = sqrt(max(seen, least))
    if error == 0:
        return whole, whole
    if rarest < FEWEST:
        return -inf, inf
    lean = _skewness(parts) * (sqrt(seen) / error) ** 3 / sqrt(groups)
    if isfinite(rarest):
        lean *= _SHOWN_BY_FEW
    t = _students_t(parts)
    error *= 1 + (_FEW / rarest) ** 2
    return whole - _leaning(t, lean) * error, whole - _leaning(-t, lean) * error


def bootstrap_interval(values: OfWeights, count: int, *, draws: int = _DRAWS) -> Interval:
    """Compute the 95% interval of a value from those of random draws: the bootstrap's percentiles.

    With Hesterberg's correction for few samples (2015): the level widened as Student's t is wider than
    the normal distribution. Always the same draws.

    Args:
        values: the values of weighted samples.
        count: how many samples.
        draws: how many draws.
    """
    if count < 2:
        return -inf, inf
    stats = scipy_stats()
    tail = float(
        stats.norm.cdf(sqrt(count / (count - 1)) * stats.t.ppf((1 - CONFIDENCE) / 2, count - 1))
    )
    drawn = _in_pieces(values, _draws(count, draws))
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return -inf, inf
    low, high = np.quantile(np.clip(drawn, -1e9, 1e9), [tail, 1 - tail])
    return _unclipped(float(low)), _unclipped(float(high))


def one_by_one(value: Callable[[Array], float], statistics: Array) -> OfWeights:
    """Make values of weights of a function that takes the statistics of drawn samples."""
    numbers = np.arange(len(statistics))

    def values(weights: Array) -> Array:
        drawn = (np.repeat(numbers, row.astype(np.int64)) for row in weights)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.array([value(statistics[indices]) for indices in drawn])

    return values


def _all_but_one(count: int, groups: int) -> Iterator[Array]:
    """Weights of all samples but one group: (1, samples) each; groups are random, always the same."""
    group = np.arange(count) % groups
    if groups < count:
        group = np.random.default_rng(0).permutation(group)
    for number in range(groups):
        yield (group != number).astype(np.float64)


def _draws(count: int, draws: int) -> Iterator[Array]:
    """Weights of random draws with replacement."""
    random = np.random.default_rng(0)
    for _ in range(draws):
        drawn = random.integers(0, count, count)
        yield np.bincount(drawn, minlength=count).astype(np.float64)


def _in_pieces(values: OfWeights, rows: Iterator[Array]) -> Array:
    """The values of all rows of weights, so many at once that memory is bounded."""
    found = []
    while piece := list(islice(rows, 64)):
        found.append(values(np.stack(piece)))
    return np.concatenate(found)


def _students_t(parts: Array) -> float:
    """Student's t for the degrees of freedom of a sum of squares, from how much these differ."""
    squares, groups = parts**2, len(parts)
    total, freedom = float(squares.sum()), groups - 1.0
    if total > 0 and (spread := float((squares**2).sum()) / total**2 - 1 / groups) > 0:
        freedom = min(max(2 / spread, 1.0), groups - 1.0)
    return float(scipy_stats().t.ppf((1 + CONFIDENCE) / 2, freedom))


def _skewness(parts: Array) -> float:
    variance = float((parts**2).mean())
    return float((parts**3).mean()) / variance**1.5 if variance > 0 else 0.0


def _leaning(t: float, lean: float) -> float:
    """Hall's cubic transformation, inverted: the end in standard errors, where ``lean`` is skewness / root n."""
    if abs(lean) < _ROUNDING:
        return t
    return 3 / lean * (float(np.cbrt(1 + lean * (t - lean / 6))) - 1)


def _unclipped(end: float) -> float:
    return inf if end >= 1e9 else -inf if end <= -1e9 else end
