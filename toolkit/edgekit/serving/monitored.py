"""The monitor of a model that is served: in each worker one, whose figures are added up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.data.samples import Array
from edgekit_runtimes import InputError
from edgekit_runtimes.monitoring.monitor import Monitor, MonitorOptions
from edgekit_runtimes.monitoring.reference import Reference
from edgekit_runtimes.monitoring.report import MonitorReport, TensorReport

_TOTALS = ("samples", "not_finite", "alarms_in_all")
"""Of a snapshot, what is said of all samples; the rest is of the last ones."""


@dataclass(frozen=True, slots=True)
class TensorSeen:
    """One input or output against the distribution that the manifest has of it."""

    name: str
    samples: int
    """The last ones, that the figures are of."""
    outside: float | None
    """The share of their values outside the calibrated range."""
    psi: float | None
    """The population stability index beyond what chance gives, of the statistic that differs most."""
    ks: float | None
    """The Kolmogorov distance, likewise."""
    not_finite: float
    """The share of samples with NaN or infinite values."""
    alarm: bool


@dataclass(frozen=True, slots=True)
class Monitored:
    """What the monitors of one model have seen."""

    reference: Reference
    snapshots: tuple[Mapping[str, Any], ...]
    """One of each worker."""
    changed: frozenset[str] = frozenset()
    """Inputs and outputs that no longer look as they did at calibration, in one of them."""

    def __add__(self, other: "Monitored") -> "Monitored":
        return Monitored(
            self.reference, (*self.snapshots, *other.snapshots), self.changed | other.changed
        )

    def ended(self) -> "Monitored":
        """What remains of it when nothing comes any more: how much there was, and nothing of late."""
        empty = Monitor(self.reference).snapshot()
        totals = {name: sum(s[name] for s in self.snapshots) for name in _TOTALS}
        return Monitored(self.reference, ({**empty, **totals},))

    def report(self) -> MonitorReport:
        """What all of them say together."""
        together = Monitor(self.reference, MonitorOptions(warn=False))
        for snapshot in self.snapshots:
            together.merge(snapshot)
        return together.report()


class ModelMonitor:
    """The monitor in this process."""

    def __init__(self, reference: Reference, keep: Path | None) -> None:
        """It has seen nothing.

        Args:
            reference: what is compared with.
            keep: a folder for the samples that a change began with; None where none are kept.
        """
        self._monitor = Monitor(reference, MonitorOptions(keep=keep, warn=False))

    def see(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Look at a call, if it is time."""
        try:
            self._monitor.observe(inputs, outputs)
        except InputError:  # of another shape than the samples of the conversion
            return

    def seen(self) -> Monitored:
        """What it has seen by now."""
        monitor = self._monitor
        changed = frozenset[str]()
        if monitor.changed:
            found = monitor.report()
            changed = frozenset(t.name for t in (*found.inputs, *found.outputs) if t.changed)
        return Monitored(monitor.reference, (monitor.snapshot(),), changed)


def tensors_seen(found: MonitorReport, changed: Iterable[str]) -> tuple[TensorSeen, ...]:
    """The figures of each input and output, the inputs first.

    Args:
        found: of all workers together.
        changed: the names of those that are told to have changed.
    """
    names = frozenset(changed)
    return tuple(
        _tensor(tensor, found.recent, tensor.name in names)
        for tensor in (*found.inputs, *found.outputs)
    )


def _tensor(tensor: TensorReport, recent: int, alarm: bool) -> TensorSeen:
    if not recent:
        return TensorSeen(tensor.name, 0, None, None, None, 0.0, alarm)
    outside = [s.mean for s in tensor.statistics if s.statistic == "outside"]
    psi = [s.psi - s.psi_by_chance for s in tensor.statistics]
    ks = [s.ks for s in tensor.statistics]
    return TensorSeen(
        tensor.name,
        recent,
        sum(outside) / len(outside) if outside else None,
        max(0.0, *psi) if psi else None,
        max(ks, default=None),
        tensor.not_finite,
        alarm,
    )
