"""A metric of two models on the same samples: the figure, the drop, and their intervals."""

from dataclasses import dataclass
from math import inf

import numpy as np

from edgekit.accuracy.metrics import OUTCOME, Metric
from edgekit.accuracy.statistics import Interval, bootstrap_interval, drop_interval, share_interval
from edgekit.data.samples import Array

_RESAMPLES, _OF_ONES_OWN = 2000, 200  # nobody knows what a function of one's own costs


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with the rows of both models."""

    name: str
    metric: Metric
    before: Array | None
    after: Array

    @property
    def value(self) -> float:
        """The file's."""
        return self.metric.value(self.after)

    @property
    def original(self) -> float | None:
        """The original's; None where the metric is measured against it."""
        return None if self.before is None else self.metric.value(self.before)

    @property
    def drop(self) -> float | None:
        """How much worse the file is."""
        original = self.original
        return None if original is None else self._worse(original, self.value)

    @property
    def changes(self) -> tuple[int, int] | None:
        """Samples that were right and are wrong, and the reverse; None where right is no question."""
        if self.before is None or not (self.is_right(self.before) and self.is_right(self.after)):
            return None
        was, is_ = self.before[:, 0] > 0, self.after[:, 0] > 0
        return int((was & ~is_).sum()), int((is_ & ~was).sum())

    def _worse(self, before: float, after: float) -> float:
        return before - after if self.metric.higher_is_better else after - before

    def drop_interval(self, relative: bool = False) -> Interval:
        """95%, of the drop."""
        assert self.before is not None
        scale = abs(self.original or 0.0) if relative else 1.0
        if changes := self.changes:
            low, high = drop_interval(*changes, len(self.after))
            return (low / scale, high / scale) if scale else (-inf, inf)
        before, after = self.before, self.after
        if self.metric.counts and before.shape[1] == len(OUTCOME):
            before, after = _smoothed(before, after)
        width = before.shape[1]

        def value(rows: Array) -> float:
            was = self.metric.value(rows[:, :width])
            lost = self._worse(was, self.metric.value(rows[:, width:]))
            return lost / abs(was) if relative and was else lost

        return bootstrap_interval(value, np.hstack([before, after]), resamples=self._resamples)

    def value_interval(self) -> Interval:
        """95%, of the value."""
        if not self.metric.sampled:
            return self.value, self.value
        if self.is_right(self.after):
            if self.name == "agreement":  # the samples that changed, against none
                changed = len(self.after) - int(self.after[:, 0].sum())
                low, high = drop_interval(changed, 0, len(self.after))
                return 1 - high, min(1 - low, 1.0)
            return share_interval(int(self.after[:, 0].sum()), len(self.after))
        return bootstrap_interval(self.metric.value, self.after, resamples=self._resamples)

    @property
    def _resamples(self) -> int:
        return _OF_ONES_OWN if self.metric.given == "raw" else _RESAMPLES

    def is_right(self, rows: Array) -> bool:
        """Whether a row tells one answer, right or wrong."""
        return (
            self.metric.share
            and rows.shape[1] == 2
            and bool((rows[:, 1] == 1).all())
            and bool(np.isin(rows[:, 0], (0, 1)).all())
        )


def _smoothed(before: Array, after: Array) -> tuple[Array, Array]:
    """Two samples more, one lost and one won, as Bonett and Price add them.

    The bootstrap cannot draw what is not there: where no answer has changed, it is sure of any number
    of samples.
    """
    width = before[0, 2]
    right = int(np.argmax(np.bincount(np.maximum(before[:, 0], 0).astype(np.int64))))
    wrong = (right + 1) % width
    was, is_ = (
        ([right, right, width], [right, wrong, width]),
        ([right, wrong, width], [right, right, width]),
    )
    return np.vstack([before, was]), np.vstack([after, is_])
