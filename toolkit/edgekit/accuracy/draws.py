"""Values of many draws of the same samples at once, as intervals need them.

A draw says how often it took each sample: weights, shaped (draws, samples). Statistics are shaped (samples,
columns), values (draws,), and values by class (classes, draws).
"""

import warnings
from collections.abc import Callable

import numpy as np

from edgekit.data.samples import Array

OfDraws = Callable[[Array, Array], Array]
"""Statistics and weights to the value of each draw, or to the values by class."""


def at_once(of_draws: OfDraws) -> Callable[[Array], float]:
    """Make the value of all samples, each taken once, of a function of draws."""

    def value(statistics: Array) -> float:
        return float(of_draws(statistics, np.ones((1, len(statistics))))[0])

    return value


def of_means(function: Callable[[Array], Array]) -> OfDraws:
    """Make a function of draws of one of their means, (draws, columns) to (draws,)."""

    def values(statistics: Array, weights: Array) -> Array:
        means = weights @ statistics / weights.sum(axis=1, keepdims=True)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a draw that has no value
            return function(means)

    return values


def over_classes(by_class: OfDraws) -> OfDraws:
    """Make the mean over classes, of those that have a value."""

    def values(statistics: Array, weights: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a draw without any
            mean: Array = np.nanmean(by_class(statistics, weights), axis=0)
        return mean

    return values
