"""What other samples will most likely say of a limit: the interval on some, carried over to more or fewer."""

from collections.abc import Iterable
from math import inf, sqrt

from edgekit.accuracy.intervals import drop_interval, verdict_of
from edgekit.accuracy.results import OutputResult
from edgekit.accuracy.verdicts import LimitResult


def safety(results: Iterable[OutputResult], others: int) -> float:
    """How safely a file will be proven to keep its limits on so many other samples.

    The room up to the limit, in half widths of the interval that is expected there: from 1 on the whole
    interval lies within the limit. The least of all limits and outputs; infinite where there are none.

    Args:
        results: of a file, by the samples that it was compared on.
        others: how many samples there will be.
    """
    return min(
        (_safety(r, o.samples, others) for o in results for r in o.limit_results), default=inf
    )


def _safety(result: LimitResult, count: int, others: int) -> float:
    value, high, bound = _at_most(result)
    if result.changes is not None:
        # An interval of counts shrinks faster than by the root where few samples change.
        lost, won = (others / count * changes for changes in result.changes)
        half = drop_interval(lost, won, others)[1] - value
    else:
        half = (high - value) * sqrt(count / others)
    # Samples that prove nothing, or outputs that resemble the original's too little: more do not help.
    doubtful = result.verdict != "pass" and verdict_of((-inf, high), bound) == "pass"
    if half > 0 and not doubtful:
        return (bound - value) / half
    return inf if result.verdict == "pass" else -inf


def _at_most(result: LimitResult) -> tuple[float, float, float]:
    """The value, the upper end of its interval and the bound, of a limit as one that it must not exceed."""
    low, high = result.interval
    bound = result.limit.value
    if result.limit.kind == "min":
        return -result.observed, -low, -bound
    return result.observed, high, bound
