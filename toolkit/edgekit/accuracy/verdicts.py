"""LimitResult: a metric compared with a limit, the verdict, and the reason in one sentence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isinf, isnan

from edgekit.accuracy import formatting
from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.intervals import (
    Interval,
    Verdict,
    mcnemar,
    samples_needed,
    samples_needed_paired,
    verdict_of,
)
from edgekit.accuracy.limits import Limit

_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class LimitResult:
    """One limit, and whether a file keeps it."""

    limit: Limit
    observed: float
    """The drop, or the value, that is compared with the limit."""
    interval: Interval
    """95%, of the same."""
    verdict: Verdict
    reason: str = ""
    """The sentence for it, unless it passes."""
    p_value: float | None = None
    """McNemar's, of a drop in correct samples: its probability, were both models equally good."""
    needed: int | None = None
    """About how many samples would decide, where these do not."""
    changes: tuple[int, int] | None = None
    """Samples that changed for the worse and for the better, where the interval counts them."""


def check_limit(estimate: Estimate, limit: Limit) -> LimitResult:
    """Compare a metric with a limit on it."""
    check = _check_drop if limit.kind == "drop" else _check_value
    result = check(estimate, replace(limit, metric=estimate.name))
    if isnan(result.observed):
        result = replace(result, verdict="fail")
    if result.verdict != "inconclusive":
        result = replace(result, needed=None)
    if result.verdict == "pass":
        return result
    return replace(result, reason=_reason(estimate, result))


def not_finite() -> LimitResult:
    """Make the result of a file whose outputs are not finite."""
    return LimitResult(
        Limit("min", -inf, "sqnr"),
        -inf,
        (-inf, -inf),
        "fail",
        "the outputs hold NaN or infinite values",
    )


def _check_drop(estimate: Estimate, limit: Limit) -> LimitResult:
    drop, original = estimate.drop, estimate.original
    assert drop is not None and original is not None
    observed = drop / abs(original) if limit.relative and original else drop
    interval = estimate.drop_interval(limit.relative)
    count, changes = len(estimate.after), estimate.changes
    if changes and not limit.relative:
        needed = samples_needed_paired(*changes, count, limit.value)
    else:
        needed = samples_needed(count, observed, interval, limit.value)
    return LimitResult(
        limit,
        observed,
        interval,
        verdict_of(interval, limit.value),
        p_value=mcnemar(*changes) if changes else None,
        needed=needed,
        changes=changes if changes and not limit.relative else None,
    )


def _check_value(estimate: Estimate, limit: Limit) -> LimitResult:
    observed, interval, bound = estimate.value, estimate.value_interval(), limit.value
    value, ends = observed, interval
    if limit.kind == "min":  # at least, as at most of what is negated
        value, ends, bound = -observed, (-interval[1], -interval[0]), -limit.value
    count, changed = len(estimate.after), estimate.changed
    if changed is not None:
        needed = samples_needed_paired(changed, 0, count, 1 - limit.value)
    else:
        needed = samples_needed(count, value, ends, bound)
    return LimitResult(
        limit,
        observed,
        interval,
        verdict_of(ends, bound),
        needed=needed,
        changes=None if changed is None else (changed, 0),
    )


def _reason(estimate: Estimate, result: LimitResult) -> str:
    if result.limit.kind == "drop":
        text = _drop_sentence(estimate, result)
    elif estimate.metric.counts_changes and result.limit.kind == "min":
        text = _changes_sentence(result)
    else:
        text = _value_sentence(estimate, result)
    if result.p_value is not None and result.p_value < _SIGNIFICANT:
        text += (
            f", McNemar p {'< 0.0001' if result.p_value < 0.0001 else f'= {result.p_value:.2g}'}"
        )
    if result.verdict == "inconclusive":
        text += f"; inconclusive with {len(estimate.after):,} samples: "
        if isinf(result.interval[0]) and isinf(result.interval[1]):
            text += "they say nothing of the difference; have more of the rarer classes"
        elif result.needed:
            text += f"about {_round_up(result.needed):,} would decide"
        else:
            text += "too near the limit for any number to decide"
    return text


def _drop_sentence(estimate: Estimate, result: LimitResult) -> str:
    """As ``accuracy 98.8% -> 96.9%: drop 1.9 pt (95% CI 0.4 to 3.4), limit 1 pt``."""
    metric, limit = estimate.metric, result.limit
    original = formatting.value(estimate.original, estimate.name)
    value = formatting.value(estimate.value, estimate.name)
    change = "drop" if metric.higher_is_better else "rise"
    if limit.relative:
        change = f"relative {change}"
        observed = formatting.observed(result.observed, limit)
    else:
        observed = formatting.difference(result.observed, estimate.name)
    interval = _interval(result, lambda end: formatting.observed(end, limit))
    return (
        f"{metric.label} {original} -> {value}: {change} {observed}{interval}, "
        f"limit {formatting.bound(limit)}"
    )


def _changes_sentence(result: LimitResult) -> str:
    """As ``predictions changed: 3.0% (95% CI 1.4% to 5.1%), limit 2%``."""
    low, high = result.interval
    changed = replace(result, interval=(1 - high, 1 - low))
    limit = replace(result.limit, value=1 - result.limit.value)
    return (
        f"predictions changed: {formatting.percent(1 - result.observed)}"
        f"{_interval(changed, formatting.percent)}, limit {formatting.bound(limit)}"
    )


def _value_sentence(estimate: Estimate, result: LimitResult) -> str:
    """As ``SQNR 12.1 dB (95% CI 11.9 dB to 12.3 dB), limit at least 20 dB``."""
    least_or_most = "at least" if result.limit.kind == "min" else "at most"
    interval = _interval(result, lambda end: formatting.value(end, estimate.name))
    return (
        f"{estimate.metric.label} {formatting.value(result.observed, estimate.name)}{interval}, "
        f"limit {least_or_most} {formatting.bound(result.limit)}"
    )


def _interval(result: LimitResult, write: Callable[[float], str]) -> str:
    low, high = result.interval
    known = low < high and not (isinf(low) and isinf(high))
    return f" (95% CI {write(low)} to {write(high)})" if known else ""


def _round_up(count: int) -> int:
    """Round up to two digits: more would pretend to a precision that no estimate has."""
    unit = 10 ** max(len(str(count)) - 2, 0)
    return int(-(-count // unit) * unit)
