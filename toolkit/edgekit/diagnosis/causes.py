"""The likely cause of the noise that a layer adds: one function for each, the first match counts."""

from collections.abc import Callable
from statistics import median

from edgekit.accuracy.comparison import sqnr_db
from edgekit.diagnosis.layer_statistics import LayerStatistics
from edgekit_runtimes.host import exact_int8

_APART = 6.0  # dB: four times the noise
_CLIPPING = 0.5  # the part of a tensor's rounding noise from which on clipping is the cause
_FEW_STEPS = 40  # of 256 that the values use: fewer, and the range is too wide
_OUTLIER = 8.0  # a channel's largest value against the median channel's
_SLOPE = 0.05  # how far from 1 a wrong scale makes the values
_FAR_OFF = 15.0  # dB, of a layer whose weights cannot be the float file's
_MUCH_MORE = 10  # times the noise of what the layer reads

Cause = Callable[[LayerStatistics, float], str]
"""Takes a layer's statistics and the noise to signal of its inputs; empty where it does not apply."""


def find_cause(layer: LayerStatistics, input_noise: float) -> str:
    """Name the likely cause of a layer's noise; empty where plain rounding explains it."""
    return next(filter(None, (cause(layer, input_noise) for cause in CAUSES)), "")


def _integer_kernel(layer: LayerStatistics, input_noise: float) -> str:  # noqa: ARG001
    if sqnr_db(layer.signal, layer.simulated_noise) <= layer.sqnr + _APART:
        return ""
    why = "" if exact_int8() else ", as signed weights do on x86 processors without VNNI"
    return (
        f"the runtime's integer kernel differs from the file's definition: its sums saturate{why}"
    )


def _range_too_narrow(layer: LayerStatistics, input_noise: float) -> str:  # noqa: ARG001
    if not _tensor_is_to_blame(layer) or layer.clipping_noise <= _CLIPPING * layer.rounding_noise:
        return ""
    return f"range too narrow: {_ranges(layer)}; {layer.clipped_fraction:.1%} of the values are clipped"


def _range_too_wide(layer: LayerStatistics, input_noise: float) -> str:  # noqa: ARG001
    if not _tensor_is_to_blame(layer) or not layer.layer.scale:
        return ""
    steps = (layer.high - layer.low) / layer.layer.scale
    if layer.layer.greatest - layer.layer.least >= 256 or not 0 < steps < _FEW_STEPS:
        return ""
    return f"range too wide: {_ranges(layer)}; {steps:.0f} of 256 steps are used"


def _channel_outlier(layer: LayerStatistics, input_noise: float) -> str:  # noqa: ARG001
    largest = layer.channels[0]
    used = largest[largest > 0]
    if not _tensor_is_to_blame(layer) or used.size < 2 or used.max() <= _OUTLIER * median(used):
        return ""
    return (
        f"outlier channel: channel {int(largest.argmax())} reaches {used.max():.3g}, the median channel "
        f"{median(used):.3g}, and one scale covers all"
    )


def _wrong_scale(layer: LayerStatistics, input_noise: float) -> str:  # noqa: ARG001
    slope = layer.product / layer.signal if layer.signal else 1.0
    noise_left = layer.power - slope * layer.product  # with the factor that fits best taken out
    if abs(slope - 1) <= _SLOPE or noise_left >= layer.noise / 4:
        return ""
    return (
        f"wrong scale of the weights or the tensor: values are {slope:.2g} times the float file's"
    )


def _wrong_weights(layer: LayerStatistics, input_noise: float) -> str:
    if layer.noise_to_signal <= _MUCH_MORE * input_noise or layer.sqnr >= _FAR_OFF:
        return ""
    return "weights or scales differ from the float file's"


CAUSES: tuple[Cause, ...] = (
    _integer_kernel,
    _range_too_narrow,
    _range_too_wide,
    _channel_outlier,
    _wrong_scale,
    _wrong_weights,
)


def _tensor_is_to_blame(layer: LayerStatistics) -> bool:
    """Whether quantizing this tensor alone explains the layer's noise."""
    return layer.layer.range is not None and layer.tensor_sqnr < layer.sqnr + _APART


def _ranges(layer: LayerStatistics) -> str:
    assert layer.layer.range is not None
    low, high = layer.layer.range
    return f"representable {low:.3g}..{high:.3g}, observed {layer.low:.3g}..{layer.high:.3g}"
