"""Geometry of the page's charts: positions in percent of a chart's width and height.

Percentages, because a chart is as wide as the screen while its text and its dots keep their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log1p, log10

from edgekit.accuracy.verdicts import LimitResult
from edgekit.diagnosis.error_sources import ErrorSources

_TICKS = 5
_FAR = 8.0  # spans beyond the rest, from which on a failing file's dot is an arrow at the edge
_LEVELS = (0.03, 0.1, 0.3, 0.7)  # of a row of a confusion matrix
_TITLED = 400  # cells that can be pointed at, each; more are drawn together


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values, with its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """A value's position in percent; at the edge where it lies outside."""
        return min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0)


@dataclass(frozen=True, slots=True)
class Whisker:
    """One limit's result as a chart: dot, 95% interval, limit, and the side on which it fails."""

    dot: float | None
    """None where the value is not a number."""
    left: float
    right: float
    off_left: bool
    """Whether the interval goes on beyond the left edge."""
    off_right: bool
    limit: float | None
    bad_left: float
    bad_width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, from its top left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a confusion matrix that is not empty."""

    row: int
    column: int
    count: int
    level: int
    """1 to 5, by its fraction of the row."""


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """A confusion matrix, drawn as cells or, where there are many, as paths."""

    classes: int
    cells: tuple[Cell, ...]
    paths: tuple[tuple[int, bool, str], ...]
    """Instead of cells: level, whether on the diagonal, and the SVG path."""


@dataclass(frozen=True, slots=True)
class ConfusionChange:
    """A confusion of two classes that became more or less frequent."""

    row: int
    column: int
    original: int
    candidate: int


@dataclass(frozen=True, slots=True)
class ErrorPart:
    """One step's part of the error."""

    step: str
    sqnr_db: float | None
    percent: float
    """Of the noise, if the steps' noises are independent."""


def axis(values: Sequence[float], *, room: float = 0.06) -> Axis:
    """A range that covers all finite values, with some room, and a few round ticks."""
    finite = [v for v in values if isfinite(v)]
    if not finite:
        return Axis(0.0, 1.0, ())
    low, high = min(finite), max(finite)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    low, high = low - room * (high - low), high + room * (high - low)
    rough = (high - low) / _TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.8)
    first, last = ceil(low / step), floor(high / step)
    return Axis(low, high, tuple(float(f"{i * step:.10g}") for i in range(first, last + 1)))


def limits_axis(limit_results: Sequence[LimitResult]) -> Axis:
    """A range for results of one kind of limit.

    It covers all limits and all that does not fail. What fails by far is left outside unless all
    fails: else the rest would be too small to tell apart.
    """
    values = [j.limit.value for j in limit_results]
    values += [0.0 for j in limit_results if j.limit.kind == "drop"]
    near = [j for j in limit_results if j.verdict != "fail"]
    for limit_result in near or limit_results:
        values += [limit_result.observed, *limit_result.interval]
    finite = [v for v in values if isfinite(v)]
    if near and finite:
        reach = _FAR * ((max(finite) - min(finite)) or abs(finite[0]) or 1.0)
        far = [v for j in limit_results for v in (j.observed, *j.interval)]
        values += [v for v in far if min(finite) - reach <= v <= max(finite) + reach]
    return axis(values)


def whisker(limit_result: LimitResult, on: Axis) -> Whisker:
    """Place a limit's result on an axis."""
    low, high = limit_result.interval
    observed, limit = limit_result.observed, limit_result.limit.value
    at = on.at(limit) if isfinite(limit) else None
    fails_below = limit_result.limit.kind == "min"
    bad = (0.0, 0.0) if at is None else (0.0, at) if fails_below else (at, 100 - at)
    return Whisker(
        dot=None if observed != observed else on.at(observed),
        left=0.0 if low != low else on.at(low),
        right=100.0 if high != high else on.at(high),
        off_left=not low >= on.low,
        off_right=not high <= on.high,
        limit=at,
        bad_left=bad[0],
        bad_width=bad[1],
    )


def histogram(counts: Sequence[int]) -> tuple[Bar, ...]:
    """Bars as high as the logarithm of their counts."""
    most = log1p(max(counts, default=0)) or 1.0
    width = 100 / max(len(counts), 1)
    heights = [100 * log1p(count) / most for count in counts]
    return tuple(
        Bar(at * width + 0.1 * width, 100 - height, 0.8 * width, height)
        for at, height in enumerate(heights)
    )


def confusion_matrix(counts: Sequence[Sequence[int]]) -> ConfusionMatrix:
    """Shade a confusion matrix by row, so that rare classes can be seen."""
    cells = []
    for row, line in enumerate(counts):
        total = sum(line) or 1
        for column, count in enumerate(line):
            if count:
                level = 1 + sum(count / total > edge for edge in _LEVELS)
                cells.append(Cell(row, column, count, level))
    if len(cells) <= _TITLED:
        return ConfusionMatrix(len(counts), tuple(cells), ())
    shapes: dict[tuple[int, bool], list[str]] = {}
    for cell in cells:
        kind = cell.level, cell.row == cell.column
        shapes.setdefault(kind, []).append(f"M{cell.column} {cell.row}h1v1h-1z")
    paths = tuple((level, right, "".join(d)) for (level, right), d in sorted(shapes.items()))
    return ConfusionMatrix(len(counts), (), paths)


def confusion_changes(
    original: Sequence[Sequence[int]], candidate: Sequence[Sequence[int]], count: int = 8
) -> list[ConfusionChange]:
    """The confusions that grew or shrank most.

    A row's sum is the same in both, so the diagonal says nothing that these do not.
    """
    changes = [
        ConfusionChange(row, column, before, after)
        for row, (befores, afters) in enumerate(zip(original, candidate, strict=True))
        for column, (before, after) in enumerate(zip(befores, afters, strict=True))
        if before != after and row != column
    ]
    changes.sort(key=lambda c: (-abs(c.candidate - c.original), c.row, c.column))
    return changes[:count]


def error_parts(sources: ErrorSources) -> list[ErrorPart]:
    """Each step's SQNR and its part of the noise, if the steps' noises are independent.

    Where a step is not known, what the others' parts are is not known either: they are 0.
    """
    steps = {
        "conversion": sources.conversion_db,
        "quantization": sources.quantization_db,
        "runtime": sources.runtime_db,
    }
    # Relative to the noisiest step, so that no power overflows; -inf outdoes any.
    lowest = min((db for db in steps.values() if db is not None), default=0.0)
    powers = {step: _power(db, lowest) for step, db in steps.items()}
    total = (0.0 if sources.unattributed else sum(powers.values())) or inf
    return [ErrorPart(step, db, 100 * powers[step] / total) for step, db in steps.items()]


def _power(db: float | None, lowest: float) -> float:
    """A step's noise, relative to the noisiest step's."""
    if db is None or db == inf:
        return 0.0
    return 10 ** ((lowest - db) / 10) if isfinite(lowest) else float(db == lowest)
