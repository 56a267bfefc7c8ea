"""OutputResult: one output of a file compared with the original's, on the same samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.intervals import Interval, Verdict, worst
from edgekit.accuracy.limits import Limit, Limits, check_outputs, default_limit
from edgekit.accuracy.metric import Metric
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.task_metrics import task_metrics
from edgekit.accuracy.tasks import Labels, Task, class_scores, ground_truth, labels_for_output
from edgekit.accuracy.verdicts import LimitResult, check_limit, not_finite
from edgekit.data.samples import Array, DataError
from edgekit.data.store import StoredArrays
from edgekit.names import names

_BATCH = 32


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric of one output."""

    metric: str
    value: float
    original: float | None = None
    """The original's; None where the metric compares with the original."""
    drop: float | None = None
    """How much worse than the original; negative where better."""
    interval: Interval | None = None
    """95%, of the drop; of the value where there is no drop; only of the main metric and those asked for."""


@dataclass(frozen=True, slots=True)
class ClassValue:
    """One metric of one class, or of one label of several at once."""

    metric: str
    number: int
    """Of the class."""
    value: float
    original: float


@dataclass(frozen=True, slots=True)
class OutputResult:
    """One output of a file, compared with the original's."""

    output: str
    task: Task
    samples: int
    sqnr_db: float
    """Signal to quantization noise: 10 log10(sum of original^2 / sum of error^2); inf if equal."""
    max_error: float
    agreement: float | None
    """The fraction of the original's predictions that are unchanged, where the task has predictions."""
    metrics: tuple[MetricValue, ...]
    """The first is the task's main metric."""
    limit_results: tuple[LimitResult, ...] = ()
    classes: tuple[ClassValue, ...] = ()
    """By class, of the metrics that are means over classes; classes that do not occur have none."""
    per_sample: Array | None = field(default=None, repr=False, compare=False)
    """The main metric's per-sample statistics; not in ``to_dict``."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its limits' verdicts."""
        return worst([result.verdict for result in self.limit_results])

    @property
    def reason(self) -> str:
        """The reasons of all limits that do not pass, those that fail first."""
        problems = [result for result in self.limit_results if result.verdict != "pass"]
        problems.sort(key=lambda result: result.verdict != "fail")
        return "; ".join(result.reason for result in problems)

    @property
    def accuracy(self) -> float | None:
        """The fraction of correct predictions, where there are labels."""
        top1 = self.metric("top1")
        return None if top1 is None else top1.value

    @property
    def original_accuracy(self) -> float | None:
        """The original's fraction of correct predictions, where there are labels."""
        top1 = self.metric("top1")
        return None if top1 is None else top1.original

    def to_dict(self) -> dict[str, Any]:
        """Make plain values, with the verdict and its reason."""
        plain = asdict(self)
        del plain["per_sample"]
        return {**plain, "verdict": self.verdict, "reason": self.reason}

    def metric(self, metric: str) -> MetricValue | None:
        """Find a metric by name; None if it was not computed."""
        return next((m for m in self.metrics if m.metric == metric), None)


def compare(
    original: StoredArrays,
    candidate: StoredArrays,
    tasks: Mapping[str, Task],
    labels: Labels,
    limits: Limits,
    *,
    metrics: str | Sequence[str] = (),
    is_float: bool = False,
) -> tuple[OutputResult, ...]:
    """Compare each output of a file with the original's, both from ``record``.

    Args:
        original: the original's outputs.
        candidate: the file's outputs for the same samples.
        tasks: the outputs' tasks, from ``find_tasks``.
        labels: one for each sample, where there are any.
        limits: how far it may be from the original.
        metrics: names of metrics to compute with their intervals, besides those of the task and the
            limits: ``"f1,top3"`` or a sequence.
        is_float: whether it is a float32 file, which must match but for rounding.

    Raises:
        DataError: a metric or a limit fits none of the outputs.
    """
    check_outputs(limits, tasks)
    asked = names(metrics)
    comparisons: dict[str, _Comparison] = {}
    for number, (expected, actual) in enumerate(
        zip(original.batches(_BATCH), candidate.batches(_BATCH), strict=True)
    ):
        part = slice(number * _BATCH, (number + 1) * _BATCH)
        for name, task in tasks.items():
            output_labels = labels_for_output(labels, name)
            batch_labels = None if output_labels is None else output_labels[part]
            if name not in comparisons:
                comparisons[name] = _Comparison(
                    name,
                    task,
                    expected[name].shape,
                    labelled=batch_labels is not None
                    and ground_truth(batch_labels, expected[name], task) is not None,
                    has_labels=batch_labels is not None,
                    limits=limits,
                    asked=asked,
                )
            comparisons[name].add(expected[name], actual[name], batch_labels)
    for metric, output in (
        *((name, None) for name in asked),
        *((limit.metric, limit.output) for limit in limits.also),
    ):
        candidates = {name: task for name, task in tasks.items() if output in (None, name)}
        if metric and not any(metric in comparisons[name].metrics for name in candidates):
            raise DataError(_fits_none(metric, candidates, labels))
    return tuple(comparison.result(is_float=is_float) for comparison in comparisons.values())


