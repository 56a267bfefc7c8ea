"""A figure against a limit: the verdict, and the reason in words."""

from dataclasses import dataclass
from math import inf, isnan

from edgekit.figures import Figure
from edgekit.limits import Limit
from edgekit.statistics import Interval, Verdict, judge, mcnemar, needed, needed_pairs


@dataclass(frozen=True, slots=True)
class Judgement:
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


def hold(figure: Figure, limit: Limit) -> Judgement:
    """Holds a figure against a limit on it."""
    if limit.kind == "drop":
        assert figure.before is not None
        original = figure.metric.value(figure.before)
        observed = figure.worse(original, figure.value)
        observed = observed / abs(original) if limit.relative and original else observed
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
        verdict, missing = "fails", None
    p_value = mcnemar(*changes) if changes else None
    missing = missing if verdict == "not proven" else None
    reason = (
        ""
        if verdict == "holds"
        else _words(
            figure, limit, observed, interval, missing, p_value, open_=verdict == "not proven"
        )
    )
    named = Limit(limit.kind, limit.value, figure.name, limit.output, limit.relative)
    return Judgement(named, observed, interval, verdict, reason, p_value, missing)


def _words(
    figure: Figure,
    limit: Limit,
    observed: float,
    interval: Interval,
    missing: int | None,
    p_value: float | None,
    *,
    open_: bool,
) -> str:
    """Why a limit does not hold, with the figures."""
    name, metric = figure.name, figure.metric
    low, high = interval

    value = figure.said

    def loss(number: float) -> str:
        if limit.relative:
            return f"{number:.1%}"
        return f"{100 * number:.3g}" if metric.share else f"{number:.4g}"

    sampled = ", 95% interval {} to {}, limit {}" if low < high else ", limit {2}"
    if limit.kind == "drop":
        unit = "of the original's" if limit.relative else "points" if metric.share else ""
        verbs = ("gained", "lost") if metric.higher_is_better else ("fell by", "rose by")
        did = verbs[observed >= 0]
        text = f"{name} {did} {' '.join(filter(None, (loss(abs(observed)), unit)))}"
        text += f" ({value(figure.original or 0)} to {value(figure.value)})"
        text += sampled.format(loss(low), loss(high), loss(limit.value))
    elif name == "agreement":
        text = f"answers changed: {value(1 - observed)}"
        text += sampled.format(value(1 - high), value(1 - low), value(1 - limit.value))
    else:
        bound = "at least" if limit.kind == "min" else "at most"
        text = f"{name} is {value(observed)}"
        text += sampled.format(value(low), value(high), f"{bound} {value(limit.value)}")
    if p_value is not None and p_value < 0.05:
        text += f" (McNemar p {'< 0.0001' if p_value < 0.0001 else f'= {p_value:.2g}'})"
    if open_:
        text += (
            f"; about {_round(missing):,} samples would tell"
            if missing
            else "; too near the limit for any number of samples to tell"
        )
    return text


def _round(count: int) -> int:
    """Up to two digits: more would feign what nobody knows."""
    unit = 10 ** max(len(str(count)) - 2, 0)
    return int(-(-count // unit) * unit)


def not_numbers() -> Judgement:
    """Of a file that gives no numbers."""
    return Judgement(
        Limit("min", -inf, "sqnr"),
        -inf,
        (-inf, -inf),
        "fails",
        "gives NaN or infinite values",
    )
