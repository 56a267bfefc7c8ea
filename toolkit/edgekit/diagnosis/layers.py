"""``--per-layer``: where a quantized file's error comes from, layer by layer, and the likely cause."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf, log10
from pathlib import Path
from statistics import median

import numpy as np

from edgekit.data.samples import Array, DataError
from edgekit.data.store import StoredArrays
from edgekit.inference.tensor_names import input_names
from edgekit_runtimes.host import exact_int8
from edgekit_runtimes.layers import Layer, Layers, open_layers

SAMPLES = 32
"""More change the figures by fractions of a decibel."""

_NOTABLE = 0.02  # of all noise that layers add: less needs no explanation
_MOSTLY = 0.5  # the part of a tensor's own noise from which on saturation is the cause
_POOR = 20.0  # dB, of what quantizing a tensor costs by itself
_FEW_STEPS = 40  # of 256 that the values span: fewer, and the range is too wide
_OUTLIER = 8.0  # a channel's range against the median channel's
_APART = 6.0  # dB: four times the noise
_SLOPE = 0.05  # how far from 1 a wrong scale makes the values


@dataclass(frozen=True, slots=True)
class LayerResult:
    """One layer of a quantized file against the same layer of the float file."""

    name: str
    kind: str
    """The operator."""
    sqnr_db: float
    adds: float
    """The noise that this layer adds to what it reads, as a share of what all layers add."""
    low: float
    high: float
    """The extremes of the float file's values."""
    range: tuple[float, float] | None
    """What the quantized tensor can hold; None in float."""
    saturated: float
    """The share of the float file's values that lie outside."""
    cause: str = ""
    """What is likely wrong, where something is."""


def compare_layers(
    original: Path, candidate: Path, samples: StoredArrays, *, count: int = SAMPLES
) -> tuple[LayerResult, ...]:
    """Runs a quantized file and a float file of the same format side by side, with every layer in sight.

    Layers are matched by their tensors' names; or where both graphs have the same operators in the
    same order, by position.

    Args:
        original: the float file.
        candidate: the quantized one.
        samples: what to run.
        count: how many of them.

    Returns:
        The layers that both files have, in the order of the graph.

    Raises:
        DataError: the files have no layer in common.
        ModelError: a file cannot be opened.
    """
    whole, quantized = open_layers(original), open_layers(candidate)
    simulated = open_layers(candidate, fused=False) if candidate.suffix == ".onnx" else None
    pairs = _pairs(whole.layers, quantized.layers)
    channels_first = candidate.suffix == ".onnx"
    tallies = {
        at: _Tally(layer, channels_first)
        for at, layer in enumerate(quantized.layers)
        if pairs.get(at) is not None
    }
    if len(tallies) <= sum(layer.kind == "input" for layer in quantized.layers):
        raise DataError(
            f"{candidate} and {original} have no layer in common: neither names nor operators agree. "
            "Layers are compared with the float file that a quantized one was made from."
        )
    ours, theirs = (
        input_names(samples.shapes, file.inputs, str(path))
        for file, path in ((whole, original), (quantized, candidate))
    )
    for sample in islice(samples, count):
        expected = whole.run(_sized(sample, whole, ours))
        got = quantized.run(_sized(sample, quantized, theirs))
        otherwise = simulated.run(_sized(sample, simulated, theirs)) if simulated else got
        for at, tally in tallies.items():
            tally.add(expected[pairs[at]][:1], got[at][:1], otherwise[at][:1])
    return tuple(_results(tallies, quantized.layers))


def worst_layers(layers: Iterable[LayerResult], count: int = 10) -> list[LayerResult]:
    """Those that add most."""
    return sorted(layers, key=lambda layer: -layer.adds)[:count]


