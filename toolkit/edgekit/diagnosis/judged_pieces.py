"""What a piece of a model made elsewhere, judged by what it should make: rounding, or a fault."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.accuracy.comparison import sqnr_db
from edgekit.data.samples import Array
from edgekit.diagnosis.value_differences import Values, describe
from edgekit_converters.pieces import Port

STEPS = 2
"""By how many steps of its scale a quantized tensor may differ where one operator makes it: kernels round
differently, by one, and some in two places."""

OF_RANGE = 1 / 128
"""The same of float32, and of 16-bit integers, as a part of the largest value: room for kernels that compute in
16 bits, of which bfloat16 has eight."""

_LEAST_OF_LOOPS = 15.0  # dB of signal to noise; a wrong operator in a loop leaves a few
_MOST_STEPS = 10  # of 8-bit integers; of more the mean says nothing
_MEAN_STEPS = 0.75  # that all values are off in one direction: rounding goes both ways


@dataclass(frozen=True, slots=True)
class Difference:
    """A tensor that is not what it should be."""

    tensor: str
    largest_error: float
    """As real numbers."""
    allowed: float
    steps: float | None
    """The largest error in steps of the tensor's scale; None where it has none."""
    wrong: float
    """The fraction of values that differ by more than is allowed."""
    how: str


def find_difference(
    expected: Array,
    actual: Array,
    port: Port,
    *,
    channels_first: bool,
    allowed: float = 1.0,
    tolerance: float | None = None,
    loop: bool = False,
) -> Difference | None:
    """Compare what was made with what should be; None where it is the same but for rounding.

    Args:
        expected: one row a sample.
        actual: the same elsewhere.
        port: the tensor.
        channels_first: whether images have their channels before height and width.
        allowed: times what one operator's rounding may come to.
        tolerance: how far values may be apart, where it is known otherwise.
        loop: whether operators ran many times for it: then the noise of all values counts.
    """
    if actual.shape != expected.shape:
        shapes = " and not ".join("x".join(map(str, a.shape[1:])) for a in (actual, expected))
        return Difference(port.name, np.inf, 0.0, None, 1.0, f"its shape is {shapes}")
    if expected.dtype.kind == "b" or (expected.dtype.kind in "iu" and expected.dtype.itemsize > 2):
        values = Values(expected.astype(np.float64), actual.astype(np.float64), 0.0)
    else:
        values = _real(expected, actual, port, channels_first, allowed)
        if tolerance is not None:
            values = replace(values, limit=tolerance, step=None)
    if not values.expected.size or not _differs(values) or (loop and _is_rounding(values)):
        return None
    errors = np.abs(values.actual - values.expected)
    largest = float(errors.max()) if np.isfinite(errors).all() else np.inf
    return Difference(
        port.name,
        largest,
        values.limit,
        largest / values.step if values.step else None,
        float(values.wrong.mean()),
        describe(values),
    )


def _real(
    expected: Array, actual: Array, port: Port, channels_first: bool, allowed: float
) -> Values:
    is_integer = expected.dtype.kind in "iu"
    scale = port.scale or 1.0
    first, second = (
        _images_last(
            (x.astype(np.float64) - port.zero_point) * scale
            if is_integer
            else x.astype(np.float64),
            channels_first,
        )
        for x in (expected, actual)
    )
    if is_integer and expected.dtype.itemsize == 1:
        # Half a step more: what is exactly at the limit must not hang on the last bit of a product.
        return Values(first, second, (allowed * STEPS + 0.5) * scale, scale)
    finite = first[np.isfinite(first)]
    largest = float(np.abs(finite).max(initial=0.0))
    least = STEPS * scale if is_integer else 1e-6
    limit = max(allowed * OF_RANGE * largest, least)
    return Values(first, second, limit, scale if is_integer else None)


def _differs(values: Values) -> bool:
    if values.wrong.any():
        return True
    if values.step is None or values.limit > _MOST_STEPS * values.step:
        return False
    ends = [values.expected.min(), values.expected.max()]
    free = ~np.isin(values.expected, ends)  # those at the ends cannot differ both ways
    apart = (values.actual - values.expected)[free]
    return apart.size > 32 and abs(float(apart.mean())) > _MEAN_STEPS * values.step


def _is_rounding(values: Values) -> bool:
    """Whether the noise is what rounding may add up to, however far single values are apart."""
    signal = float((values.expected**2).sum())
    noise = float(((values.actual - values.expected) ** 2).sum())
    return sqnr_db(signal, noise) >= _LEAST_OF_LOOPS


def _images_last(values: Array, channels_first: bool) -> Array:
    """Samples and batch in one axis, channels in the last."""
    rows = values.reshape(-1, *values.shape[2:]) if values.ndim > 2 else values
    return np.moveaxis(rows, 1, -1) if channels_first and rows.ndim == 4 else rows


def differences(
    expected: Sequence[Array],
    actual: Sequence[Array],
    ports: Sequence[Port],
    *,
    channels_first: bool,
    allowed: float = 1.0,
    loop: bool = False,
) -> list[Difference]:
    """The same of everything that a part makes."""
    found = (
        find_difference(e, a, port, channels_first=channels_first, allowed=allowed, loop=loop)
        for e, a, port in zip(expected, actual, ports, strict=True)
    )
    return [difference for difference in found if difference is not None]
