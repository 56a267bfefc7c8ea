"""How the values of one tensor differ from the right ones, in words: one function for each way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.data.samples import Array

_NEARLY_ALL = 0.99
_MOST_CHANNELS = 256  # to look for each among all others
_FEWEST_VALUES = 8  # of a channel, to find a factor and a constant from
_SAMPLED = 4096  # values of a channel that are compared with another channel's


@dataclass(frozen=True, slots=True)
class Values:
    """What a tensor should be, and what it is: real numbers, channels last, samples first."""

    expected: Array
    actual: Array
    limit: float
    """How far two kernels may be apart by rounding."""
    step: float | None = None
    """The tensor's scale, where it holds integers."""

    @property
    def wrong(self) -> Array:
        """Which values are further apart than that."""
        right: Array = np.abs(self.actual - self.expected) <= self.limit
        return ~right

    def fits(self, explained: Array, actual: Array | None = None, times: Any = 1.0) -> bool:
        """Whether nearly all values are what an explanation says, but for so many times rounding."""
        found = self.actual if actual is None else actual
        return bool((np.abs(found - explained) <= times * self.limit).mean() >= _NEARLY_ALL)

    def cut(self, explained: Array) -> Array:
        """An explanation within what the tensor can be: beyond, its integers are cut off."""
        return np.clip(explained, self.actual.min(), self.actual.max())


Way = Callable[[Values], str]
"""Words, where the values differ in this way; else empty."""


def describe(values: Values) -> str:
    """Say how values differ: the first way that explains nearly all of them."""
    return next(filter(None, (way(values) for way in WAYS)), "") or _otherwise(values)


def _not_finite(values: Values) -> str:
    lost = ~np.isfinite(values.actual)
    return f"{lost.mean():.1%} of the values are NaN or infinite" if lost.any() else ""


def _all_the_same(values: Values) -> str:
    first = values.actual.flat[0]
    same = bool((values.actual == first).all()) and np.ptp(values.expected) > values.limit
    return f"every value is {first:.4g}: nothing was computed" if same else ""


def _cut_off(values: Values) -> str:
    low, high = float(values.actual.min()), float(values.actual.max())
    for least, most in ((None, high), (low, None), (low, high)):
        cut = np.clip(values.expected, least, most)
        if not values.fits(cut) or not (np.abs(values.expected - cut) > values.limit).any():
            continue
        near_zero = least is not None and abs(least) <= values.limit
        if near_zero and most is None:
            return "negative values became 0: an activation (Relu) that is not in the file"
        ends = [
            f"values {word} {end:.4g} became {end:.4g}"
            for word, end in (("below", least), ("above", most))
            if end is not None
        ]
        like = ", as of a ReLU6 that is not in the file" if abs(high - 6) <= values.limit else ""
        return f"saturates: {', '.join(ends)}{like}"
    return ""


def _activation_missing(values: Values) -> str:
    low, high = float(values.expected.min()), float(values.expected.max())
    cut = np.clip(values.actual, low, high)
    if not values.fits(values.expected, cut) or not values.wrong.any():
        return ""
    ends = [
        f"{word} {end:.4g}"
        for word, end, passed in (
            ("below", low, values.actual.min() < low - values.limit),
            ("above", high, values.actual.max() > high + values.limit),
        )
        if passed
    ]
    return f"values {' and '.join(ends)} are not cut off: the activation is missing" if ends else ""


def _at_the_edges(values: Values) -> str:
    if values.expected.ndim != 4:
        return ""
    wrong = values.wrong
    height, width = wrong.shape[1:3]
    for edge in (1, 2, 3):
        if min(height, width) <= 2 * edge:
            break
        inner = wrong[:, edge:-edge, edge:-edge]
        if wrong.any() and inner.mean() <= 1 - _NEARLY_ALL and inner.mean() < wrong.mean() / 4:
            return "only values at the edges differ: other padding, or other numbers in it"
    return ""


def _shifted(values: Values) -> str:
    if values.expected.ndim != 4 or min(values.expected.shape[1:3]) < 3:
        return ""
    for rows, columns in ((1, 1), (-1, -1), (1, 0), (0, 1), (-1, 0), (0, -1), (1, -1), (-1, 1)):
        moved, still = values.actual, values.expected
        for axis, by in ((1, rows), (2, columns)):
            size = moved.shape[axis]
            moved = np.take(moved, range(max(by, 0), size + min(by, 0)), axis)
            still = np.take(still, range(max(-by, 0), size - max(by, 0)), axis)
        if values.fits(still, moved):
            return (
                f"shifted by {rows} rows and {columns} columns: the padding is on the other sides"
            )
    return ""


