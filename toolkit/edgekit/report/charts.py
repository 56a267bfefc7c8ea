"""Where the marks of a report's drawings lie: plain numbers, in percent of a drawing's width and height.

Percentages, because a drawing is as wide as the screen while its text and its dots keep their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log1p, log10

from edgekit.accuracy.verdicts import LimitResult
from edgekit.diagnosis.error_sources import ErrorSources
from edgekit.diagnosis.layers import LayerResult, worst_layers

_TICKS = 5
_FAR = 8.0  # spans beyond the rest, from which on a failing file's dot is an arrow at the edge
_MARKED, _LEAST = 8, 0.01  # layers: as many as are of interest, if they add as much
_APART = 4.0  # percent, that two numbers need beside each other on a phone
_LEVELS = (0.03, 0.1, 0.3, 0.7)  # of a row of a confusion matrix
_TITLED = 400  # cells that can be pointed at, each; more are drawn together


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values, and where to write which."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """A value's place, at the edge where it lies outside."""
        return min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0)


@dataclass(frozen=True, slots=True)
class Whisker:
    """A limit_result, drawn: its dot, its 95% interval, its limit, and the side on which it fails."""

    dot: float | None
    """None where it is not a number."""
    left: float
    right: float
    off_left: bool
    """Whether the interval goes on beyond the edge."""
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
class LayerBar:
    """One layer: how far its values are from the float file's, and how much of that it adds."""

    layer: LayerResult
    sqnr: Bar
    adds: Bar
    mark: int = 0
    """Its rank, where it is of those that add most."""
    label: float | None = None
    """Where its rank is written, if there is room."""


@dataclass(frozen=True, slots=True)
class LayerChart:
    """All layers in the order of the graph."""

    axis: Axis
    bars: tuple[LayerBar, ...]
    marked: tuple[LayerBar, ...]
    """Those that add most, first the worst."""
    most: float
    """The share of the noise that the tallest bar stands for."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of a confusion matrix that is not empty."""

    row: int
    column: int
    count: int
    level: int
    """1 to 5, by its part of the row."""


@dataclass(frozen=True, slots=True)
class Heat:
    """A confusion matrix."""

    width: int
    """Classes."""
    cells: tuple[Cell, ...]
    paths: tuple[tuple[int, bool, str], ...]
    """Instead of cells where there are too many: level, whether on the diagonal, and the shape."""


@dataclass(frozen=True, slots=True)
class Change:
    """A way of being wrong that became more or less frequent."""

    row: int
    column: int
    before: int
    after: int


def axis(values: Sequence[float], *, room: float = 0.06) -> Axis:
    """The range that holds all values that are finite, with some room, and a few round ones."""
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
    """The range for limit_results of one kind.

    All limits and all that does not fail is inside. What fails by far is not, unless all does: else
    the rest would be too small to tell apart.
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
    """A limit_result on an axis."""
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


def layer_chart(layers: Sequence[LayerResult]) -> LayerChart:
    """The layers as bars."""
    worst = [w for w in worst_layers(layers, _MARKED) if w.adds >= _LEAST or w.cause]
    ranks = {id(layer): rank for rank, layer in enumerate(worst, 1)}
    finite = [layer.sqnr_db for layer in layers if isfinite(layer.sqnr_db)]
    on = axis([0.0, 10.0, *finite], room=0.0)
    most = max((layer.adds for layer in layers), default=0.0) or 1.0
    width = 100 / max(len(layers), 1)
    gap = 0.15 * width
    zero = on.at(0.0)
    bars = []
    for at, layer in enumerate(layers):
        height, share = on.at(layer.sqnr_db), 100 * layer.adds / most
        x, thick = at * width + gap, width - 2 * gap
        sqnr = Bar(x, 100 - max(height, zero), thick, abs(height - zero))
        adds = Bar(x, 100 - share, thick, share)
        bars.append(LayerBar(layer, sqnr, adds, ranks.get(id(layer), 0)))
    marked, placed = [], list[float]()
    for bar in sorted((b for b in bars if b.mark), key=lambda b: b.mark):
        middle = bar.sqnr.x + bar.sqnr.width / 2
        free = all(abs(middle - other) >= _APART for other in placed)
        placed += [middle] if free else []
        marked.append(LayerBar(bar.layer, bar.sqnr, bar.adds, bar.mark, middle if free else None))
    by_rank = {bar.mark: bar for bar in marked}
    return LayerChart(on, tuple(by_rank.get(bar.mark, bar) for bar in bars), tuple(marked), most)


def histogram(counts: Sequence[int]) -> tuple[Bar, ...]:
    """Bars as high as the logarithm of their counts."""
    most = log1p(max(counts, default=0)) or 1.0
    width = 100 / max(len(counts), 1)
    heights = [100 * log1p(count) / most for count in counts]
    return tuple(
        Bar(at * width + 0.1 * width, 100 - height, 0.8 * width, height)
        for at, height in enumerate(heights)
    )


def heat(counts: Sequence[Sequence[int]]) -> Heat:
    """A confusion matrix; each row by itself, so that rare classes can be seen."""
    cells = []
    for row, line in enumerate(counts):
        total = sum(line) or 1
        for column, count in enumerate(line):
            if count:
                level = 1 + sum(count / total > edge for edge in _LEVELS)
                cells.append(Cell(row, column, count, level))
    if len(cells) <= _TITLED:
        return Heat(len(counts), tuple(cells), ())
    shapes: dict[tuple[int, bool], list[str]] = {}
    for cell in cells:
        kind = cell.level, cell.row == cell.column
        shapes.setdefault(kind, []).append(f"M{cell.column} {cell.row}h1v1h-1z")
    paths = tuple((level, right, "".join(d)) for (level, right), d in sorted(shapes.items()))
    return Heat(len(counts), (), paths)


def most_changed(
    before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], count: int = 8
) -> list[Change]:
    """The confusions that grew or shrank most.

    A row's sum is the same before and after, so the diagonal says nothing that these do not.
    """
    changes = [
        Change(row, column, was, is_)
        for row, (olds, news) in enumerate(zip(before, after, strict=True))
        for column, (was, is_) in enumerate(zip(olds, news, strict=True))
        if was != is_ and row != column
    ]
    return sorted(changes, key=lambda c: (-abs(c.after - c.before), c.row, c.column))[:count]


def noise_shares(sources: ErrorSources) -> list[tuple[str, float | None, float]]:
    """Each step with its dB and its part of the noise, were the steps' noises independent."""
    steps = {
        "conversion": sources.conversion_db,
        "quantization": sources.quantization_db,
        "runtime": sources.runtime_db,
    }
    # Against the noisiest step, so that no power overflows; -inf, no number at all, outdoes any.
    known = [db for db in steps.values() if db is not None]
    least = min(known, default=0.0)
    powers = {
        name: 0.0
        if db is None or db == float("inf")
        else float(db == least)
        if not isfinite(least)
        else 10 ** ((least - db) / 10)
        for name, db in steps.items()
    }
    total = sum(powers.values()) or 1.0
    return [(name, db, 100 * powers[name] / total) for name, db in steps.items()]
