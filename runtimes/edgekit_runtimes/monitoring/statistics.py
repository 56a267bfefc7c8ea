"""What is computed of each sample: a few numbers, so that a sample is one draw, whatever its size.

Values within a sample hang together (neighbouring pixels, the sensors of one machine): tests that took
them for separate draws would alarm all the time.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.monitoring.reference import Activation, Meaning, Statistic

CHANNELS = 32
"""The most channels that are looked at one by one."""

CLASSES = 4096
"""The most classes that are counted."""

_VALUES = 1 << 13  # the most values of a sample that are looked at: of larger ones, every n-th row
_IN_A_ROW = 4  # neighbours, the fewest whose roughness is measured
_COLOURS = (2, 3, 4)  # channels that are compared with each other


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tensor is looked at: which of its values, and which statistics."""

    shape: tuple[int, ...]
    """Of one sample."""
    meaning: Meaning
    activation: Activation
    low: float
    high: float
    channels: int
    thinned: tuple[slice, ...]
    """What of a batch is looked at."""
    names: tuple[tuple[Statistic, int | None], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Of a batch: its statistics, a row a sample."""

    values: Array
    """NaN in rows that are not finite."""
    finite: Array
    classes: Array | None
    """The predicted class of each sample, where there is one."""


def layout_of(
    shape: tuple[int, ...], meaning: Meaning, activation: Activation, low: float, high: float
) -> Layout:
    """How a tensor of this shape (of one sample) is looked at.

    >>> layout = layout_of((224, 224, 3), "image", "none", 0.0, 1.0)
    >>> layout.channels, layout.thinned[1]
    (3, slice(None, None, 19))
    """
    last = shape[-1] if shape else 1
    one_each = len(shape) <= 1
    channels = last if last <= CHANNELS else 1
    if meaning == "positions":
        channels = last
    return Layout(
        shape,
        meaning,
        activation,
        low,
        high,
        channels,
        _thinned(shape, channels),
        tuple(_names(shape, meaning, channels, one_each=one_each)),
    )


def meaning_of(shape: tuple[int, ...], task: str = "values") -> Meaning:
    """What a tensor holds, by the shape of one sample, and the task where it is an output."""
    if task in ("classes", "sequence") and shape and 2 <= shape[-1] <= CLASSES:
        return "classes" if len(shape) == 1 else "positions"
    if task in ("binary", "binary_logits") and prod(shape) == 1:
        return "binary"
    if task == "index" and prod(shape) == 1:
        return "index"
    pixels = len(shape) == 3 and shape[-1] in (1, 3, 4) and min(shape[:2]) >= 4
    return "image" if pixels and task == "values" else "numbers"


def thin(layout: Layout, batch: Array) -> Array:
    """A copy of what is looked at of a batch, batch axis first: the caller may use his arrays again."""
    return batch[layout.thinned].copy()


def measure(layout: Layout, batch: Array) -> Measured:
    """The statistics of each sample of a batch that ``thin`` made."""
    with np.errstate(all="ignore"):
        if layout.meaning in ("classes", "binary", "index", "positions"):
            return _predicted(layout, batch)
        return _numbers(layout, batch)


def _names(
    shape: tuple[int, ...], meaning: Meaning, channels: int, *, one_each: bool
) -> list[tuple[Statistic, int | None]]:
    if meaning == "index":
        return []
    if meaning in ("classes", "binary"):
        return [("confidence", None)]
    if meaning == "positions":
        shown = range(channels) if channels <= CHANNELS else ()
        return [("confidence", None), *[("share", c) for c in shown]]
    outside: list[tuple[Statistic, int | None]] = [("outside", None)]
    if prod(shape) == 1:
        return [("value", None), *outside]
    whole: list[tuple[Statistic, int | None]] = [("mean", None), ("spread", None), *outside]
    if one_each and channels > 1:
        return [*[("value", c) for c in range(channels)], *whole]
    each: list[tuple[Statistic, int | None]] = []
    if channels > 1:
        each = [*(("mean", c) for c in range(channels)), *(("spread", c) for c in range(channels))]
        if channels in _COLOURS:
            each += [("balance", c) for c in range(channels)]
    if shape[_neighbours(shape)] >= _IN_A_ROW:
        whole.append(("roughness", None))
    return [*whole, ("zeros", None), *each]


def _thinned(shape: tuple[int, ...], channels: int) -> tuple[slice, ...]:
    """Every n-th along one axis: never that of channels, and not that of neighbours where there is another."""
    step = -(-prod(shape) // _VALUES)
    axes = [slice(None)] * (len(shape) + 1)
    if step > 1:
        own = range(len(shape) - (channels > 1))
        free = [axis for axis in own if axis != _neighbours(shape)] or list(own)
        axis = max(free, key=lambda a: shape[a])
        axes[axis + 1] = slice(None, None, min(step, max(1, shape[axis] // 2)))
    return tuple(axes)


def _neighbours(shape: tuple[int, ...]) -> int:
    """The axis along which roughness is measured, of one sample."""
    return max(0, len(shape) - 2)


def _numbers(layout: Layout, batch: Array) -> Measured:
    x = batch.astype(np.float32, copy=False)
    count = len(x)
    # Channels first: sums along the last axis take a fifth of the time.
    flat = np.ascontiguousarray(x.reshape(count, -1, layout.channels).swapaxes(1, 2))
    means, spreads = flat.mean(2), flat.std(2)
    mean = means.mean(1)
    finite = np.isfinite(mean)
    values: dict[tuple[str, int | None], Array] = {("value", None): mean, ("mean", None): mean}
    spread = np.sqrt((spreads**2 + (means - mean[:, None]) ** 2).mean(1))
    values["spread", None] = spread
    outside = (flat < layout.low) | (flat > layout.high)
    values["outside", None] = outside.mean((1, 2))
    wanted = dict.fromkeys(layout.names)
    values["zeros", None] = (flat == 0).mean((1, 2))
    if ("roughness", None) in wanted:
        axis = _neighbours(layout.shape) + 1
        steps = np.diff(x, axis=axis)
        bends = np.abs(np.diff(steps, axis=axis)).reshape(count, -1)
        mean_step = np.abs(steps).reshape(count, -1).mean(1)
        # A constant sample has no steps that bends could be measured by.
        values["roughness", None] = bends.mean(1) / np.where(mean_step > 0, mean_step, 1)
    for channel in range(layout.channels):
        values["value", channel] = values["mean", channel] = means[:, channel]
        values["spread", channel] = spreads[:, channel]
        values["balance", channel] = means[:, channel] - mean
    table = np.stack([values[name] for name in layout.names], 1).astype(np.float64)
    table[~finite] = np.nan
    return Measured(table, finite, None)


def _predicted(layout: Layout, batch: Array) -> Measured:
    if layout.meaning == "index":
        numbers = batch.reshape(len(batch)).astype(np.float64)
        finite = np.isfinite(numbers)
        classes = np.where(finite, numbers, 0).astype(np.int64)
        return Measured(np.zeros((len(batch), 0)), finite, classes.clip(0, CLASSES - 1))
    scores = batch.astype(np.float32, copy=False)
    finite = np.isfinite(scores.reshape(len(scores), -1).sum(1))
    scores = np.where(finite.reshape(-1, *[1] * (scores.ndim - 1)), scores, 0)
    if layout.meaning == "binary":
        p: Array = scores.reshape(len(scores))
        p = 1 / (1 + np.exp(-p)) if layout.activation == "sigmoid" else p
        classes = (p > 0.5).astype(np.int64)
        table = np.maximum(p, 1 - p)[:, np.newaxis].astype(np.float64)
        table[~finite] = np.nan
        return Measured(table, finite, classes)
    best, top = scores.argmax(-1), scores.max(-1)
    if layout.activation == "softmax":
        top = 1 / np.exp(scores - top[..., np.newaxis]).sum(-1)
    if layout.meaning == "classes":
        table = top[:, np.newaxis].astype(np.float64)
        table[~finite] = np.nan
        return Measured(table, finite, best)
    columns = [top.reshape(len(top), -1).mean(1)]
    for statistic, channel in layout.names:
        if statistic == "share":
            columns.append((best == channel).reshape(len(best), -1).mean(1))
    table = np.stack(columns, 1).astype(np.float64)
    table[~finite] = np.nan
    return Measured(table, finite, None)