def _constant_offset(values: Values) -> str:
    offset = float(np.median(values.actual - values.expected))
    if abs(offset) <= values.limit / 4 or not values.fits(values.cut(values.expected + offset)):
        return ""
    steps = f" ({offset / values.step:+.0f} steps: a zero point)" if values.step else ""
    return f"a constant offset of {offset:.4g}{steps}"


def _factor(values: Values) -> str:
    power = float((values.expected**2).sum())
    factor = float((values.expected * values.actual).sum()) / power if power else 1.0
    if abs(factor - 1) <= 0.01 or not values.fits(values.cut(factor * values.expected)):
        return ""
    return f"values are {factor:.3g} times the right ones: a wrong scale"


def _channels(values: Values) -> tuple[Array, Array] | None:
    """Both as (values, channels); None where there are no channels to speak of."""
    if values.expected.ndim < 2 or values.expected.shape[-1] < 2:
        return None
    count = values.expected.shape[-1]
    return values.expected.reshape(-1, count), values.actual.reshape(-1, count)


def _other_order(values: Values) -> str:
    both = _channels(values)
    if both is None or both[0].shape[1] > _MOST_CHANNELS:
        return ""
    every = max(1, len(both[0]) // _SAMPLED)
    expected, actual = both[0][::every], both[1][::every]
    source = []
    for at in range(expected.shape[1]):
        apart = np.abs(expected - actual[:, at : at + 1]).mean(axis=0)
        apart[at] -= 1e-12  # of equal channels its own counts
        source.append(int(apart.argmin()))
    moved = [at for at, other in enumerate(source) if at != other]
    if not moved or not values.fits(values.expected[..., source]):
        return ""
    if sorted(source) != list(range(len(source))):
        return ""
    listed = ", ".join(f"{at} has {source[at]}'s" for at in moved[:4])
    return f"channels in another order: {listed}{', ...' if len(moved) > 4 else ''}"


def _each_channel(values: Values) -> str:
    """A factor and a constant for each channel: where scales or biases are of others."""
    both = _channels(values)
    if both is None or len(both[0]) < _FEWEST_VALUES:
        return ""
    expected, actual = both
    factors, constants = np.ones(expected.shape[1]), np.zeros(expected.shape[1])
    for at in range(expected.shape[1]):
        e, a = expected[:, at], actual[:, at]
        free = (e > expected.min() + values.limit) & (e < expected.max() - values.limit)
        free &= (a > actual.min() + values.limit) & (a < actual.max() - values.limit)
        if free.sum() < _FEWEST_VALUES:
            continue
        if np.ptp(e[free]) > values.limit:
            factors[at], constants[at] = np.polyfit(e[free], a[free], 1)
        else:
            constants[at] = float(np.mean(a[free] - e[free]))
    explained = values.cut(expected * factors + constants)
    # What was rounded before it was multiplied is off by as much more.
    if not values.fits(explained, actual, times=np.maximum(1.0, np.abs(factors))):
        return ""
    if np.abs(factors - 1).max() > 0.02:
        return (
            f"each channel has a factor of its own, {factors.min():.3g} to {factors.max():.3g}: one scale "
            "for all where the file has one for each, or another channel's"
        )
    return (
        f"each channel is off by a constant of its own, {constants.min():.3g} to {constants.max():.3g}: a bias, "
        "or the zero point of the input"
    )


def _large_values(values: Values) -> str:
    """Large values are wrong and small ones are not, and what is wrong is too small."""
    wrong, size = values.wrong, np.abs(values.expected)
    if not wrong.any():
        return ""
    low, high = np.quantile(size, [0.25, 0.75])
    small, large = float(wrong[size <= low].mean()), float(wrong[size >= high].mean())
    error = (values.actual - values.expected)[wrong]
    towards_zero = float((np.sign(error) == -np.sign(values.expected[wrong])).mean())
    if large < 0.1 or small > large / 4 or towards_zero < 0.8:
        return ""
    return f"{large:.0%} of the large values come out too small, and {small:.0%} of the small ones: sums saturate"


WAYS: tuple[Way, ...] = (
    _not_finite,
    _all_the_same,
    _cut_off,
    _activation_missing,
    _constant_offset,
    _factor,
    _at_the_edges,
    _other_order,
    _shifted,
    _each_channel,
    _large_values,
)
"""In the order in which they are tried: what explains a difference by one number first."""


def _otherwise(values: Values) -> str:
    return (
        f"{values.wrong.mean():.0%} of the values differ, without a simple pattern: other weights (another "
        "layout, transposed), or another operator"
    )
