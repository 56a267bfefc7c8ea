"""What a few hundred samples can prove about a drop."""

from math import sqrt
from typing import Literal

Verdict = Literal["holds", "fails", "not proven"]

_Z95 = 1.959964  # the normal quantile of a two-sided 95% interval


def drop_interval(lost: int, won: int, count: int) -> tuple[float, float]:
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
    margin = _Z95 * sqrt((down + up - middle**2) / (count + 2))
    return max(middle - margin, -1.0), min(middle + margin, 1.0)


def judge(lost: int, won: int, count: int, limit: float) -> Verdict:
    """Whether a drop stays within a limit: proven, disproven, or neither."""
    low, high = drop_interval(lost, won, count)
    if high <= limit:
        return "holds"
    return "fails" if low > limit else "not proven"
