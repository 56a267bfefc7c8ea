"""Values made of the means of per-sample statistics, that several metrics share.

Means are shaped (draws, columns), values (draws,).
"""

from edgekit.data.samples import Array


def mean(means: Array) -> Array:
    """The first column."""
    return means[:, 0]


def ratio(means: Array) -> Array:
    """The first column by the second."""
    quotient: Array = means[:, 0] / means[:, 1]
    return quotient


def one_of_all(statistics: Array) -> float:
    """The square of what one prediction is of all, of ``ratio``."""
    return float(1 / max(float(statistics[:, 1].sum()), 1.0) ** 2)
