"""Values made of all samples' statistics, that several metrics share."""

from math import nan

import numpy as np

from edgekit.data.samples import Array


def mean(statistics: Array) -> float:
    """The mean of the first column."""
    return float(np.mean(statistics[:, 0]))


def ratio(statistics: Array) -> float:
    """The first column's sum by the second's."""
    part, whole = (float(column.sum()) for column in statistics.T)
    return part / whole if whole else nan


def largest(statistics: Array) -> float:
    """The greatest of all."""
    return float(statistics.max(initial=0))
