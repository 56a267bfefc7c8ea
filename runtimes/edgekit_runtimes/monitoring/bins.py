"""Counts between the quantiles of a reference: made, filled, compared, read.

Bins at fixed edges rather than a sketch that adapts: counts of several processes add up exactly, memory is
fixed, and what chance alone does to such counts is known whatever the distribution (``changes.py``). The
price is that quantiles are read between edges: to a twentieth of the reference's samples.
"""

from collections.abc import Sequence

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.monitoring.reference import Distribution, Statistic

BINS = 20
"""Between the outermost edges, of about the same number of samples each."""

_SAME = 1e-6  # of the largest value: closer values are one, computed on two processors
_BEYOND = 0.05  # of the range, from the outermost samples to the outermost edges
_FLOOR = 1e-4  # what PSI takes for a share of nothing


def distribution_of(statistic: Statistic, channel: int | None, values: Array) -> Distribution:
    """The distribution of a statistic of some samples; NaN is left out.

    >>> made = distribution_of("value", None, np.arange(40.0))
    >>> made.counts[:4], made.edges[:4]
    ((0, 2, 2, 2), (-1.95, 1.5, 3.5, 5.5))
    """
    ordered = np.sort(values[np.isfinite(values)].astype(np.float64))
    edges = np.array(_edges(ordered))
    counts = np.bincount(np.searchsorted(edges, ordered), minlength=len(edges) + 1)
    return Distribution(
        statistic,
        channel,
        len(ordered),
        tuple(edges.tolist()),
        tuple(counts.tolist()),
        _short(ordered.mean() if len(ordered) else 0.0),
        _short(ordered.std() if len(ordered) else 0.0),
    )


def _edges(ordered: Array) -> list[float]:
    if not len(ordered):
        return [0.0]
    low, high = float(ordered[0]), float(ordered[-1])
    size = max(abs(low), abs(high))
    gaps = np.flatnonzero(np.diff(ordered) > _SAME * size)
    chosen = []
    if len(gaps):
        for part in range(1, BINS):
            wanted = len(ordered) * part / BINS - 1
            chosen.append(int(gaps[np.abs(gaps - wanted).argmin()]))
    inner = [float(ordered[i] + ordered[i + 1]) / 2 for i in sorted(set(chosen))]
    margin = max(_BEYOND * (high - low), 1e-3 * size, 1e-9)
    edges = [_short(edge) for edge in [low - margin, *inner, high + margin]]
    return sorted(set(edges))


def _short(number: float) -> float:
    return float(f"{number:.7g}")


class Bins:
    """The edges of several distributions as one table, to fill them all at once."""

    def __init__(self, distributions: Sequence[Distribution]) -> None:
        width = max((len(d.edges) for d in distributions), default=0)
        self.size = width + 1
        self.edges = np.full((len(distributions), width), np.inf)
        self.reference = np.zeros((len(distributions), self.size), np.int64)
        for row, one in enumerate(distributions):
            self.edges[row, : len(one.edges)] = one.edges
            self.reference[row, : len(one.counts)] = one.counts
        self._first = np.arange(len(distributions)) * self.size

    def count(self, values: Array) -> Array:
        """How many of the samples (a row each) lie in each bin, by statistic; NaN in none."""
        if not self.edges.size:
            return np.zeros_like(self.reference)
        places = (values[:, :, np.newaxis] > self.edges).sum(2) + self._first
        places = places[~np.isnan(values)]
        counts = np.bincount(places, minlength=self.reference.size)
        return counts.reshape(self.reference.shape)


def stability_index(reference: Array, seen: Array) -> float:
    """The population stability index of two rows of counts; a bin of none counts as 0.0001.

    >>> round(stability_index(np.array([50, 50]), np.array([75, 25])), 3)
    0.275
    """
    used = (reference + seen) > 0
    a, b = (np.maximum(c[used] / max(1, c.sum()), _FLOOR) for c in (reference, seen))
    return float(((b - a) * np.log(b / a)).sum())


def by_chance(reference: Array, seen: Array) -> float:
    """What the index of two such rows is about where both are drawn from the same distribution."""
    bins = int(((reference + seen) > 0).sum())
    return float(max(0, bins - 1) * (1 / max(1, reference.sum()) + 1 / max(1, seen.sum())))


def kolmogorov_distance(reference: Array, seen: Array) -> float:
    """The largest difference of the two cumulative shares, at any edge.

    >>> kolmogorov_distance(np.array([50, 50]), np.array([75, 25]))
    0.25
    """
    a, b = (c.cumsum() / max(1, c.sum()) for c in (reference, seen))
    return float(np.abs(a - b).max())


def quantile(edges: Sequence[float], counts: Array, share: float) -> float:
    """The value that a share of the samples is below, read between the edges.

    >>> quantile([0.0, 1.0, 2.0], np.array([0, 5, 5, 0]), 0.25)
    0.5
    """
    total = int(counts.sum())
    if not total:
        return float("nan")
    below = counts[: len(edges)].cumsum() / total
    at = int(np.searchsorted(below, share))
    if at == 0 or at == len(edges):
        return float(edges[min(at, len(edges) - 1)])
    part = (share - below[at - 1]) / (below[at] - below[at - 1])
    return float(edges[at - 1] + part * (edges[at] - edges[at - 1]))
