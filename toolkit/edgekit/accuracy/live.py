"""Two models on samples that keep coming: how far one is from the other, by the gate's statistics, in bounded memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.formatting import label, value
from edgekit.accuracy.intervals import drop_interval
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.results import arguments
from edgekit.accuracy.task_guess import guess_task
from edgekit.accuracy.task_metrics import task_metrics
from edgekit.accuracy.task_names import TASKS, Task
from edgekit.data.samples import Array
from edgekit_runtimes import RuntimeMissing

WINDOW = 1000
"""The latest samples, whose statistics are kept where counting alone does not do."""


@dataclass(frozen=True, slots=True)
class LiveEstimate:
    """What is known so far of one output."""

    output: str
    task: Task
    metric: str
    value: float
    interval: tuple[float, float] | None
    """95%; None where it takes SciPy, which is not installed."""
    samples: int
    """That the value is of: all, or the latest ``WINDOW``."""
    not_finite: int
    """Samples for which the second model gave NaN or infinity, and the first did not."""

    def __str__(self) -> str:
        """In words.

        >>> print(LiveEstimate("digit", "classes", "agreement", 0.99, (0.98, 0.995), 1000, 0))
        digit: same predictions 99.0% (98.0% to 99.5%) of 1,000 samples
        """
        between = ""
        if self.interval is not None and all(map(isfinite, self.interval)):
            between = f" ({' to '.join(value(end, self.metric) for end in self.interval)})"
        said = f"{self.output}: {label(self.metric)} {value(self.value, self.metric)}{between}"
        broken = f", {self.not_finite:,} not finite" if self.not_finite else ""
        return f"{said} of {self.samples:,} samples{broken}"


@dataclass(slots=True)
class LiveComparison:
    """One output of two models, compared batch by batch; those of several processes can be added up."""

    output: str
    task: Task | None = None
    """What it predicts, where that is known; else as the first batch looks."""
    samples: int = 0
    changed: int = 0
    """Samples whose one prediction is another; counted as long as every sample has one."""
    single: bool = True
    not_finite: int = 0
    _window: list[Array] = field(default_factory=list)

    def add(self, first: Array, second: Array) -> None:
        """Add a batch of what the first model answered, and the second."""
        if self.task is None or (self.task == "detection" and first.shape[2:] != (6,)):
            # Of detections in parts, each part is numbers.
            self.task = guess_task(first, None) if self.task is None else "values"
        metric = find_metric(self.metric, self.task)
        statistics = metric.per_sample(*arguments(metric, second, first, None, self.task))
        broken = _not_finite(second) & ~_not_finite(first)
        if metric.counts_changes:
            statistics[broken, 0] = 0
        self.not_finite += int(broken.sum())
        self.samples += len(statistics)
        if metric.counts_changes and (statistics[:, 1] == 1).all():
            self.changed += int((statistics[:, 0] == 0).sum())
        else:
            self.single = False
        self._keep([statistics])

    def merge(self, other: "LiveComparison") -> None:
        """Add what another process compared."""
        self.task = self.task or other.task
        self.samples += other.samples
        self.changed += other.changed
        self.single &= other.single
        self.not_finite += other.not_finite
        self._keep(other._window)

    @property
    def metric(self) -> str:
        """The metric that the gate limits where there are no labels."""
        return task_metrics(self.task or "values", (1, 1), labelled=False)[0]

    def estimate(self) -> LiveEstimate | None:
        """The value and its 95% interval; None before the first sample."""
        if not self.samples or self.task is None:
            return None
        if self.single:
            low, high = drop_interval(self.changed, 0, self.samples)
            number, count = 1 - self.changed / self.samples, self.samples
            interval: tuple[float, float] | None = (1 - high, min(1 - low, 1.0))
        else:
            kept = np.concatenate(self._window)
            estimate = Estimate(self.metric, find_metric(self.metric, self.task), None, kept)
            number, count = estimate.value, len(kept)
            try:
                interval = estimate.value_interval()
            except RuntimeMissing:
                interval = None
        return LiveEstimate(
            self.output, self.task, self.metric, number, interval, count, self.not_finite
        )

    def _keep(self, statistics: list[Array]) -> None:
        self._window += statistics
        extra = sum(map(len, self._window)) - WINDOW
        while extra > 0:
            first = self._window.pop(0)
            if len(first) > extra:
                self._window.insert(0, first[extra:])
            extra -= len(first)


def comparisons(tasks: Mapping[str, str]) -> dict[str, LiveComparison]:
    """A comparison of each output.

    Args:
        tasks: by output; what is none of ``TASKS`` is not known.
    """
    known: dict[str, Task] = {task: task for task in TASKS}
    return {name: LiveComparison(name, known.get(task)) for name, task in tasks.items()}


def _not_finite(outputs: Array) -> Array:
    if outputs.dtype.kind != "f":
        return np.zeros(len(outputs), bool)
    finite: Array = np.isfinite(outputs).reshape(len(outputs), -1)
    bad: Array = np.logical_not(finite.all(axis=1))
    return bad
