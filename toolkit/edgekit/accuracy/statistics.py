"""What a few hundred samples can prove: intervals, tests and verdicts.

All is paired: both models ran on the same samples, so that what makes a sample hard for both cancels.
"""

import warnings
from collections.abc import Callable, Sequence
from math import ceil, inf, isfinite, sqrt
from typing import Any, Literal

import numpy as np

from edgekit.data.samples import Array
from edgekit_runtimes import RuntimeMissing

Verdict = Literal["pass", "fail", "inconclusive"]
Interval = tuple[float, float]

_CONFIDENCE = 0.95
_Z = 1.959964  # the normal quantile of a two-sided 95% interval
_RESAMPLES = 2000
_CORRECTED = (
    2000  # samples; with more, BCa's correction is nothing, and its cost grows as their square
)
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
            "judging needs SciPy: pip install 'edgekit-toolkit[validate]'"
        ) from error
    return stats


def drop_interval(lost: int, won: int, count: int) -> Interval:
    """The 95% interval of a drop in a share, between two models on the same samples.

    The adjusted Wald interval for paired proportions of Bonett and Price (2012), one sample added
    to each way of changing; it keeps its coverage where few samples change.

    Args:
        lost: samples right before and wrong after.
        won: samples wrong before and right after.
        count: all samples.
    """
    down, up = (lost + 1) / (count + 2), (won + 1) / (count + 2)
    middle = down - up
    margin = _Z * sqrt((down + up - middle**2) / (count + 2))
    return max(middle - margin, -1.0), min(middle + margin, 1.0)


def share_interval(count: int, of: int) -> Interval:
    """The 95% interval of a share: Wilson's score interval (1927)."""
    if not of:
        return 0.0, 1.0
    found = scipy_stats().binomtest(count, of).proportion_ci(_CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def mcnemar(lost: int, won: int) -> float:
    """How likely so uneven a change is by chance: McNemar's test (1947), exact.

    The two-sided binomial test of the samples that changed: were the two models equally good, each
    change would be as likely for better as for worse.
    """
    return float(scipy_stats().binomtest(lost, lost + won).pvalue) if lost + won else 1.0


def bootstrap_interval(
    value: Callable[[Array], float], rows: Array, *, resamples: int = _RESAMPLES
) -> Interval:
    """The 95% interval of a figure that is made of samples' rows: the paired bootstrap.

    Samples are drawn with replacement; for a difference of two models, ``rows`` holds both models'
    columns side by side, so that a sample is drawn for both at once. The ends are Efron's BCa (1987),
    on many samples the percentiles, with Hesterberg's correction for few samples (2015: the level
    widened as Student's t is wider than the normal distribution). Always the same draws.

    Args:
        value: makes the figure of drawn rows.
        rows: (samples, columns).
        resamples: how many draws.
    """
    stats, count = scipy_stats(), len(rows)
    if count < 2:
        return -inf, inf
    level = 1 - 2 * float(
        stats.norm.cdf(sqrt(count / (count - 1)) * stats.t.ppf((1 - _CONFIDENCE) / 2, count - 1))
    )
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # what becomes of draws that are all alike is dealt with below
        found = stats.bootstrap(
            (np.arange(count),),
            lambda drawn: np.clip(value(rows[drawn]), -1e9, 1e9),
            vectorized=False,
            n_resamples=resamples,
            batch=max(1, 1_000_000 // count),
            confidence_level=level,
            method="BCa" if count <= _CORRECTED else "percentile",
            rng=np.random.default_rng(0),
        )
        low, high = found.confidence_interval
        if not (isfinite(low) and isfinite(high)):  # draws all alike, or without one of the classes
            tail = (1 - level) / 2
            drawn = found.bootstrap_distribution
            if np.isnan(drawn).all():
                return -inf, inf
            low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return _unclipped(low), _unclipped(high)


def judge(interval: Interval, limit: float) -> Verdict:
    """Whether a drop stays within a limit: proven, disproven, or neither.

    NaN at an end counts as beyond.
    """
    low, high = interval
    if high <= limit:
        return "pass"
    return "fail" if not low <= limit else "inconclusive"


def needed(count: int, drop: float, interval: Interval, limit: float) -> int | None:
    """How many samples, like those at hand, would decide four times of five; None for too many to hope.

    An interval's width shrinks as the root of the number of samples; it has to clear the limit on
    the side where the drop lies, and the drop itself will be another by chance.
    """
    low, high = interval
    margin = high - drop if drop <= limit else drop - low
    room = abs(limit - drop)
    if not isfinite(margin) or room <= 0:
        return None
    wanted = ceil(count * (margin * (1 + _POWER / _Z) / room) ** 2)
    return None if wanted > _MOST_NEEDED else max(wanted, count + 1)


def needed_pairs(lost: int, won: int, count: int, limit: float) -> int | None:
    """The same of right and wrong answers, whose interval shrinks faster where few of them change."""
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
    """``fails`` before ``not proven`` before ``holds``."""
    return (
        "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
    )


def _unclipped(end: float) -> float:
    return inf if end >= 1e9 else -inf if end <= -1e9 else float(end)
