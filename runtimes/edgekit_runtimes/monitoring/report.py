"""``MonitorReport``: the figures of a monitor, as values and as JSON."""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np

from edgekit_runtimes.monitoring.bins import (
    by_chance,
    kolmogorov_distance,
    quantile,
    stability_index,
)
from edgekit_runtimes.monitoring.reference import Distribution, Statistic
from edgekit_runtimes.monitoring.tally import Seen, Watched

SCHEMA = "edgekit.monitor/1"
"""The key ``schema`` of the document."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Status = Literal["waiting", "as calibrated", "changed"]


@dataclass(frozen=True, slots=True)
class StatisticReport:
    """A statistic of the last samples beside that of the samples of the conversion."""

    statistic: Statistic
    channel: int | None
    mean: float
    expected_mean: float
    spread: float
    expected_spread: float
    quantiles: tuple[float, ...]
    """At 5%, 25%, 50%, 75% and 95% of the samples, read between bins."""
    expected_quantiles: tuple[float, ...]
    psi: float
    """Population stability index."""
    psi_by_chance: float
    """What it would be about if nothing had changed: it falls with the number of samples."""
    ks: float
    """Kolmogorov distance, at the edges of the bins."""
    changed: bool
    """Whether it is beyond its limit in one of the windows."""


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How often a class was predicted."""

    label: str
    share: float
    expected_share: float


@dataclass(frozen=True, slots=True)
class TensorReport:
    """An input or an output."""

    name: str
    low: float
    high: float
    """The calibrated range."""
    not_finite: float
    """The share of samples with NaN or infinite values."""
    statistics: tuple[StatisticReport, ...]
    classes: tuple[ClassReport, ...]
    """Those predicted here or there, the most frequent first; at most 20."""
    classes_psi: float | None
    classes_changed: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """The beginning of a change."""

    time: float
    """Seconds since 1970."""
    sample: int
    """How many samples had been looked at."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MonitorReport:
    """What was seen of the last samples, and whether it is what the model was calibrated on."""

    status: Status
    warnings: tuple[str, ...]
    """Of now, in words; empty where nothing changed."""
    samples: int
    """That were looked at since the monitor began."""
    recent: int
    """That the figures are of: the last."""
    not_finite: int
    """Samples with NaN or infinite values, since it began."""
    false_alarms: float
    """At most so many a sample that was looked at, where nothing changes."""
    inputs: tuple[TensorReport, ...]
    outputs: tuple[TensorReport, ...]
    alarms: tuple[Alarm, ...]
    """The last ones."""
    alarms_in_all: int
    kept: tuple[str, ...] = ()
    """Files of samples that alarms began with."""
    schema: str = SCHEMA

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: NaN is null."""
        made: dict[str, Any] = _plain(asdict(self))
        return made

    def __str__(self) -> str:
        if self.status == "waiting":
            return f"{self.samples} samples looked at, too few to compare"
        words = "; ".join(self.warnings) or "inputs and outputs look like those of the conversion"
        return f"{self.samples} samples looked at: {words}"


def tensor_report(
    watched: Watched,
    number: int,
    seen: Seen,
    changed: np.ndarray[Any, np.dtype[np.bool_]],
    classes_changed: bool,
    labels: tuple[str, ...],
) -> TensorReport:
    """The figures of one tensor.

    Args:
        watched: the tensor.
        number: its place among all.
        seen: of the last samples, all tensors.
        changed: by statistic, of all tensors.
        classes_changed: whether the mix of classes is another.
        labels: the classes' names, if they are known.
    """
    means, spreads = seen.means, seen.spreads
    statistics = tuple(
        _statistic(one, seen, row, means, spreads, bool(changed[row]))
        for row, one in enumerate(watched.reference.statistics, watched.rows.start)
    )
    tensor = watched.reference
    expected, got = np.array(tensor.classes, np.int64), seen.classes[number]
    broken = int(seen.not_finite[number])
    return TensorReport(
        name=watched.name,
        low=tensor.low,
        high=tensor.high,
        not_finite=broken / max(1, seen.samples),
        statistics=statistics,
        classes=_classes(expected, got, labels),
        classes_psi=stability_index(expected, got) if got.sum() else None,
        classes_changed=classes_changed,
        changed=bool(changed[watched.rows].any())
        or classes_changed
        or (broken > 0 and not tensor.not_finite),
    )


def _statistic(
    one: Distribution, seen: Seen, row: int, means: Any, spreads: Any, changed: bool
) -> StatisticReport:
    got, expected = seen.counts[row], np.zeros_like(seen.counts[row])
    expected[: len(one.counts)] = one.counts
    return StatisticReport(
        statistic=one.statistic,
        channel=one.channel,
        mean=float(means[row]),
        expected_mean=one.mean,
        spread=float(spreads[row]),
        expected_spread=one.spread,
        quantiles=tuple(quantile(one.edges, got, q) for q in QUANTILES),
        expected_quantiles=tuple(quantile(one.edges, expected, q) for q in QUANTILES),
        psi=stability_index(expected, got),
        psi_by_chance=by_chance(expected, got),
        ks=kolmogorov_distance(expected, got),
        changed=changed,
    )


def label_of(number: int, labels: tuple[str, ...], classes: int) -> str:
    """A class by its name, or by its number."""
    return labels[number] if len(labels) == classes else str(number)


def _classes(expected: Any, got: Any, labels: tuple[str, ...]) -> tuple[ClassReport, ...]:
    a, b = got / max(1, got.sum()), expected / max(1, expected.sum())
    shown = np.argsort(-np.maximum(a, b), kind="stable")[:20]
    return tuple(
        ClassReport(label_of(int(i), labels, len(got)), float(a[i]), float(b[i]))
        for i in shown
        if a[i] or b[i]
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value