@dataclass(slots=True)
class _Tally:
    """Running sums over samples."""

    layer: Layer
    channels_first: bool
    """Whether the file is ONNX, where pictures between the ends have their channels in front."""
    signal: float = 0.0
    noise: float = 0.0
    inner: float = 0.0
    """Of expected and got: tells whether one is a multiple of the other."""
    power: float = 0.0
    simulated_noise: float = 0.0
    rounding: float = 0.0
    """Noise of the float values, quantized as this tensor is: its own share."""
    clipped: float = 0.0
    """The part of it that saturation has."""
    low: float = inf
    high: float = -inf
    values: int = 0
    outside: int = 0
    channels: Array = field(default_factory=lambda: np.zeros((3, 0)))
    """Of each: the greatest magnitude, the signal, the noise."""

    def add(self, expected: Array, got: Array, simulated: Array) -> None:
        if got.shape != expected.shape:  # NCHW beside NHWC
            got, simulated = (_laid_out(x, expected.shape) for x in (got, simulated))
        expected, got = expected.astype(np.float64), got.astype(np.float64)
        self.signal += float((expected**2).sum())
        self.noise += float(((got - expected) ** 2).sum())
        self.simulated_noise += float(((simulated - expected) ** 2).sum())
        self.inner += float((expected * got).sum())
        self.power += float((got**2).sum())
        self.low, self.high = min(self.low, expected.min()), max(self.high, expected.max())
        self.values += expected.size
        inside = self.channels_first and self.layer.kind not in ("input", "Transpose")
        axis = 1 if inside and expected.ndim == 4 else -1
        whole, error = (
            np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]) for x in (expected, got - expected)
        )
        each = np.stack([np.abs(whole).max(axis=0), (whole**2).sum(axis=0), (error**2).sum(axis=0)])
        if not self.channels.size:
            self.channels = np.zeros_like(each)
        self.channels[0] = np.maximum(self.channels[0], each[0])
        self.channels[1:] += each[1:]
        if (held := self.layer.range) is not None:
            assert self.layer.scale is not None
            step = self.layer.scale
            self.outside += int(((expected < held[0] - step) | (expected > held[1] + step)).sum())
            self.rounding += float(((_quantized(expected, self.layer) - expected) ** 2).sum())
            self.clipped += float(((np.clip(expected, *held) - expected) ** 2).sum())

    @property
    def ratio(self) -> float:
        """Noise to signal: of the whole, or of the median channel where that is worse.

        Beside an outlier the other channels hardly count in the whole, and drown all the same.
        """
        whole = self.noise / self.signal if self.signal else (inf if self.noise else 0.0)
        signal, noise = self.channels[1:]
        alive = signal > 0
        return max(whole, median(noise[alive] / signal[alive]) if alive.any() else 0.0)


def _quantized(values: Array, layer: Layer) -> Array:
    assert layer.scale is not None
    integers = np.rint(values / layer.scale) + layer.zero_point
    kept: Array = np.clip(integers, layer.least, layer.greatest)
    return (kept - layer.zero_point) * layer.scale


def _results(tallies: dict[int, _Tally], layers: Sequence[Layer]) -> Iterable[LayerResult]:
    added = {
        at: max(0.0, tally.ratio - _inherited(at, tallies, layers)) for at, tally in tallies.items()
    }
    total = sum(a for a in added.values() if np.isfinite(a)) or 1.0
    for at, tally in tallies.items():
        share = min(added[at] / total, 1.0)
        yield LayerResult(
            name=tally.layer.name,
            kind=tally.layer.kind,
            sqnr_db=_decibel(tally.signal, tally.noise),
            adds=share,
            low=tally.low,
            high=tally.high,
            range=tally.layer.range,
            saturated=tally.outside / tally.values if tally.values else 0.0,
            cause=_cause(tally, _inherited(at, tallies, layers))
            if share > _NOTABLE or _decibel(tally.signal, tally.rounding) < _POOR
            else "",
        )


def _inherited(at: int, tallies: dict[int, _Tally], layers: Sequence[Layer]) -> float:
    """The noise to signal of the worst layer that this one reads, past layers that have no twin."""
    worst, waiting, seen = 0.0, list(layers[at].reads), set[int]()
    while waiting:
        source = waiting.pop()
        if source in tallies:
            worst = max(worst, tallies[source].ratio)
        elif source not in seen:
            waiting += layers[source].reads
        seen.add(source)
    return worst


