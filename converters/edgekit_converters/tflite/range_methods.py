"""How the range of a tensor is found: its extremes, or less where that rounds the rest more finely.

What lies outside a range is clipped to it, and what lies inside is rounded by 255 steps or so. A second
pass over the samples counts the values of each tensor in 2,048 bins between its extremes, so memory does
not grow with the number of samples; all methods work on these counts.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit_converters.base import Array, ConversionError, Range, Samples
from edgekit_converters.tflite.calibration import Ranges, computed_tensors, runs_over

EXTREMES, MSE, PERCENTILE = "extremes", "mse", "percentile"
_BINS = 2048
_LEAST = 0.3  # of an extreme that the least squared error is looked for at
_STEPS = 71  # from there to the extreme itself: by hundredths
_ONE_SIDED = 0.02  # of the other side: a side below that is kept

Histograms = Mapping[str, Array]
"""How many values of each tensor are in each of the bins between its extremes, by tensor name."""


def check_method(method: str) -> None:
    """Refuse what is no method of finding ranges.

    >>> check_method("percentile:99.99")

    Raises:
        ConversionError: it is none of ``extremes``, ``mse`` and ``percentile:P``, where 50 < P <= 100.
    """
    if method not in (EXTREMES, MSE):
        _percent(method)


def _percent(method: str) -> float:
    kind, _, number = method.partition(":")
    try:
        percent = float(number) if kind == PERCENTILE else 0.0
    except ValueError:
        percent = 0.0
    if not 50 < percent <= 100:
        raise ConversionError(
            f"ranges={method!r}: choose {EXTREMES}, {MSE}, or {PERCENTILE}:P with P above 50 and at most "
            f"100, as {PERCENTILE}:99.99."
        )
    return percent


def histograms_over(graph: Path, samples: Samples, extremes: Ranges) -> Histograms:
    """Count the values of each computed tensor of the main graph over the samples.

    Args:
        graph: the float TFLite file.
        samples: those that ``extremes`` are of.
        extremes: from ``ranges_over``. A tensor that is always the same has no counts.
    """
    tensors = {
        name: index
        for name, index in computed_tensors(graph).items()
        if name in extremes and extremes[name][1] > extremes[name][0]
    }
    counts = {name: np.zeros(_BINS, np.int64) for name in tensors}
    for run in runs_over(graph, samples):
        for name, index in tensors.items():
            low, high = (float(end) for end in extremes[name])
            places = (run.get_tensor(index).reshape(-1) - low) * (_BINS / (high - low))
            places = np.clip(places.astype(np.int32), 0, _BINS - 1)
            counts[name] += np.bincount(places, minlength=_BINS)
    return counts


def chosen_ranges(extremes: Ranges, histograms: Histograms, method: str, bits: int = 8) -> Ranges:
    """Return the range of each tensor by a method; of tensors without counts, as in loops, the extremes.

    Args:
        extremes: from ``ranges_over``.
        histograms: from ``histograms_over``.
        method: ``extremes``, ``mse`` or ``percentile:P``.
        bits: of the integers that the tensors are rounded to.

    Raises:
        ConversionError: the method is none of these.
    """
    check_method(method)
    if method == EXTREMES:
        return extremes
    chosen = dict(extremes)
    for name, counts in histograms.items():
        if not counts.sum():
            continue
        chosen[name] = (
            _least_error(extremes[name], counts, bits)
            if method == MSE
            else _percentiles(extremes[name], counts, _percent(method))
        )
    return chosen


def _percentiles(extremes: Range, counts: Array, percent: float) -> Range:
    """Return the range that holds so many of a hundred values; half of the rest lies on each side.

    A tensor that is never negative keeps its lower end.
    """
    low, high = (float(end) for end in extremes)
    edges = np.linspace(low, high, _BINS + 1)
    share = (100 - percent) / 200
    upto = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(upto, share, side="right"))
    last = int(np.searchsorted(upto, 1 - share))
    below = edges[min(first, _BINS - 1)] if low < 0 else low
    above = edges[min(last + 1, _BINS)] if high > 0 else high
    return np.float32(below), np.float32(above)


def _least_error(extremes: Range, counts: Array, bits: int) -> Range:
    """Return the range with the least squared error: of rounding inside it, and of clipping outside."""
    edges = np.linspace(float(extremes[0]), float(extremes[1]), _BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    low, high = min(edges[0], 0.0), max(edges[-1], 0.0)
    shares = np.linspace(_LEAST, 1, _STEPS)
    lows = low * (shares if low < -_ONE_SIDED * high else np.ones(1))
    highs = high * (shares if high > -_ONE_SIDED * low else np.ones(1))
    cut_low = np.array([np.sum(counts * np.maximum(end - middles, 0) ** 2) for end in lows])
    cut_high = np.array([np.sum(counts * np.maximum(middles - end, 0) ** 2) for end in highs])
    steps = (highs[np.newaxis] - lows[:, np.newaxis]) / (2**bits - 1)
    errors = cut_low[:, np.newaxis] + cut_high[np.newaxis] + counts.sum() * steps**2 / 12
    best_low, best_high = np.unravel_index(np.argmin(errors), errors.shape)
    return np.float32(lows[best_low]), np.float32(highs[best_high])
