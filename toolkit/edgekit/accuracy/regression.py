"""Per-sample statistics of outputs that are numbers, against labels, and the metrics made of them.

Truth and values are shaped (samples, values).
"""

import numpy as np

from edgekit.accuracy.aggregates import ratio
from edgekit.data.samples import Array

_COLUMNS = 32  # values of an output, up to which R2 is computed of each by itself


def errors(truth: Array, values: Array, power: int) -> Array:
    """Sum absolute errors to a power, and count them."""
    error = np.abs(values - truth) ** power
    return np.stack([error.sum(axis=1), np.full(len(error), error.shape[1])], axis=1)


def rmse(means: Array) -> Array:
    """The root of the mean squared error."""
    root: Array = np.sqrt(ratio(means))
    return root


def moments(truth: Array, values: Array) -> Array:
    """The truth, its square and the squared error of each value; of many values, their means."""
    parts = [truth, truth**2, (values - truth) ** 2]
    if truth.shape[1] > _COLUMNS:
        parts = [part.mean(axis=1, keepdims=True) for part in parts]
    return np.concatenate(parts, axis=1)


def r2(means: Array) -> Array:
    """1 - squared error / variance: the mean over values, or of many values all together."""
    total, squares, errors = np.moveaxis(means.reshape(len(means), 3, -1), 1, 0)
    variance = squares - total**2
    known = variance > 1e-12 * np.maximum(squares, 1e-300)
    each = np.where(known, 1 - errors / np.where(known, variance, 1), np.nan)
    explained: Array = np.nanmean(each, axis=1)
    return explained