def _cause(tally: _Tally, inherited: float) -> str:
    """The likeliest reason for what a layer adds; empty where rounding explains it."""
    sqnr = _decibel(tally.signal, tally.noise)
    layer = tally.layer
    if _decibel(tally.signal, tally.simulated_noise) > sqnr + _APART:
        why = "" if exact_int8() else ", as signed weights do on x86 processors without VNNI"
        return f"the runtime's integer kernel does not compute what the file says{why}: its sums saturate"
    own = _decibel(tally.signal, tally.rounding) if layer.range else inf
    spans = f"{tally.low:.3g}..{tally.high:.3g}"
    if layer.range and layer.scale and own < sqnr + _APART:
        held = f"{layer.range[0]:.3g}..{layer.range[1]:.3g}"
        if tally.clipped > _MOSTLY * tally.rounding:
            share = tally.outside / tally.values
            return f"range too narrow: it holds {held}, the values span {spans}; {share:.1%} of them saturate"
        steps = (tally.high - tally.low) / layer.scale
        if layer.greatest - layer.least < 256 and 0 < steps < _FEW_STEPS:
            return f"range too wide: it holds {held}, the values span {spans}, {steps:.0f} of its 256 steps"
        channels = tally.channels[0][tally.channels[0] > 0]
        if channels.size > 1 and channels.max() > _OUTLIER * median(channels):
            return (
                f"one channel's outlier: channel {int(tally.channels[0].argmax())} reaches "
                f"{channels.max():.3g}, the median channel {median(channels):.3g}, and one scale holds all"
            )
    # What is left when the values are taken times the factor that fits best.
    slope = tally.inner / tally.signal if tally.signal else 1.0
    left = tally.power - slope * tally.inner
    if abs(slope - 1) > _SLOPE and left < tally.noise / 4:
        return f"the values come out {slope:.2g} times the float file's: a wrong scale, of weights or tensor"
    if tally.ratio > 10 * inherited and sqnr < 15:
        return "its weights or its scales are far from the float file's"
    return ""


def _pairs(whole: Sequence[Layer], quantized: Sequence[Layer]) -> dict[int, int]:
    """From the positions of the quantized file's layers to those of the float file's."""
    if [layer.kind for layer in whole] == [layer.kind for layer in quantized]:
        return {at: at for at in range(len(whole))}
    known = {name: at for at, layer in enumerate(whole) for name in layer.tensors}
    known |= {_plain(name): at for name, at in known.items() if _plain(name) not in known}
    found = {}
    for at, layer in enumerate(quantized):
        for name in (*layer.tensors, *map(_plain, layer.tensors)):
            if name in known:
                found[at] = known[name]
                break
    return found


def _plain(name: str) -> str:
    """Without what converters put around a name: other names joined to it, the model's own in front."""
    last = name.rsplit(";", 1)[-1]
    return last.split("/", 1)[-1] if last.count("/") > 1 else last


def _sized(sample: Mapping[str, Array], file: Layers, names: Mapping[str, str]) -> dict[str, Array]:
    """The sample under the file's names, as often as its batch wants it."""
    batch = file.inputs[0].shape[0] or 1
    return {
        names[name]: np.repeat(array[np.newaxis], batch, axis=0) for name, array in sample.items()
    }


def _laid_out(values: Array, shape: tuple[int, ...]) -> Array:
    if values.size != int(np.prod(shape)):
        raise DataError(f"a layer of shape {values.shape} cannot be held against one of {shape}.")
    if values.ndim == 4:
        for axes in ((0, 2, 3, 1), (0, 3, 1, 2)):
            if values.transpose(axes).shape == shape:
                return values.transpose(axes)
    return values.reshape(shape)


def _decibel(signal: float, noise: float) -> float:
    return inf if noise == 0 else -inf if signal == 0 else 10 * log10(signal / noise)
