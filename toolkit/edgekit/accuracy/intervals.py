"""Confidence intervals, tests and verdicts on a few hundred samples.

All is paired: both models ran on the same samples, so that what makes a sample hard for both cancels.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, isfinite, sqrt
from typing import Any, Literal

from edgekit_runtimes import RuntimeMissing

Verdict = Literal["pass", "fail", "inconclusive"]
Interval = tuple[float, float]

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2
SCORE = 1.959964
"""The normal quantile of a two-sided 95% interval."""

_POWER = 0.841621  # the normal quantile of a chance of 80%
_MOST_NEEDED = 1_000_000
_EXACT = 1e-10  # of an end


def scipy_stats() -> Any:
    """``scipy.stats``.

    Raises:
        RuntimeMissing: it is not installed.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise RuntimeMissing(
            "evaluating accuracy needs SciPy: pip install 'edgekit-toolkit[validate]'"
        ) from error
    return stats


def drop_interval(lost: float, won: float, count: float) -> Interval:
    """Compute the 95% interval of a drop in the fraction of correct samples, of two models on the same.

    Tango's score interval for paired proportions: T. Tango, Equivalence test and confidence interval for
    the difference in proportions for the paired-sample design, Statistics in Medicine 17 (1998), 891-908.
    An end that the score's skewness would move outwards is moved, as P. J. Laud has it in Equal-tailed
    confidence intervals for comparison of rates, Pharmaceutical Statistics 16 (2017), 334-348: where nearly
    all changes go one way, Tango's own end nearer to zero leaves the truth out in 5 of 100 pairs.

    Where nothing was won, the upper end is at least that of zero events in ``count``, 1 - 0.025^(1 / count);
    of 50 samples and more the score's is farther anyway. The lower end likewise.

    Args:
        lost: samples correct before and wrong after; may be what is expected, which is no whole number.
        won: samples wrong before and correct after.
        count: all samples; likewise.

    >>> low, high = drop_interval(lost=20, won=5, count=1000)
    >>> f"{low:.4f} to {high:.4f}"
    '0.0056 to 0.0263'
    """
    if not count:
        return -1.0, 1.0
    zero = 1 - _TAIL ** (1 / count)
    low, high = -_most(won, lost, count), _most(lost, won, count)
    return low if lost else min(low, -zero), high if won else max(high, zero)


@lru_cache(10_000)  # a search asks for the same few counts again and again
def _most(lost: float, won: float, count: float) -> float:
    """The upper end: the largest drop that the score does not reject; there is one, as it falls."""
    low, high = (lost - won) / count, 1.0
    while high - low > _EXACT:
        middle = (low + high) / 2
        if _rejects(middle, lost, won, count):
            high = middle
        else:
            low = middle
    return high


def _rejects(drop: float, lost: float, won: float, count: float) -> bool:
    """Whether so little was seen to be lost that ``drop`` is too much to be the true one, by the score.

    Tango's score: the distance from the drop seen by its standard deviation, were the true drop ``drop``;
    the most likely fraction won, under it, is the root of a quadratic. Its third moment is Laud's.
    """
    linear = (2 * count - lost + won) * drop - lost - won
    product = 8 * count * won * drop * (1 - drop)
    gained = (sqrt(max(linear**2 + product, 0.0)) - linear) / (4 * count)
    changed = 2 * gained + drop
    variance = (changed - drop**2) / count
    if variance <= 0:
        return drop > (lost - won) / count
    third = (drop - 3 * changed * drop + 2 * drop**3) / count**2
    lean = min(third / (6 * variance * sqrt(variance)), 0.0) * (SCORE**2 - 1)
    return ((lost - won) / count - drop) / sqrt(variance) < lean - SCORE


def fraction_interval(count: int, of: int) -> Interval:
    """Compute the 95% interval of a fraction: Wilson's score interval (1927).

    >>> low, high = fraction_interval(90, of=100)
    >>> f"{low:.3f} to {high:.3f}"
    '0.826 to 0.945'
    """
    if not of:
        return 0.0, 1.0
    interval = scipy_stats().binomtest(count, of).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(lost: int, won: int) -> float:
    """Compute the p-value of a change between two models: McNemar's test (1947), exact.

    The two-sided binomial test of the samples that changed: were the two models equally good, each
    change would be as likely for better as for worse.

    >>> round(mcnemar(lost=9, won=1), 4)
    0.0215
    """
    return float(scipy_stats().binomtest(lost, lost + won).pvalue) if lost + won else 1.0


def verdict_of(interval: Interval, limit: float) -> Verdict:
    """Decide whether a value stays at or below a limit, from its interval.

    NaN at an end counts as beyond.

    >>> verdict_of((0.001, 0.008), 0.01), verdict_of((0.02, 0.03), 0.01), verdict_of((0.0, 0.02), 0.01)
    ('pass', 'fail', 'inconclusive')
    """
    low, high = interval
    if high <= limit:
        return "pass"
    return "fail" if not low <= limit else "inconclusive"


def samples_needed(count: int, drop: float, interval: Interval, limit: float) -> int | None:
    """Estimate how many such samples would decide with a chance of 80%; None for over a million.

    An interval's width shrinks as the root of the number of samples; it has to clear the limit on
    the side where the drop lies, and the drop itself will be another by chance.
    """
    low, high = interval
    margin = high - drop if drop <= limit else drop - low
    room = abs(limit - drop)
    if not isfinite(margin) or room <= 0:
        return None
    estimate = ceil(count * (margin * (1 + _POWER / SCORE) / room) ** 2)
    return None if estimate > _MOST_NEEDED else max(estimate, count + 1)


def samples_needed_paired(lost: int, won: int, count: int, limit: float) -> int | None:
    """Estimate the same of ``drop_interval``, which shrinks faster where few samples change."""
    down, up = lost / count, won / count
    drop = down - up
    deviation = sqrt(max(down + up - drop**2, 0.0))

    def decides(n: int) -> bool:
        low, high = drop_interval(n * down, n * up, n)
        chance = _POWER * deviation / sqrt(n)
        return high + chance <= limit if drop <= limit else low - chance > limit

    most = count
    while not decides(most):
        most *= 2
        if most > _MOST_NEEDED:
            return None
    least = most // 2
    while most - least > 1:
        half = (least + most) // 2
        least, most = (least, half) if decides(half) else (half, most)
    return max(most, count + 1)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Choose the worst: ``fail`` before ``inconclusive`` before ``pass``."""
    return (
        "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
    )
