"""All files at a glance: what each is worth, against its latency and its size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, floor, isfinite, log10

from edgekit.accuracy import formatting
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.units import DECIBEL
from edgekit.report.charts import Axis, axis
from edgekit.report.columns import latency_unit, size, task_metric
from edgekit.report.file_result import FileResult

_EQUAL_DB = 80.0  # from there on nobody needs to tell outputs apart
_WIDE = 20.0  # times, from which on a range needs a logarithmic scale
_NARROWEST, _NARROWEST_DB = 0.02, 6.0  # ranges, in which differences of a file's worth can be seen
_TOGETHER = 4.0  # percent, within which dots share their number


@dataclass(frozen=True, slots=True)
class Tick:
    """A position in percent, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One file."""

    number: int
    """As in the list of files, from 1."""
    file: FileResult
    x: float
    y: float
    text: str
    """Its coordinates in words."""


@dataclass(frozen=True, slots=True)
class DotLabel:
    """The numbers of dots that lie so near each other that one label is for all."""

    numbers: tuple[int, ...]
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Overview:
    """One plot of all files."""

    title: str
    dots: tuple[Dot, ...]
    labels: tuple[DotLabel, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    original: float | None
    """Where the original's own value lies; None where it has none."""
    original_text: str


def overviews(files: Sequence[FileResult]) -> tuple[Overview, ...]:
    """Plot the files' worth against their latency and their size; nothing for a single file."""
    if len(files) < 2:
        return ()
    name, values, original = _worth(files)
    unit = latency_unit(files)
    factor = 1.0 if unit == "ms" else 1000.0
    timed = [f.latency_ms * factor if f.latency_ms is not None else None for f in files]
    plots = [
        (f"latency, {unit}", timed, lambda x: f"{x:.4g}"),
        ("size", [float(f.bytes) or None for f in files], lambda x: size(round(x))),
    ]
    return tuple(
        _overview(
            name, f"{formatting.label(name)} against {title}", files, values, xs, original, text
        )
        for title, xs, text in plots
        if sum(x is not None for x in xs) > 1
    )


def _worth(files: Sequence[FileResult]) -> tuple[str, list[float], float | None]:
    """Choose what all files can be compared by: the task's metric, unchanged predictions, or the SQNR."""
    results = [file.worst_result for file in files]
    metrics = [task_metric(result) for result in results]
    if all(m is not None for m in metrics) and len({m.metric for m in metrics if m}) == 1:
        first = next(m for m in metrics if m)
        return first.metric, [m.value for m in metrics if m], first.original
    agreements = [result.agreement for result in results]
    if all(a is not None for a in agreements):
        return "agreement", [a for a in agreements if a is not None], None
    return "sqnr", [min(result.sqnr_db, _EQUAL_DB) for result in results], None


def _overview(
    name: str,
    title: str,
    files: Sequence[FileResult],
    values: Sequence[float],
    xs: Sequence[float | None],
    original: float | None,
    text: Callable[[float], str],
) -> Overview:
    x_at, x_ticks = _x_scale([x for x in xs if x is not None], text)
    scale = _y_axis(name, [*values, *([original] if original is not None else [])])
    dots = tuple(
        Dot(
            number,
            file,
            x_at(x),
            100 - scale.at(value),
            f"{text(x)}, {formatting.value(value, name)}",
        )
        for number, (file, x, value) in enumerate(zip(files, xs, values, strict=True), 1)
        if x is not None
    )
    return Overview(
        title=title,
        dots=dots,
        labels=_labels(dots),
        x_ticks=x_ticks,
        y_ticks=tuple(Tick(100 - scale.at(t), formatting.value(t, name)) for t in scale.ticks),
        original=None if original is None else 100 - scale.at(original),
        original_text="" if original is None else formatting.value(original, name),
    )


def _y_axis(name: str, values: Sequence[float]) -> Axis:
    """A range that shows differences that matter, and does not blow up those that do not."""
    finite = [v for v in values if isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    unit = find_metric(name).unit
    size_of_one = 1.0 if unit.is_fraction else max(abs(low), abs(high)) or 1.0
    least = _NARROWEST_DB if unit is DECIBEL else _NARROWEST * size_of_one
    if (lacking := least - (high - low)) > 0:
        low, high = low - lacking / 2, high + lacking / 2
    if unit.is_fraction and high > 1 >= max(finite):
        low, high = low - (high - 1), 1.0
    scale = axis([low, high], room=0.08)
    ticks = tuple(t for t in scale.ticks if t <= 1 or not unit.is_fraction)
    return replace(scale, ticks=ticks)


def _x_scale(
    values: Sequence[float], text: Callable[[float], str]
) -> tuple[Callable[[float], float], tuple[Tick, ...]]:
    """A scale from zero, or a logarithmic one where the values differ a lot."""
    low, high = min(values), max(values)
    if low <= 0 or high / low <= _WIDE:
        scale = axis([0.0, 1.1 * high], room=0.0)
        return scale.at, tuple(Tick(scale.at(t), text(t)) for t in scale.ticks)
    first, last = log10(low / 1.5), log10(high * 1.5)
    powers = range(floor(first), ceil(last) + 1)
    steps = (1, 3) if last - first < 3 else (1,)
    ticks = [m * 10.0**p for p, m in product(powers, steps)]

    def at(value: float) -> float:
        return 100 * (log10(value) - first) / (last - first)

    return at, tuple(Tick(at(t), text(t)) for t in ticks if first <= log10(t) <= last)


def _labels(dots: Sequence[Dot]) -> tuple[DotLabel, ...]:
    groups: list[list[Dot]] = []
    for dot in dots:
        near = (g for g in groups if max(abs(g[0].x - dot.x), abs(g[0].y - dot.y)) < _TOGETHER)
        group = next(near, None)
        if group is None:
            groups.append([dot])
        else:
            group.append(dot)
    return tuple(
        DotLabel(tuple(d.number for d in group), group[0].x, min(d.y for d in group))
        for group in groups
    )
