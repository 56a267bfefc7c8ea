"""Running sums over one layer's values, in the float file and in the quantized one."""

from dataclasses import dataclass, field
from math import inf
from statistics import median

import numpy as np

from edgekit.accuracy.comparison import sqnr_db
from edgekit.data.samples import Array, DataError
from edgekit_runtimes.layers import Layer


@dataclass(slots=True)
class LayerStatistics:
    """One layer's values on all samples; memory does not grow with them."""

    layer: Layer
    """Of the quantized file."""
    channels_first: bool
    """Whether the file is ONNX, where images between inputs and outputs are NCHW."""
    signal: float = 0.0
    """The sum of the float values' squares."""
    noise: float = 0.0
    """The sum of the errors' squares."""
    product: float = 0.0
    """The sum of float value times quantized value: shows whether one is a multiple of the other."""
    power: float = 0.0
    """The sum of the quantized values' squares."""
    simulated_noise: float = 0.0
    """The noise where the file's operators are computed in float, as the file defines them."""
    rounding_noise: float = 0.0
    """The noise of the float values when only this tensor is quantized."""
    clipping_noise: float = 0.0
    """The part of ``rounding_noise`` from values outside the representable range."""
    low: float = inf
    high: float = -inf
    """With ``low``, the observed range of the float values."""
    values: int = 0
    clipped: int = 0
    """Float values outside the representable range."""
    channels: Array = field(default_factory=lambda: np.zeros((3, 0)))
    """For each channel: largest magnitude, signal, noise."""

    def add(self, expected: Array, actual: Array, simulated: Array) -> None:
        """Add one sample: the float file's values, the quantized file's, and its simulated ones."""
        if actual.shape != expected.shape:  # NCHW and NHWC
            actual, simulated = (_reshaped(x, expected.shape) for x in (actual, simulated))
        expected, actual = expected.astype(np.float64), actual.astype(np.float64)
        error = actual - expected
        self.signal += float((expected**2).sum())
        self.noise += float((error**2).sum())
        self.simulated_noise += float(((simulated - expected) ** 2).sum())
        self.product += float((expected * actual).sum())
        self.power += float((actual**2).sum())
        self.low, self.high = min(self.low, expected.min()), max(self.high, expected.max())
        self.values += expected.size
        self._add_channels(expected, error)
        if self.layer.range is not None and self.layer.scale is not None:
            low, high, step = *self.layer.range, self.layer.scale
            self.clipped += int(((expected < low - step) | (expected > high + step)).sum())
            self.rounding_noise += float(((_quantized(expected, self.layer) - expected) ** 2).sum())
            self.clipping_noise += float(((np.clip(expected, low, high) - expected) ** 2).sum())

    def _add_channels(self, expected: Array, error: Array) -> None:
        inner = self.channels_first and self.layer.kind not in ("input", "Transpose")
        axis = 1 if inner and expected.ndim == 4 else -1
        values, errors = (
            np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]) for x in (expected, error)
        )
        largest = np.abs(values).max(axis=0)
        if not self.channels.size:
            self.channels = np.zeros((3, len(largest)))
        self.channels[0] = np.maximum(self.channels[0], largest)
        self.channels[1] += (values**2).sum(axis=0)
        self.channels[2] += (errors**2).sum(axis=0)

    @property
    def sqnr(self) -> float:
        """Of the layer's values, in dB."""
        return sqnr_db(self.signal, self.noise)

    @property
    def tensor_sqnr(self) -> float:
        """Of the float values when only this tensor is quantized, in dB; inf in float."""
        return sqnr_db(self.signal, self.rounding_noise) if self.layer.range else inf

    @property
    def clipped_fraction(self) -> float:
        """Of the float values, those outside the representable range."""
        return self.clipped / self.values if self.values else 0.0

    @property
    def noise_to_signal(self) -> float:
        """Of all values, or of the median channel where that is worse.

        Beside a channel with outliers the others hardly count in the total, and are lost all the same.
        """
        total = self.noise / self.signal if self.signal else (inf if self.noise else 0.0)
        signal, noise = self.channels[1:]
        alive = signal > 0
        return max(total, median(noise[alive] / signal[alive]) if alive.any() else 0.0)


def _quantized(values: Array, layer: Layer) -> Array:
    assert layer.scale is not None
    integers = np.rint(values / layer.scale) + layer.zero_point
    kept: Array = np.clip(integers, layer.least, layer.greatest)
    return (kept - layer.zero_point) * layer.scale


def _reshaped(values: Array, shape: tuple[int, ...]) -> Array:
    """The values in the float file's layout."""
    if values.size != int(np.prod(shape)):
        raise DataError(f"a layer of shape {values.shape} cannot be compared with one of {shape}.")
    if values.ndim == 4:
        for axes in ((0, 2, 3, 1), (0, 3, 1, 2)):
            if values.transpose(axes).shape == shape:
                return values.transpose(axes)
    return values.reshape(shape)
