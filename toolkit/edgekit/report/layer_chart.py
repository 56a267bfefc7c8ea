"""The layers of a file as bars with their names: the SQNR of each, and the noise that it adds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import median

from edgekit.diagnosis.layers import LayerResult, worst_layers
from edgekit.report.charts import Axis, axis

_SHOWN, _OF_MANY = 40, 30  # layers: all of so many, or else those that add most
_MARKED, _LEAST = 8, 0.01  # layers: as many as are of interest, if they add as much
_SPREADS, _ROOM = 6.0, 30.0  # median deviations, or dB, around the median that the scale covers
_USUAL = 60.0  # dB: up to there the scale always goes, where a layer does


@dataclass(frozen=True, slots=True)
class LayerBar:
    """One layer: positions in percent of the width of its bars."""

    number: int
    """In the order of the graph, from 1."""
    layer: LayerResult
    left: float
    """The SQNR's bar, from zero to its value."""
    width: float
    off_left: bool
    """Whether the bar goes on beyond the left edge."""
    off_right: bool
    noise: float
    """As the square root of the noise: what adds a hundredth of the most is a tenth as long."""
    marked: bool
    """Whether it is one of those that add most."""


@dataclass(frozen=True, slots=True)
class LayerChart:
    """Layers in the order of the graph."""

    axis: Axis
    """Of the SQNR, in dB."""
    bars: tuple[LayerBar, ...]
    layers: tuple[LayerResult, ...]
    """All, also where not all have bars."""


def layer_chart(layers: Sequence[LayerResult]) -> LayerChart:
    """Draw layers as bars: all where they are few, else those that add most of the noise."""
    scale = sqnr_axis([layer.sqnr_db for layer in layers])
    most = max((layer.noise_added for layer in layers), default=0.0) or 1.0
    worst = [w for w in worst_layers(layers, _MARKED) if w.noise_added >= _LEAST or w.cause]
    marked = {id(layer) for layer in worst}
    shown = layers if len(layers) <= _SHOWN else worst_layers(layers, _OF_MANY)
    drawn = {id(layer) for layer in shown}
    bars = tuple(
        _bar(number, layer, scale, sqrt(layer.noise_added / most), id(layer) in marked)
        for number, layer in enumerate(layers, 1)
        if id(layer) in drawn
    )
    return LayerChart(scale, bars, tuple(layers))


def sqnr_axis(values: Sequence[float]) -> Axis:
    """A scale from zero that covers all values but outliers, which would make the rest look alike.

    An outlier lies outside 0 to 60 dB, and further from the median than six times the median distance
    from it (Hampel's identifier), and than 30 dB.
    """
    finite = [v for v in values if isfinite(v)]
    if not finite:
        return axis([0.0, 10.0], room=0.0)
    middle = median(finite)
    reach = max(_SPREADS * median(abs(v - middle) for v in finite), _ROOM)
    near = [v for v in finite if abs(v - middle) <= reach or 0 <= v <= _USUAL]
    return axis([0.0, 10.0, *near], room=0.0)


def _bar(number: int, layer: LayerResult, scale: Axis, noise: float, marked: bool) -> LayerBar:
    value = layer.sqnr_db if layer.sqnr_db == layer.sqnr_db else -inf
    zero, end = scale.at(0.0), scale.at(value)
    return LayerBar(
        number=number,
        layer=layer,
        left=min(zero, end),
        width=abs(end - zero),
        off_left=value < scale.low,
        off_right=value > scale.high,
        noise=100 * noise,
        marked=marked,
    )
