"""The original against a file made from it, on the same samples."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.limits import Limit, Limits, check_outputs
from edgekit.accuracy.metrics import Metric, find_metric
from edgekit.accuracy.statistics import Interval, Verdict, worst
from edgekit.accuracy.tasks import Labels, Task, labels_of, scores, truth
from edgekit.accuracy.verdicts import LimitResult, hold, not_finite
from edgekit.data.samples import Array, DataError
from edgekit.data.store import StoredArrays

_BATCH = 32
_MANY = 20  # classes, from which on the five best are of interest
_WIDE = 16  # values, from which on a vector without labels is taken for an embedding


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric of one output."""

    metric: str
    value: float
    original: float | None = None
    """The original's own; None where the metric is the distance from it."""
    drop: float | None = None
    """How much worse than the original; negative where better."""
    interval: Interval | None = None
    """95%, of the drop; of the value where there is no drop; None where nobody asked."""


@dataclass(frozen=True, slots=True)
class OutputResult:
    """How far one output strays from the original's."""

    output: str
    task: Task
    samples: int
    sqnr_db: float
    """Signal to quantization noise: 10 log10(sum of original^2 / sum of error^2); inf if equal."""
    max_error: float
    agreement: float | None
    """The share of samples with the original's answer, where the task has answers."""
    metrics: tuple[MetricValue, ...]
    """The first is the task's own."""
    limit_results: tuple[LimitResult, ...] = ()
    rows: Array | None = field(default=None, repr=False, compare=False)
    """What the task's own metric keeps of each sample; not in a report's ``to_dict``."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its limits' verdicts."""
        return worst([j.verdict for j in self.limit_results])

    @property
    def reason(self) -> str:
        """What does not hold, in words."""
        told = [j for j in self.limit_results if j.verdict != "pass"]
        return "; ".join(j.reason for j in sorted(told, key=lambda j: j.verdict != "fail"))

    @property
    def accuracy(self) -> float | None:
        """The share of right answers, where there are labels."""
        found = self.metric("top1")
        return None if found is None else found.value

    @property
    def original_accuracy(self) -> float | None:
        """The original's."""
        found = self.metric("top1")
        return None if found is None else found.original

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the verdict and its reason."""
        plain = asdict(self)
        del plain["rows"]
        return {**plain, "verdict": self.verdict, "reason": self.reason}

    def metric(self, metric: str) -> MetricValue | None:
        """The figure of a metric, where it was taken."""
        return next((m for m in self.metrics if m.metric == metric), None)


def compare(
    original: StoredArrays,
    candidate: StoredArrays,
    tasks: Mapping[str, Task],
    labels: Labels,
    limits: Limits,
    *,
    metrics: Sequence[str] = (),
    is_float: bool = False,
) -> tuple[OutputResult, ...]:
    """Scores each output of a file against the original's, both from ``record``.

    Args:
        original: the original's outputs.
        candidate: the file's outputs on the same samples.
        tasks: what each output tells, from ``find_tasks``.
        labels: one for each sample, where there are any.
        limits: how far it may stray.
        metrics: to measure besides those of the task and of the limits, with their intervals.
        is_float: a float32 file, which must match but for rounding.

    Raises:
        DataError: a metric or a limit fits none of the outputs.
    """
    check_outputs(limits, tasks)
    kept: dict[str, _Kept] = {}
    for number, (expected, got) in enumerate(
        zip(original.batches(_BATCH), candidate.batches(_BATCH), strict=True)
    ):
        part = slice(number * _BATCH, (number + 1) * _BATCH)
        for name, task in tasks.items():
            own = labels_of(labels, name)
            true = None if own is None else own[part]
            if name not in kept:
                labelled = true is not None and truth(true, expected[name], task) is not None
                kept[name] = _Kept(
                    name, task, expected[name].shape, labelled, true is not None, limits, metrics
                )
            kept[name].add(expected[name], got[name], true)
    for metric, output in (
        *((name, None) for name in metrics),
        *((limit.metric, limit.output) for limit in limits.also),
    ):
        of = {name: task for name, task in tasks.items() if output in (None, name)}
        if metric and not any(metric in kept[name].metrics for name in of):
            raise DataError(_fits_none(metric, of, labels))
    return tuple(k.score(limits, metrics, is_float) for k in kept.values())


class _Kept:
    """The rows of every metric of one output, as they come in."""

    def __init__(
        self,
        name: str,
        task: Task,
        shape: tuple[int, ...],
        labelled: bool,
        has_labels: bool,
        limits: Limits,
        metrics: Sequence[str],
    ) -> None:
        self.name, self.task, self.labelled, self.has_labels = name, task, labelled, has_labels
        self.own = _own_metrics(task, shape, labelled)
        limited = [m.metric for m in limits.also if m.metric and m.output in (None, name)]
        wanted = dict.fromkeys([*self.own, *metrics, *limited, "sqnr", "max_error"])
        if task != "values":
            wanted["agreement"] = None
        self.metrics = {m: found for m in wanted if self._fits(found := find_metric(m))}
        self.before: dict[str, list[Array]] = {m: [] for m in self.metrics}
        self.after: dict[str, list[Array]] = {m: [] for m in self.metrics}

    def _fits(self, metric: Metric) -> bool:
        if metric.given == "raw":
            return self.has_labels
        return self.task in metric.tasks and (self.labelled or metric.against == "original")

    def add(self, expected: Array, got: Array, labels: Array | None) -> None:
        """A batch of the original's outputs and the file's."""
        for name, metric in self.metrics.items():
            before, after = (
                _given(metric, outputs, expected, labels, self.task) for outputs in (expected, got)
            )
            self.after[name].append(metric.rows(*after))
            if metric.against == "labels":
                self.before[name].append(metric.rows(*before))

    def score(self, limits: Limits, asked: Sequence[str], is_float: bool) -> OutputResult:
        """The figures, and what they mean to the limits."""
        figures = {
            name: Estimate(name, metric, *self._rows(name)) for name, metric in self.metrics.items()
        }
        sqnr = figures["sqnr"].value
        judged = [
            hold(figures[limit.metric or self.own[0]], limit)
            for limit in self._limits(limits, is_float)
        ]
        if sqnr == -inf and not isfinite(float(figures["sqnr"].after[:, 1].sum())):
            judged.append(not_finite())
        shown = [
            n
            for n in figures
            if n in asked or n in self.own or n in {j.limit.metric for j in judged}
        ]
        agreement = figures.get("agreement")
        return OutputResult(
            output=self.name,
            task=self.task,
            samples=len(figures["sqnr"].after),
            sqnr_db=sqnr,
            max_error=figures["max_error"].value,
            agreement=agreement.value if agreement else None,
            metrics=tuple(_measure(figures[n], n in asked or n == self.own[0]) for n in shown),
            limit_results=tuple(judged),
            rows=figures[self.own[0]].after,
        )

    def _rows(self, name: str) -> tuple[Array | None, Array]:
        before, after = self.before[name], self.after[name]
        return (np.concatenate(before) if before else None), np.concatenate(after)

    def _limits(self, limits: Limits, is_float: bool) -> list[Limit]:
        own = self.own[0]
        also = [
            limit
            for limit in limits.also
            if limit.output in (None, self.name)
            and (limit.metric or own) in self.metrics
            and (limit.metric or self.labelled)
        ]
        if is_float:
            return [Limit("min", limits.min_float_sqnr, "sqnr"), *also]
        if any(limit.kind == "drop" and (limit.metric or own) == own for limit in also):
            return also  # the user's own word on it
        if self.labelled:
            return [Limit("drop", limits.max_drop, own), *also]
        if self.task != "values":
            return [Limit("min", 1 - limits.max_disagreement, "agreement"), *also]
        return [Limit("min", limits.min_sqnr, "sqnr"), *also]


def _measure(figure: Estimate, with_interval: bool) -> MetricValue:
    interval = None
    if with_interval:
        interval = figure.value_interval() if figure.before is None else figure.drop_interval()
    return MetricValue(figure.name, figure.value, figure.original, figure.drop, interval)


def _own_metrics(task: Task, shape: tuple[int, ...], labelled: bool) -> tuple[str, ...]:
    """What to look at first for such an output, and what else."""
    several = len(shape) > 2 and task != "values"
    if task == "values":
        if labelled:
            return "r2", "rmse", "mae"
        return ("sqnr", "cosine") if len(shape) == 2 and shape[1] >= _WIDE else ("sqnr",)
    if not labelled:
        return "agreement", "kl"
    if several:
        return "mean_iou", "top1"
    if task == "binary":
        return "top1", "roc_auc", "f1"
    return ("top1", "top5") if shape[-1] >= _MANY else ("top1",)


def _given(
    metric: Metric, outputs: Array, original: Array, labels: Array | None, task: Task
) -> tuple[Array, Array]:
    """What a metric is called with; see ``Metric.given``."""
    if metric.given == "raw":
        assert labels is not None
        return labels, outputs
    values = outputs.astype(np.float64)
    if metric.against == "labels":
        assert labels is not None
        true = truth(labels, outputs, task)
        assert true is not None
        return true, values.reshape(len(values), -1) if task == "values" else scores(values, task)
    whole = original.astype(np.float64)
    if metric.given == "numbers":
        return whole.reshape(len(whole), -1), values.reshape(len(values), -1)
    return scores(whole, task), scores(values, task)


def _fits_none(metric: str, tasks: Mapping[str, Task], labels: Labels) -> str:
    found = find_metric(metric)
    outputs = ", ".join(f"{name} ({task})" for name, task in tasks.items())
    if found.against == "labels" and labels is None:
        return f"{metric} needs labels, and the samples have none. Add them as `y`."
    if found.against == "labels" and not set(tasks.values()).isdisjoint(found.tasks):
        return f"{metric}: the labels' shape fits none of the outputs {outputs}."
    return (
        f"{metric} is for outputs that are {' or '.join(found.tasks)}; the model's are {outputs}."
    )
