"""Each class by itself: how often the original and a file predict it, and how often they are right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.data.samples import Array
from edgekit.names import class_name

MOST_CLASSES = 1000
"""Of more, those are kept that changed most: a vocabulary would outgrow the report."""


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One class, in counts of predictions; without labels the original's predictions are the labels."""

    number: int
    name: str
    labels: int
    """How many have this class."""
    original_predicted: int
    """How many the original predicts to have it."""
    original_correct: int
    """How many of those have it."""
    candidate_predicted: int
    candidate_correct: int

    @property
    def original_f1(self) -> float:
        """The harmonic mean of the original's precision and recall."""
        return _ratio(2 * self.original_correct, self.labels + self.original_predicted)

    @property
    def candidate_f1(self) -> float:
        """The harmonic mean of the file's precision and recall."""
        return _ratio(2 * self.candidate_correct, self.labels + self.candidate_predicted)


class ClassCounts:
    """Counts of predictions by class, batch by batch."""

    def __init__(self, classes: int) -> None:
        self._counts = np.zeros((5, classes), np.int64)

    def add(self, labels: Array, original: Array, candidate: Array) -> None:
        """Add a batch of classes of any shape; labels that are no class do not count."""
        classes = self._counts.shape[1]
        known = (labels >= 0) & (labels < classes)
        true = labels[known]
        predictions = original[known], candidate[known]
        counted = [true, *(part for p in predictions for part in (p, p[p == true]))]
        self._counts += [np.bincount(part, minlength=classes) for part in counted]

    def add_several(self, labels: Array, original: Array, candidate: Array) -> None:
        """Add a batch of predictions of several classes at once: 1 or 0 for each, in the last axis."""
        classes = self._counts.shape[1]
        true, *predictions = (x.reshape(-1, classes) == 1 for x in (labels, original, candidate))
        counted = [true, *(part for p in predictions for part in (p, p & true))]
        self._counts += [part.sum(axis=0) for part in counted]

    def results(self, names: Sequence[str]) -> tuple[ClassResult, ...]:
        """Return the classes that occur, in their order."""
        rows = self._counts.T
        present = np.flatnonzero(rows.any(axis=1)).tolist()
        found = [ClassResult(at, class_name(at, names), *map(int, rows[at])) for at in present]
        if len(found) > MOST_CLASSES:
            ranked = sorted(found, key=lambda c: -abs(c.original_f1 - c.candidate_f1))
            kept = {id(result) for result in ranked[:MOST_CLASSES]}
            found = [result for result in found if id(result) in kept]
        return tuple(found)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
