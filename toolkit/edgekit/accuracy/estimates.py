"""Estimate: a metric of two models on the same samples, with the drop and 95% intervals."""

from dataclasses import dataclass
from math import inf

import numpy as np

from edgekit.accuracy.classification import OUTCOME
from edgekit.accuracy.intervals import (
    Interval,
    bootstrap_interval,
    drop_interval,
    fraction_interval,
)
from edgekit.accuracy.metrics import Metric
from edgekit.data.samples import Array


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with the per-sample statistics of both models."""

    name: str
    metric: Metric
    before: Array | None
    """The original's statistics; None where the metric compares with the original."""
    after: Array
    """The file's."""

    @property
    def value(self) -> float:
        """The file's value."""
        return self.metric.value(self.after)

    @property
    def original(self) -> float | None:
        """The original's value; None where the metric compares with the original."""
        return None if self.before is None else self.metric.value(self.before)

    @property
    def drop(self) -> float | None:
        """How much worse the file is than the original."""
        original = self.original
        return None if original is None else self._worse(original, self.value)

    @property
    def changes(self) -> tuple[int, int] | None:
        """Samples that were correct and are wrong, and the reverse; None for other metrics."""
        if self.before is None or not (self._is_correct(self.before) and self.is_correct):
            return None
        was, is_ = self.before[:, 0] > 0, self.after[:, 0] > 0
        return int((was & ~is_).sum()), int((is_ & ~was).sum())

    @property
    def is_correct(self) -> bool:
        """Whether the file's statistics say of each sample only whether it is correct or unchanged."""
        return self._is_correct(self.after)

    @property
    def changed(self) -> int | None:
        """Samples whose prediction is not the original's; None for metrics that do not count them."""
        if not (self.metric.counts_changes and self.is_correct):
            return None
        return len(self.after) - int(self.after[:, 0].sum())

    def drop_interval(self, relative: bool = False) -> Interval:
        """Compute the 95% interval of the drop, or of the drop relative to the original's value."""
        assert self.before is not None
        scale = abs(self.original or 0.0) if relative else 1.0
        if changes := self.changes:
            low, high = drop_interval(*changes, len(self.after))
            return (low / scale, high / scale) if scale else (-inf, inf)
        before, after = self.before, self.after
        if self.metric.statistics == "outcomes" and before.shape[1] == len(OUTCOME):
            before, after = _smoothed(before, after)
        width = before.shape[1]

        def value(statistics: Array) -> float:
            was = self.metric.value(statistics[:, :width])
            lost = self._worse(was, self.metric.value(statistics[:, width:]))
            return lost / abs(was) if relative and was else lost

        both = np.hstack([before, after])
        return bootstrap_interval(value, both, resamples=self.metric.resamples)

    def value_interval(self) -> Interval:
        """Compute the 95% interval of the file's value."""
        if not self.metric.has_interval:
            return self.value, self.value
        if (changed := self.changed) is not None:
            low, high = drop_interval(changed, 0, len(self.after))
            return 1 - high, min(1 - low, 1.0)
        if self.is_correct:
            return fraction_interval(int(self.after[:, 0].sum()), len(self.after))
        return bootstrap_interval(self.metric.value, self.after, resamples=self.metric.resamples)

    def _worse(self, before: float, after: float) -> float:
        return before - after if self.metric.higher_is_better else after - before

    def _is_correct(self, statistics: Array) -> bool:
        return self.metric.statistics == "correct" and bool((statistics[:, 1] == 1).all())


def _smoothed(before: Array, after: Array) -> tuple[Array, Array]:
    """Add two samples, one lost and one won, as Bonett and Price do.

    The bootstrap cannot draw what is not there: where no prediction has changed, its interval has no
    width, however few the samples.
    """
    width = before[0, 2]
    right = int(np.argmax(np.bincount(np.maximum(before[:, 0], 0).astype(np.int64))))
    wrong = (right + 1) % width
    was, is_ = (
        ([right, right, width], [right, wrong, width]),
        ([right, wrong, width], [right, right, width]),
    )
    return np.vstack([before, was]), np.vstack([after, is_])