class _Comparison:
    """The per-sample statistics of every metric of one output, batch by batch."""

    def __init__(
        self,
        name: str,
        task: Task,
        shape: tuple[int, ...],
        *,
        labelled: bool,
        has_labels: bool,
        limits: Limits,
        asked: tuple[str, ...],
    ) -> None:
        self.name, self.task = name, task
        self.labelled, self.has_labels = labelled, has_labels
        self.limits, self.asked = limits, asked
        self.main, *others = task_metrics(task, shape, labelled)
        self.reported = (self.main, *others)
        limited = [m.metric for m in limits.also if m.metric and m.output in (None, name)]
        names = dict.fromkeys([*self.reported, *asked, *limited, "sqnr", "max_error"])
        names |= dict.fromkeys(task_metrics(task, shape, labelled=False))
        if task != "values":
            names["agreement"] = None
        self.metrics = {m: metric for m in names if self._fits(metric := find_metric(m, task))}
        self.before: dict[str, list[Array]] = {m: [] for m in self.metrics}
        self.after: dict[str, list[Array]] = {m: [] for m in self.metrics}

    def _fits(self, metric: Metric) -> bool:
        if metric.takes == "raw":
            return self.has_labels
        return self.task in metric.tasks and (self.labelled or metric.against == "original")

    def add(self, expected: Array, actual: Array, labels: Array | None) -> None:
        """Add a batch of the original's outputs, the file's outputs, and labels."""
        for name, metric in self.metrics.items():
            before, after = (
                arguments(metric, outputs, expected, labels, self.task)
                for outputs in (expected, actual)
            )
            self.after[name].append(metric.per_sample(*after))
            if metric.against == "labels":
                self.before[name].append(metric.per_sample(*before))

    def result(self, *, is_float: bool) -> OutputResult:
        """Compute the metrics, and compare them with the limits."""
        estimates = {
            name: Estimate(
                name,
                metric,
                np.concatenate(self.before[name]) if self.before[name] else None,
                np.concatenate(self.after[name]),
            )
            for name, metric in self.metrics.items()
        }
        sqnr = estimates["sqnr"]
        limit_results = [
            check_limit(estimates[limit.metric or self.main], limit)
            for limit in self._limits(is_float)
        ]
        if sqnr.value == -inf and not isfinite(float(sqnr.after[:, 1].sum())):
            limit_results.append(not_finite())
        limited = {result.limit.metric for result in limit_results}
        shown = [n for n in estimates if n in self.asked or n in self.reported or n in limited]
        agreement = estimates.get("agreement")
        return OutputResult(
            output=self.name,
            task=self.task,
            samples=len(sqnr.after),
            sqnr_db=sqnr.value,
            max_error=estimates["max_error"].value,
            agreement=agreement.value if agreement else None,
            metrics=tuple(
                _metric_value(estimates[n], n in self.asked or n == self.main) for n in shown
            ),
            limit_results=tuple(limit_results),
            classes=tuple(value for n in shown for value in _class_values(estimates[n])),
            per_sample=estimates[self.main].after,
        )

    def _limits(self, is_float: bool) -> list[Limit]:
        also = [
            limit
            for limit in self.limits.also
            if limit.output in (None, self.name)
            and (limit.metric or self.main) in self.metrics
            and (limit.metric or self.labelled)
        ]
        if is_float and self.task in ("index", "detection"):  # another index is no noise
            unlabelled = task_metrics(self.task, (), labelled=False)[0]
            return [default_limit(self.limits, unlabelled), *also]
        if is_float:
            return [Limit("min", self.limits.min_float_sqnr, "sqnr"), *also]
        if any(limit.kind == "drop" and (limit.metric or self.main) == self.main for limit in also):
            return also  # the user's limit on the main metric, in place of the default
        return [default_limit(self.limits, self.main), *also]


def _metric_value(estimate: Estimate, with_interval: bool) -> MetricValue:
    interval = None
    if with_interval and estimate.before is None:
        interval = estimate.value_interval()
    elif with_interval:
        interval = estimate.drop_interval()
    return MetricValue(estimate.name, estimate.value, estimate.original, estimate.drop, interval)


def _class_values(estimate: Estimate) -> Iterator[ClassValue]:
    for number, values in enumerate(estimate.by_class):
        if isfinite(values[0]) and isfinite(values[1]):
            yield ClassValue(estimate.name, number, values[1], values[0])


def arguments(
    metric: Metric, outputs: Array, original: Array, labels: Array | None, task: Task
) -> tuple[Array, Array]:
    """Make what a metric's ``per_sample`` is called with; see ``Metric.takes``."""
    if metric.takes == "raw":
        assert labels is not None
        return labels, outputs
    values = outputs.astype(np.float64)
    if metric.against == "labels":
        assert labels is not None
        truth = ground_truth(labels, outputs, task)
        assert truth is not None
        if task == "values":
            return truth, values.reshape(len(values), -1)
        return truth, class_scores(values, task)
    reference = original.astype(np.float64)
    if metric.takes == "numbers":
        return reference.reshape(len(reference), -1), values.reshape(len(values), -1)
    return class_scores(reference, task), class_scores(values, task)


def _fits_none(metric: str, tasks: Mapping[str, Task], labels: Labels) -> str:
    entry = find_metric(metric)
    outputs = ", ".join(f"{name} ({task})" for name, task in tasks.items())
    if entry.against == "labels" and labels is None:
        return f"{metric} needs labels, and the samples have none. Add them as `y`."
    fits = any(task in find_metric(metric, task).tasks for task in tasks.values())
    if entry.against == "labels" and fits:
        return f"{metric}: the labels' shape fits none of the outputs {outputs}."
    return (
        f"{metric} is for outputs that are {' or '.join(entry.tasks)}; the model's are {outputs}."
    )
