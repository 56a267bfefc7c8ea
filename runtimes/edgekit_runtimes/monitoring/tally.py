"""``Tally``: what was seen of the last samples, block by block; and ``Seen``, sums of it that add up."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.monitoring.bins import Bins
from edgekit_runtimes.monitoring.reference import Reference, TensorReference
from edgekit_runtimes.monitoring.statistics import Layout, layout_of

BLOCK = 25
"""Samples after which is checked."""

WINDOWS = (1, 4, 16)
"""Blocks that are looked at together: of the last 25, 100 and 400 samples."""

_LARGEST = 1e38  # in place of infinity, in sums


@dataclass(frozen=True, slots=True)
class Watched:
    """One input or output that is monitored."""

    side: Literal["input", "output"]
    name: str
    reference: TensorReference
    layout: Layout
    rows: slice
    """Its statistics among those of all."""


def watched_of(reference: Reference) -> tuple[Watched, ...]:
    """The inputs and outputs of a reference, in order."""
    sides: tuple[tuple[Literal["input", "output"], dict[str, TensorReference]], ...] = (
        ("input", reference.inputs),
        ("output", reference.outputs),
    )
    found, start = [], 0
    for side, tensors in sides:
        for name, tensor in tensors.items():
            rows = slice(start, start + len(tensor.statistics))
            layout = layout_of(
                tensor.shape, tensor.meaning, tensor.activation, tensor.low, tensor.high
            )
            names = tuple((d.statistic, d.channel) for d in tensor.statistics)
            if names != layout.names:
                raise ValueError(f"{name}: its statistics are {names}, not {layout.names}")
            found.append(Watched(side, name, tensor, layout, rows))
            start = rows.stop
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of some samples. Two of the same reference add up, whatever process they are of."""

    samples: int
    counts: Array
    """By statistic and bin."""
    sums: Array
    squares: Array
    least: Array
    greatest: Array
    """By statistic."""
    classes: tuple[Array, ...]
    """By tensor, how often each class was predicted; empty where there are none."""
    not_finite: Array
    """By tensor, how many samples held NaN or infinite values."""

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            self.samples + other.samples,
            self.counts + other.counts,
            self.sums + other.sums,
            self.squares + other.squares,
            np.minimum(self.least, other.least),
            np.maximum(self.greatest, other.greatest),
            tuple(a + b for a, b in zip(self.classes, other.classes, strict=True)),
            self.not_finite + other.not_finite,
        )

    @property
    def means(self) -> Array:
        """By statistic; NaN where there is no sample."""
        return np.divide(self.sums, self._used, where=self._used > 0, out=self._nothing())

    @property
    def spreads(self) -> Array:
        """By statistic: the standard deviation."""
        means = self.means
        squares = np.divide(self.squares, self._used, where=self._used > 0, out=self._nothing())
        result: Array = np.sqrt(np.maximum(0, squares - means**2))
        return result

    @property
    def _used(self) -> Array:
        used: Array = self.counts.sum(1)
        return used

    def _nothing(self) -> Array:
        return np.full(len(self.sums), np.nan)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        names = ("counts", "sums", "squares", "least", "greatest", "not_finite")
        arrays = {name: np.nan_to_num(getattr(self, name)).tolist() for name in names}
        return {
            "samples": self.samples,
            **arrays,
            "classes": [counts.tolist() for counts in self.classes],
        }


def seen_from_dict(plain: dict[str, Any], like: Seen) -> Seen:
    """What ``Seen.to_dict`` made, of the same reference as ``like``.

    Raises:
        ValueError: it is of another, or damaged.
    """

    def array(name: str) -> Array:
        expected: Array = getattr(like, name)
        made = np.array(plain[name], expected.dtype).reshape(-1)
        if made.size != expected.size:
            raise ValueError(f"{name}: {made.size} numbers, and {expected.size} are wanted")
        return made.reshape(expected.shape)

    classes = tuple(np.array(counts, np.int64) for counts in plain["classes"])
    if [c.shape for c in classes] != [c.shape for c in like.classes]:
        raise ValueError("classes: of another number of classes")
    return Seen(
        int(plain["samples"]),
        array("counts"),
        array("sums"),
        array("squares"),
        array("least"),
        array("greatest"),
        classes,
        array("not_finite"),
    )


class Tally:
    """The last ``max(WINDOWS)`` blocks, in memory of fixed size."""

    def __init__(self, reference: Reference) -> None:
        self.watched = watched_of(reference)
        self.bins = Bins([d for w in self.watched for d in w.reference.statistics])
        self.blocks = 0
        statistics, tensors, kept = len(self.bins.reference), len(self.watched), max(WINDOWS)
        self._samples = np.zeros(kept, np.int64)
        self._counts = np.zeros((kept, *self.bins.reference.shape), np.int64)
        self._sums = np.zeros((4, kept, statistics))
        self._sums[2], self._sums[3] = np.inf, -np.inf
        self._not_finite = np.zeros((kept, tensors), np.int64)
        self._classes = [np.zeros((kept, len(w.reference.classes)), np.int64) for w in self.watched]

    def add(self, values: Array, finite: Array, classes: list[Array | None]) -> None:
        """Add a block of samples, a row each, in place of the oldest.

        Args:
            values: by statistic; NaN in those of a tensor that is not finite.
            finite: by tensor.
            classes: by tensor, the class of each sample.
        """
        at = self.blocks % len(self._samples)
        self.blocks += 1
        self._samples[at] = len(values)
        self._counts[at] = self.bins.count(values)
        self._not_finite[at] = (~finite).sum(0)
        missing = np.isnan(values)
        bounded = np.clip(np.where(missing, 0, values), -_LARGEST, _LARGEST)
        self._sums[0, at] = bounded.sum(0)
        self._sums[1, at] = (bounded**2).sum(0)
        self._sums[2, at] = np.where(missing, np.inf, bounded).min(0)
        self._sums[3, at] = np.where(missing, -np.inf, bounded).max(0)
        for tensor, found in enumerate(classes):
            if found is not None:
                counts = self._classes[tensor]
                known = found[finite[:, tensor]].clip(0, counts.shape[1] - 1)
                counts[at] = np.bincount(known, minlength=counts.shape[1])

    def last(self, blocks: int) -> Seen:
        """What was seen in the last blocks, or in as many as there are."""
        used = [i % len(self._samples) for i in range(max(0, self.blocks - blocks), self.blocks)]
        return Seen(
            int(self._samples[used].sum()),
            self._counts[used].sum(0),
            self._sums[0, used].sum(0),
            self._sums[1, used].sum(0),
            self._sums[2, used].min(0, initial=np.inf),
            self._sums[3, used].max(0, initial=-np.inf),
            tuple(counts[used].sum(0) for counts in self._classes),
            self._not_finite[used].sum(0),
        )
