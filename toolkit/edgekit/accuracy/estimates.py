"""Estimate: a metric of two models on the same samples, with the drop and 95% intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite, nan

import numpy as np

from edgekit.accuracy.classification import OUTCOME
from edgekit.accuracy.intervals import Interval, drop_interval, fraction_interval
from edgekit.accuracy.metric import Metric
from edgekit.accuracy.resampling import (
    FEWEST,
    OfWeights,
    bootstrap_interval,
    jackknife_interval,
    one_by_one,
)
from edgekit.accuracy.score_region import MOST_CLASSES, kinds_of, region_interval
from edgekit.accuracy.units import PERCENT
from edgekit.data.samples import Array

_USERS_DRAWS = 200  # nobody knows what a call of a user's function costs


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
    def by_class(self) -> list[tuple[float, float]]:
        """The original's and the file's value of each class; none where the metric is no mean over classes.

        Of two classes only class 1 has a value, and the first of the list is class 0.
        """
        of_classes = self.metric.by_class
        if of_classes is None or self.before is None:
            return []
        once = np.ones((1, len(self.after)))
        before, after = (of_classes(part, once)[:, 0] for part in (self.before, self.after))
        classes = list(zip(before.tolist(), after.tolist(), strict=False))
        return [(nan, nan), *classes] if len(classes) == 1 else classes

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

        def drops(before: OfWeights, after: OfWeights, weights: Array) -> Array:
            was, is_ = before(weights), after(weights)
            lost = was - is_ if self.metric.higher_is_better else is_ - was
            return lost / np.abs(was) if relative else lost

        if self._is_by_kind:
            return self._region(drops, self.before, self.after)
        values = partial(drops, self._values(self.before), self._values(self.after))
        return self._interval(values, scale)

    def value_interval(self) -> Interval:
        """Compute the 95% interval of the file's value."""
        if not self.metric.has_interval:
            return self.value, self.value
        if (changed := self.changed) is not None:
            low, high = drop_interval(changed, 0, len(self.after))
            return 1 - high, min(1 - low, 1.0)
        if self.is_correct:
            return fraction_interval(int(self.after[:, 0].sum()), len(self.after))
        if self._is_by_kind:
            return self._region(lambda after, weights: after(weights), self.after)
        low, high = self._interval(self._values(self.after))
        if self.metric.unit is PERCENT and isfinite(low):  # a fraction
            return max(low, 0.0), min(high, 1.0)
        return low, high

    @property
    def _is_by_kind(self) -> bool:
        """Whether samples are of a few kinds: a label and one prediction of a few classes."""
        counted = self.metric.one_change is not None and self.after.shape[1:] == (len(OUTCOME),)
        return counted and 0 < len(np.unique(self.after[:, 0])) <= MOST_CLASSES

    def _region(self, value: Callable[..., Array], *outcomes: Array) -> Interval:
        """The interval of a value of one model's outcomes, or of two models'."""
        if self.metric.rarest and self.metric.rarest(self.after) < FEWEST:
            return -inf, inf
        predictions = [part[:, 1] for part in outcomes]
        kinds, counts = kinds_of(self.after[:, 0], *predictions)
        width = np.full(len(kinds), self.after[0, 2])
        parts = [np.column_stack([kinds[:, 0], said, width]) for said in kinds.T[1:]]
        return region_interval(partial(value, *map(self._values, parts)), counts)

    def _values(self, statistics: Array) -> OfWeights:
        if self.metric.of_draws is None:
            return one_by_one(self.metric.value, statistics)
        return partial(self.metric.of_draws, statistics)

    def _interval(self, values: OfWeights, scale: float = 1.0) -> Interval:
        count, one_change = len(self.after), self.metric.one_change
        if self.metric.of_draws is None:
            return bootstrap_interval(values, count, draws=_USERS_DRAWS)
        # At least that of one prediction lost and one won, as Bonett and Price (2012) have it.
        least = 2 * one_change(self.after) / (scale**2 or 1.0) if one_change and count else 0.0
        rarest = self.metric.rarest(self.after) if self.metric.rarest else inf
        return jackknife_interval(values, count, least=least, rarest=rarest)

    def _worse(self, before: float, after: float) -> float:
        return before - after if self.metric.higher_is_better else after - before

    def _is_correct(self, statistics: Array) -> bool:
        return self.metric.statistics == "correct" and bool((statistics[:, 1] == 1).all())
