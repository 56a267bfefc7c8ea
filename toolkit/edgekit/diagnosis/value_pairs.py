"""Values of an output, the original's beside the file's, as many as a scatter plot can show."""

from dataclasses import dataclass

import numpy as np

from edgekit.data.samples import Array

MOST_PAIRS = 300
"""Of one output: more dots only cover each other."""

_APART = 4  # values of a sample, each of which is plotted by itself; of more, all together


@dataclass(frozen=True, slots=True)
class ValuePairs:
    """Pairs of values, for one plot."""

    position: int | None
    """Of the values in the output; None where they are of all positions."""
    original: tuple[float, ...]
    candidate: tuple[float, ...]


class PairCollector:
    """A fixed choice of values, batch by batch: rows evenly apart, and the worst of each batch."""

    def __init__(self, samples: int, values: int) -> None:
        """Choose the rows.

        Args:
            samples: how many there will be.
            values: of one sample.
        """
        self._values = values
        self._apart = values <= _APART
        self._each = values if self._apart else max(1, MOST_PAIRS // max(samples, 1))
        count = min(samples, max(1, MOST_PAIRS // max(self._each, 1)))
        self._rows = np.linspace(0, samples - 1, count).round().astype(np.int64)
        self._kept: dict[int, list[tuple[float, float]]] = {}

    def add(self, first_row: int, expected: Array, actual: Array) -> None:
        """Add a batch of outputs, of any shape behind the samples' axis."""
        count = len(expected)
        if not count or not self._values:
            return
        expected, actual = expected.reshape(count, -1), actual.reshape(count, -1)
        errors = np.abs(actual - expected)
        errors[~np.isfinite(errors)] = -1.0
        worst, at = np.unravel_index(int(np.argmax(errors)), errors.shape)
        chosen = self._rows[(self._rows >= first_row) & (self._rows < first_row + count)]
        cells = {(int(row), p) for row in chosen for p in self._positions(int(row))}
        worst_row = first_row + int(worst)
        cells |= {(worst_row, p) for p in (range(self._values) if self._apart else [int(at)])}
        for row, position in sorted(cells):
            pair = (
                float(expected[row - first_row, position]),
                float(actual[row - first_row, position]),
            )
            if np.isfinite(pair).all():
                self._kept.setdefault(position if self._apart else -1, []).append(pair)

    def pairs(self) -> tuple[ValuePairs, ...]:
        """Return what was kept, a plot each."""
        return tuple(
            ValuePairs(
                position if self._apart and self._values > 1 else None,
                tuple(float(f"{before:.6g}") for before, _ in kept),
                tuple(float(f"{after:.6g}") for _, after in kept),
            )
            for position, kept in sorted(self._kept.items())
        )

    def _positions(self, row: int) -> list[int]:
        """The positions of one row; others in each, so that all are seen."""
        if self._apart:
            return list(range(self._values))
        step = max(1, self._values // self._each)
        return [(row + i * step) % self._values for i in range(self._each)]
