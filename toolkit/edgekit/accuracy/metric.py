"""Metric: what it is computed from, what it fits, how it is written and what limits it by default."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.accuracy.draws import OfDraws, at_once, over_classes
from edgekit.accuracy.task_names import Task
from edgekit.accuracy.units import PERCENT, Unit
from edgekit.data.samples import Array

PerSample = Callable[[Array, Array], Array]
Against = Literal["labels", "original"]
Takes = Literal["predictions", "numbers", "raw"]
Statistics = Literal["correct", "other"]
Bound = Literal["max_drop", "max_disagreement", "min_sqnr"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: how it is computed, what it fits, how it is written and what limits it."""

    label: str
    """What tables and messages call it."""

    per_sample: Callable[[Array, Array], Array]
    """Make the per-sample statistics of a batch, of shape (samples, columns); see ``takes``."""

    value: Callable[[Array], float]
    """Make the metric's value of the statistics of all samples."""

    tasks: tuple[Task, ...]
    """The outputs that it fits."""

    against: Against = "labels"
    """Whether it compares a file's outputs with the labels or with the original's outputs."""

    higher_is_better: bool = True

    unit: Unit = PERCENT

    default_bound: Bound = "max_drop"
    """The field of ``Limits`` that limits it where it is a task's main metric."""

    statistics: Statistics = "other"
    """``correct`` where they are the number of correct (or unchanged) predictions, and of all."""

    has_interval: bool = True
    """Whether it can be estimated from a sample; a maximum cannot."""

    of_draws: OfDraws | None = None
    """Make the values of many draws of samples at once, for intervals; None where only ``value`` can.

    ``value`` is then that of all samples, each taken once.
    """

    one_change: Callable[[Array], float] | None = None
    """The mean square of what one changed prediction makes of the value; None where nothing is counted.

    Where no prediction has changed, one still may on other samples: the variance is at least of that.
    """

    rarest: Callable[[Array], float] | None = None
    """How many samples there are of the rarer kind, the sum over classes: few make an interval unsure."""

    by_class: OfDraws | None = None
    """Make the values by class, of which the metric is the mean; None where there are no such values."""

    takes: Takes = "predictions"
    """What ``per_sample`` is called with: the truth, or the original's outputs, before the file's.

    ``predictions``: true classes (samples, predictions) and scores (samples, predictions, classes), or
    scores and scores; of values, (samples, values) both. ``numbers``: outputs of any task, flattened to
    (samples, values). ``raw``: labels and outputs as they are, for a function of the user's.
    """

    @property
    def counts_changes(self) -> bool:
        """Whether it counts predictions that are no longer the original's."""
        return self.statistics == "correct" and self.against == "original"


def metric_of_draws(
    label: str,
    per_sample: PerSample,
    of_draws: OfDraws,
    tasks: tuple[Task, ...],
    against: Against = "labels",
    **options: Any,
) -> Metric:
    """Make a metric whose values of many draws are computed at once; ``options`` are further fields."""
    value = at_once(of_draws)
    return Metric(label, per_sample, value, tasks, against, of_draws=of_draws, **options)


def mean_over_classes(
    label: str, per_sample: PerSample, by_class: OfDraws, tasks: tuple[Task, ...], **options: Any
) -> Metric:
    """Make a metric that is the mean of a value of each class."""
    of_draws = over_classes(by_class)
    return metric_of_draws(label, per_sample, of_draws, tasks, by_class=by_class, **options)
