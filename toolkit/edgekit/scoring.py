"""The original against a file made from it, on the same samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from pathlib import Path

import numpy as np

from edgekit.limits import Limit, Limits, check_outputs
from edgekit.matching import Renamed
from edgekit.metrics import Metric, find_metric
from edgekit.rows import Array, DataError
from edgekit.statistics import (
    Interval,
    Verdict,
    bootstrap_interval,
    drop_interval,
    judge,
    mcnemar,
    needed,
    share_interval,
    worst,
)
from edgekit.storage import Store, Stored
from edgekit.tasks import Labels, Task, labels_of, scores, truth
from edgekit_runtimes import Session

_BATCH = 32
_MANY = 20  # classes, from which on the five best are of interest
_WIDE = 16  # values, from which on a vector without labels is taken for an embedding


@dataclass(frozen=True, slots=True)
class Measure:
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
class Judgement:
    """One limit, and whether it holds."""

    limit: Limit
    observed: float
    """The drop, or the value, that is held against the limit."""
    interval: Interval
    """95%, of the same."""
    verdict: Verdict
    reason: str = ""
    """In words, where it does not hold."""
    p_value: float | None = None
    """McNemar's, of a drop in right answers: the chance of it, were both models equally good."""
    needed: int | None = None
    """About how many samples would tell, where these do not."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far one output strays from the original's."""

    output: str
    task: Task
    samples: int
    sqnr_db: float
    """Signal to quantization noise: 10 log10(sum of original^2 / sum of error^2); inf if equal."""
    max_error: float
    agreement: float | None
    """The share of samples with the original's answer, where the task has answers."""
    measures: tuple[Measure, ...]
    """The first is the task's own."""
    judgements: tuple[Judgement, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of its limits' verdicts."""
        return worst([j.verdict for j in self.judgements])

    @property
    def reason(self) -> str:
        """What does not hold, in words."""
        told = [j for j in self.judgements if j.verdict != "holds"]
        return "; ".join(j.reason for j in sorted(told, key=lambda j: j.verdict != "fails"))

    @property
    def accuracy(self) -> float | None:
        """The share of right answers, where there are labels."""
        found = self.measure("top1")
        return None if found is None else found.value

    @property
    def original_accuracy(self) -> float | None:
        """The original's."""
        found = self.measure("top1")
        return None if found is None else found.original

    def measure(self, metric: str) -> Measure | None:
        """The figure of a metric, where it was taken."""
        return next((m for m in self.measures if m.metric == metric), None)


def record(session: Session | Renamed, samples: Stored, folder: Path) -> Stored:
    """Runs every sample, on all processors, and keeps the outputs on disk."""
    store = Store(folder)
    if session.device == "keras":  # spreads a batch over the processors itself
        for batch in samples.batches(_BATCH):
            store.add(session.run(batch))
    else:
        for answer in session.map(samples):
            store.add({name: array[np.newaxis] for name, array in answer.items()})
    return store.close()


def compare(
    original: Stored,
    candidate: Stored,
    tasks: Mapping[str, Task],
    labels: Labels,
    limits: Limits,
    *,
    metrics: Sequence[str] = (),
    is_float: bool = False,
) -> tuple[Score, ...]:
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
                kept[name] = _Kept(name, task, expected[name].shape, labelled, limits, metrics)
            kept[name].add(expected[name], got[name], true)
    for metric in (*metrics, *(limit.metric for limit in limits.also)):
        if metric and not any(metric in k.before or metric in k.after for k in kept.values()):
            raise DataError(_fits_none(metric, tasks, labels))
    return tuple(k.score(limits, metrics, is_float) for k in kept.values())


class _Kept:
    """The rows of every metric of one output, as they come in."""

    def __init__(
        self,
        name: str,
        task: Task,
        shape: tuple[int, ...],
        labelled: bool,
        limits: Limits,
        metrics: Sequence[str],
    ) -> None:
        self.name, self.task, self.labelled = name, task, labelled
        self.own = _own_metrics(task, shape, labelled)
        limited = [m.metric for m in limits.also if m.metric and m.output in (None, name)]
        wanted = dict.fromkeys([*self.own, *metrics, *limited, "sqnr", "max_error"])
        if task != "values":
            wanted["agreement"] = None
        self.metrics = {m: found for m in wanted if self._fits(found := find_metric(m))}
        self.before: dict[str, list[Array]] = {m: [] for m in self.metrics}
        self.after: dict[str, list[Array]] = {m: [] for m in self.metrics}

    def _fits(self, metric: Metric) -> bool:
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

    def score(self, limits: Limits, asked: Sequence[str], is_float: bool) -> Score:
        """The figures, and what they mean to the limits."""
        figures = {
            name: _Figure(name, metric, *self._rows(name)) for name, metric in self.metrics.items()
        }
        sqnr = figures["sqnr"].value
        judged = [
            _judgement(figures[limit.metric or self.own[0]], limit)
            for limit in self._limits(limits, is_float)
        ]
        if sqnr == -inf and not isfinite(float(figures["sqnr"].after[:, 1].sum())):
            judged.append(_not_numbers())
        shown = [
            n
            for n in figures
            if n in asked or n in self.own or n in {j.limit.metric for j in judged}
        ]
        agreement = figures.get("agreement")
        return Score(
            output=self.name,
            task=self.task,
            samples=len(figures["sqnr"].after),
            sqnr_db=sqnr,
            max_error=figures["max_error"].value,
            agreement=agreement.value if agreement else None,
            measures=tuple(figures[n].measure(n in asked or n == self.own[0]) for n in shown),
            judgements=tuple(judged),
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


@dataclass(frozen=True, slots=True)
class _Figure:
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
        return (
            None if self.before is None else self._worse(self.metric.value(self.before), self.value)
        )

    @property
    def changes(self) -> tuple[int, int] | None:
        """Samples that were right and are wrong, and the reverse; None where right is no question."""
        if self.before is None or not (_is_right(self.before) and _is_right(self.after)):
            return None
        was, is_ = self.before[:, 0] > 0, self.after[:, 0] > 0
        return int((was & ~is_).sum()), int((is_ & ~was).sum())

    def _worse(self, before: float, after: float) -> float:
        return before - after if self.metric.higher_is_better else after - before

    def drop_interval(self, relative: bool = False) -> Interval:
        """95%, of the drop."""
        assert self.before is not None
        scale = abs(self.metric.value(self.before)) if relative else 1.0
        if changes := self.changes:
            low, high = drop_interval(*changes, len(self.after))
            return (low / scale, high / scale) if scale else (-inf, inf)
        before, after = (
            _smoothed(self.before, self.after)
            if self.before.shape[1] == 3
            else (self.before, self.after)
        )
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
        if _is_right(self.after):
            if self.name == "agreement":  # the samples that changed, against none
                changed = len(self.after) - int(self.after[:, 0].sum())
                low, high = drop_interval(changed, 0, len(self.after))
                return 1 - high, 1 - low
            return share_interval(int(self.after[:, 0].sum()), len(self.after))
        return bootstrap_interval(self.metric.value, self.after, resamples=self._resamples)

    @property
    def _resamples(self) -> int:
        return 200 if self.metric.given == "raw" else 2000  # nobody knows what it costs

    def measure(self, with_interval: bool) -> Measure:
        """For the report."""
        interval = None
        if with_interval:
            interval = self.value_interval() if self.before is None else self.drop_interval()
        return Measure(self.name, self.value, self.original, self.drop, interval)


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


def _is_right(rows: Array) -> bool:
    """Whether a row tells one answer, right or wrong."""
    return (
        rows.shape[1] == 2
        and bool((rows[:, 1] == 1).all())
        and bool(np.isin(rows[:, 0], (0, 1)).all())
    )


def _smoothed(before: Array, after: Array) -> tuple[Array, Array]:
    """Two samples more, one lost and one won, as Bonett and Price add them.

    The bootstrap cannot draw what is not there: where no answer has changed, it is sure of any number
    of samples.
    """
    width = before[0, 2]
    right = np.bincount(np.maximum(before[:, 0], 0).astype(np.int64)).argmax()
    wrong = (right + 1) % width
    was, is_ = (
        ([right, right, width], [right, wrong, width]),
        ([right, wrong, width], [right, right, width]),
    )
    return np.vstack([before, was]), np.vstack([after, is_])


def _judgement(figure: _Figure, limit: Limit) -> Judgement:
    if limit.kind == "drop":
        assert figure.before is not None
        original = figure.metric.value(figure.before)
        observed = figure._worse(original, figure.value)
        observed = observed / abs(original) if limit.relative and original else observed
        interval = figure.drop_interval(limit.relative)
        verdict = judge(interval, limit.value)
        missing = needed(len(figure.after), observed, interval, limit.value)
    else:
        observed, interval = figure.value, figure.value_interval()
        sign = -1 if limit.kind == "min" else 1
        turned = (-interval[1], -interval[0]) if limit.kind == "min" else interval
        verdict = judge(turned, sign * limit.value)
        missing = needed(len(figure.after), sign * observed, turned, sign * limit.value)
    if isnan(observed):
        verdict, missing = "fails", None
    changes = figure.changes if limit.kind == "drop" else None
    p_value = mcnemar(*changes) if changes else None
    missing = missing if verdict == "not proven" else None
    reason = (
        ""
        if verdict == "holds"
        else _words(
            figure, limit, observed, interval, missing, p_value, open_=verdict == "not proven"
        )
    )
    named = Limit(limit.kind, limit.value, figure.name, limit.output, limit.relative)
    return Judgement(named, observed, interval, verdict, reason, p_value, missing)


def _words(
    figure: _Figure,
    limit: Limit,
    observed: float,
    interval: Interval,
    missing: int | None,
    p_value: float | None,
    *,
    open_: bool,
) -> str:
    """Why a limit does not hold, with the figures."""
    name, metric = figure.name, figure.metric
    low, high = interval

    def value(number: float) -> str:
        if metric.share:
            return f"{number:.1%}"
        return f"{number:.1f} dB" if name == "sqnr" else f"{number:.4g}"

    def loss(number: float) -> str:
        if limit.relative:
            return f"{number:.1%}"
        return f"{100 * number:.3g}" if metric.share else f"{number:.4g}"

    sampled = ", 95% interval {} to {}, limit {}" if low < high else ", limit {2}"
    if limit.kind == "drop":
        unit = "of the original's" if limit.relative else "points" if metric.share else ""
        did = "lost" if metric.higher_is_better else "rose by"
        text = f"{name} {did} {' '.join(filter(None, (loss(observed), unit)))}"
        text += f" ({value(figure.original or 0)} to {value(figure.value)})"
        text += sampled.format(loss(low), loss(high), loss(limit.value))
    elif name == "agreement":
        text = f"answers changed: {value(1 - observed)}"
        text += sampled.format(value(1 - high), value(1 - low), value(1 - limit.value))
    else:
        bound = "at least" if limit.kind == "min" else "at most"
        text = f"{name} is {value(observed)}"
        text += sampled.format(value(low), value(high), f"{bound} {value(limit.value)}")
    if p_value is not None and p_value < 0.05:
        text += f" (McNemar p {'< 0.0001' if p_value < 0.0001 else f'= {p_value:.2g}'})"
    if open_:
        text += (
            f"; about {missing:,} samples would tell"
            if missing
            else "; too near the limit for any number of samples to tell"
        )
    return text


def _not_numbers() -> Judgement:
    return Judgement(
        Limit("min", -inf, "sqnr"),
        -inf,
        (-inf, -inf),
        "fails",
        "gives NaN or infinite values",
    )


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
