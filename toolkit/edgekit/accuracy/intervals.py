"""Confidence intervals, tests and verdicts on a few hundred samples.

All is paired: both models ran on the same samples, so that what makes a sample hard for both cancels.
"""

from collections.abc import Sequence
from math import ceil, isfinite, sqrt
from typing import Any, Literal

from edgekit_runtimes import RuntimeMissing

Verdict = Literal["pass", "fail", "inconclusive"]
Interval = tuple[float, float]

CONFIDENCE = 0.95
_Z = 1.959964  # the normal quantile of a two-sided 95% interval
_POWER = 0.841621  # the normal quantile of a chance of 80%
_MOST_NEEDED = 1_000_000


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

    The adjusted Wald interval for paired proportions of Bonett and Price (2012), one sample added
    to each way of changing; it keeps its coverage where few samples change.

    Args:
        lost: samples correct before and wrong after.
        won: samples wrong before and correct after.
        count: all samples.

    >>> low, high = drop_interval(lost=20, won=5, count=1000)
    >>> f"{low:.4f} to {high:.4f}"
    '0.0048 to 0.0251'
    """
    down, up = (lost + 1) / (count + 2), (won + 1) / (count + 2)
    middle = down - up
    margin = _Z * sqrt((down + up - middle**2) / (count + 2))
    return max(middle - margin, -1.0), min(middle + margin, 1.0)


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
    estimate = ceil(count * (margin * (1 + _POWER / _Z) / room) ** 2)
    return None if estimate > _MOST_NEEDED else max(estimate, count + 1)


def samples_needed_paired(lost: int, won: int, count: int, limit: float) -> int | None:
    """Estimate the same of ``drop_interval``, which shrinks faster where few samples change."""
    down, up = lost / count, won / count
    drop = down - up
    deviation = sqrt(max(down + up - drop**2, 0.0))

    def decides(n: int) -> bool:
        middle = n * drop / (n + 2)
        spread = (n * (down + up) + 2) / (n + 2) - middle**2
        margin = _Z * sqrt(spread / (n + 2)) + _POWER * deviation / sqrt(n)
        return middle + margin <= limit if drop <= limit else middle - margin > limit

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
