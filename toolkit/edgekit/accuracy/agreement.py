"""Agreement of two classifications, and how much of it chance would give (Cohen's kappa)."""

from collections import Counter
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from edgekit.data.samples import Array

_DEVIATIONS = 1.96  # of a 95% interval


@dataclass(slots=True)
class Agreement:
    """Two classifications of the same samples, counted batch by batch.

    Source: J. Cohen, A Coefficient of Agreement for Nominal Scales, 1960; its standard error too.

    >>> agreement = Agreement()
    >>> agreement.add(np.array([[0], [0], [0], [1]]), np.array([[0], [0], [0], [0]]))
    >>> agreement.fraction, agreement.by_chance, agreement.kappa
    (0.75, 0.75, 0.0)
    """

    samples: int = 0
    predictions: int = 0
    same: int = 0
    first: Counter[int] = field(default_factory=Counter)
    """How often the first gives each class."""
    second: Counter[int] = field(default_factory=Counter)

    def add(self, first: Array, second: Array, counted: Array | None = None) -> None:
        """Add a batch: classes of shape (samples, predictions) by both, and which of them count."""
        self.samples += len(first)
        if counted is not None:
            first, second = first[counted], second[counted]
        self.predictions += first.size
        self.same += int((first == second).sum())
        for counter, classes in ((self.first, first), (self.second, second)):
            values, counts = np.unique(classes, return_counts=True)
            counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    @property
    def fraction(self) -> float:
        """The fraction of predictions that are the same."""
        return self.same / max(self.predictions, 1)

    @property
    def by_chance(self) -> float:
        """The fraction that would be, were the two independent."""
        pairs = sum(count * self.second[value] for value, count in self.first.items())
        return pairs / max(self.predictions, 1) ** 2

    @property
    def kappa(self) -> float:
        """The agreement beyond chance: 1 where all are the same, 0 where none is but by chance."""
        left = 1 - self.by_chance
        return (self.fraction - self.by_chance) / left if left > 0 else 0.0

    @property
    def margin(self) -> float:
        """Half the width of kappa's 95% interval, with one prediction a sample counted."""
        left = 1 - self.by_chance
        if left <= 0:
            return 0.0
        fraction = self.fraction
        return _DEVIATIONS * sqrt(fraction * (1 - fraction) / max(self.samples, 1)) / left
