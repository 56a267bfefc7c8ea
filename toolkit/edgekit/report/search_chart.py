"""The candidates of a search as charts: what each loses, with its interval, against its time and its size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from edgekit.accuracy import formatting
from edgekit.accuracy.metrics import find_metric
from edgekit.report.charts import axis
from edgekit.report.columns import size
from edgekit.report.overview_chart import Tick
from edgekit.report.search import Search, Tried

TITLES = {"tflite": "TFLite", "onnx": "ONNX"}
"""Of formats; a report is shown without loading the converters, which have them too."""

_KINDS = {"chosen": "pass", "proven": "pass", "not proven": "inconclusive"}


@dataclass(frozen=True, slots=True)
class Point:
    """One candidate, in percent of the chart from its top left corner."""

    tried: Tried
    kind: str
    """The style that it is drawn in."""
    x: float
    y: float
    top: float
    bottom: float
    """The ends of its interval."""
    text: str
    """Its coordinates in words."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """One chart."""

    title: str
    points: tuple[Point, ...]
    """The chosen one last, so that it is drawn on top."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class OfFormat:
    """The candidates of one format, and their charts."""

    title: str
    tried: tuple[Tried, ...]
    plots: tuple[Frontier, ...]


def frontiers(search: Search) -> tuple[OfFormat, ...]:
    """Return the candidates of each format with their charts; of fewer than two points there is none."""
    parts = []
    for form in dict.fromkeys(tried.format for tried in search.tried):
        of_format = tuple(t for t in search.tried if t.format == form)
        drawn = [t for t in of_format if t.drop is not None and t.interval is not None]
        names = [t.metric for t in drawn]
        drawn = [t for t in drawn if t.metric == max(set(names), key=names.count)]
        plots = []
        if len(drawn) > 1:
            plots = [
                _plot(
                    "time over float32's", drawn, lambda t: t.latency_ratio, lambda x: f"{x:.3g}x"
                ),
                _plot("size", drawn, lambda t: float(t.bytes), lambda x: size(round(x))),
            ]
        parts.append(OfFormat(TITLES.get(form, form), of_format, tuple(plots)))
    return tuple(parts)


def drop_text(tried: Tried) -> str:
    """A drop with its interval, as ``0.5 [-0.2, 1.2] pt``; a value where there is no drop."""
    if tried.drop is None or tried.interval is None:
        return ""
    low, high = tried.interval
    if find_metric(tried.metric).against == "labels":
        drop, *ends = (
            formatting.difference(x, tried.metric, symbol=False) for x in (tried.drop, low, high)
        )
        unit = find_metric(tried.metric).unit.difference_symbol
        return f"{drop} [{ends[0]}, {ends[1]}]{unit}"
    value, *ends = (formatting.value(x, tried.metric) for x in (tried.drop, low, high))
    return value if low == high else f"{value} [{ends[0]}, {ends[1]}]"


def _plot(
    what: str,
    drawn: Sequence[Tried],
    value: Callable[[Tried], float | None],
    text: Callable[[float], str],
) -> Frontier:
    metric = drawn[0].metric
    drop = find_metric(metric).against == "labels"
    write = _writer(metric)
    placed = [(t, x) for t in drawn if (x := value(t)) is not None]
    placed.sort(key=lambda pair: pair[0].outcome == "chosen")
    ends = [end for t, _ in placed for end in (*(t.interval or ()), t.drop) if end is not None]
    ys = axis([end for end in ends if isfinite(end)] or [0.0])
    xs = axis([0.0, 1.1 * max(x for _, x in placed)], room=0.0)

    def y_at(number: float) -> float:
        return ys.at(number) if drop else 100 - ys.at(number)  # what is better is above

    points = []
    for tried, x in placed:
        assert tried.drop is not None and tried.interval is not None
        first, second = (y_at(end) for end in tried.interval)
        points.append(
            Point(
                tried,
                _KINDS.get(tried.outcome, "void"),
                xs.at(x),
                y_at(tried.drop),
                min(first, second),
                max(first, second),
                f"{text(x)}, {drop_text(tried)}",
            )
        )
    label = formatting.label(metric)
    return Frontier(
        f"{label} drop against {what}" if drop else f"{label} against {what}",
        tuple(points),
        tuple(Tick(xs.at(t), text(t)) for t in xs.ticks),
        tuple(Tick(y_at(t), write(t)) for t in ys.ticks),
    )


def _writer(metric: str) -> Callable[[float], str]:
    if find_metric(metric).against == "labels":
        return lambda value: formatting.difference(value, metric)
    return lambda value: formatting.value(value, metric)
