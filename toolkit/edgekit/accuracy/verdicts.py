"""A figure against a limit: the verdict, and the reason in words."""

from dataclasses import dataclass, replace
from math import inf, isnan

from edgekit.accuracy import formatting
from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.limits import Limit
from edgekit.accuracy.statistics import Interval, Verdict, judge, mcnemar, needed, needed_pairs


@dataclass(frozen=True, slots=True)
class LimitResult:
    """One limit, and whether it holds."""

    limit: Limit
    observed: float
    """The drop, or the value, that is held against the limit."""
    interval: Interval
    """95%, of the same."""
    verdict: Verdict
    reason: str = ""
    """In words, where it does not hold."""
    p_value: float | None = None
    """McNemar's, of a drop in right answers: the chance of it, were both models equally good."""
    needed: int | None = None
    """About how many samples would tell, where these do not."""


def hold(figure: Estimate, limit: Limit) -> LimitResult:
    """Holds a figure against a limit on it."""
    if limit.kind == "drop":
        drop, original = figure.drop, figure.original
        assert drop is not None and original is not None
        observed = drop / abs(original) if limit.relative and original else drop
        interval = figure.drop_interval(limit.relative)
        verdict = judge(interval, limit.value)
        changes = figure.changes
        if changes and not limit.relative:
            missing = needed_pairs(*changes, len(figure.after), limit.value)
        else:
            missing = needed(len(figure.after), observed, interval, limit.value)
    else:
        changes = None
        observed, interval = figure.value, figure.value_interval()
        sign = -1 if limit.kind == "min" else 1
        turned = (-interval[1], -interval[0]) if limit.kind == "min" else interval
        verdict = judge(turned, sign * limit.value)
        missing = needed(len(figure.after), sign * observed, turned, sign * limit.value)
        if limit.metric == "agreement" and figure.is_right(figure.after):
            changed = len(figure.after) - int(figure.after[:, 0].sum())
            missing = needed_pairs(changed, 0, len(figure.after), 1 - limit.value)
    if isnan(observed):
        verdict, missing = "fail", None
    p_value = mcnemar(*changes) if changes else None
    named = replace(limit, metric=figure.name)
    found = LimitResult(
        named,
        observed,
        interval,
        verdict,
        p_value=p_value,
        needed=missing if verdict == "inconclusive" else None,
    )
    return found if verdict == "pass" else replace(found, reason=_words(figure, found))


def _words(figure: Estimate, found: LimitResult) -> str:
    """Why a limit does not hold, with the figures."""
    limit, name, metric = found.limit, figure.name, figure.metric
    low, high = found.interval

    def value(number: float | None) -> str:
        return formatting.figure(number, name)

    def loss(number: float) -> str:
        return formatting.held(number, limit)

    sampled = ", 95% interval {} to {}, limit {}" if low < high else ", limit {2}"
    if limit.kind == "drop":
        unit = "of the original's" if limit.relative else "points" if metric.share else ""
        verbs = ("gained", "lost") if metric.higher_is_better else ("fell by", "rose by")
        did = verbs[found.observed >= 0]
        text = f"{name} {did} {' '.join(filter(None, (loss(abs(found.observed)), unit)))}"
        text += f" ({value(figure.original)} to {value(figure.value)})"
        text += sampled.format(loss(low), loss(high), loss(limit.value))
    elif name == "agreement":
        text = f"answers changed: {value(1 - found.observed)}"
        text += sampled.format(value(1 - high), value(1 - low), value(1 - limit.value))
    else:
        bound = "at least" if limit.kind == "min" else "at most"
        text = f"{name} is {value(found.observed)}"
        text += sampled.format(value(low), value(high), f"{bound} {value(limit.value)}")
    if found.p_value is not None and found.p_value < 0.05:
        small = found.p_value < 0.0001
        text += f" (McNemar p {'< 0.0001' if small else f'= {found.p_value:.2g}'})"
    if found.needed:
        text += f"; about {_round(found.needed):,} samples would tell"
    elif found.verdict == "inconclusive":
        text += "; too near the limit for any number of samples to tell"
    return text


def _round(count: int) -> int:
    """Up to two digits: more would feign what nobody knows."""
    unit = 10 ** max(len(str(count)) - 2, 0)
    return int(-(-count // unit) * unit)


def not_finite() -> LimitResult:
    """Of a file that gives no numbers."""
    return LimitResult(
        Limit("min", -inf, "sqnr"),
        -inf,
        (-inf, -inf),
        "fail",
        "gives NaN or infinite values",
    )
