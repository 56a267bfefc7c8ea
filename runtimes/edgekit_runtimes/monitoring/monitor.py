"""``Monitor``: looks at some of what goes through a model, within a share of the time that passes."""

import time
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array, InputError
from edgekit_runtimes.monitoring.changes import chance_of_classes, chance_of_counts
from edgekit_runtimes.monitoring.kept import RecentSamples
from edgekit_runtimes.monitoring.reference import Reference
from edgekit_runtimes.monitoring.report import SCHEMA, Alarm, MonitorReport, tensor_report
from edgekit_runtimes.monitoring.statistics import Measured, measure, thin
from edgekit_runtimes.monitoring.tally import (
    BLOCK,
    WINDOWS,
    Seen,
    Tally,
    Watched,
    seen_from_dict,
)
from edgekit_runtimes.monitoring.words import Finding, in_words

_ALARMS = 20  # the last ones, that are remembered
_QUIET = 4  # checks without a finding, after which the next one is a new alarm
_CREDIT = 0.05  # seconds that may be spent at once
_HELD = 1 << 18  # bytes of copies that wait to be measured


class DataChanged(UserWarning):
    """What goes through a model is no longer like the samples of its conversion."""


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """How a model is monitored."""

    false_alarms: float = 1e-5
    """At most so many a sample that is looked at, where nothing changes: one in 100,000."""
    time_share: float = 0.02
    """Of the time that passes, what the monitor may use; 1 looks at every sample."""
    keep: str | Path | None = None
    """A folder for the samples that a change began with; none are kept without it."""
    most_kept: int = 200
    """Samples in that folder, in all."""
    warn: bool = True
    """Give a ``DataChanged`` warning when a change begins."""


class Monitor:
    """Compares a model's inputs and outputs with those of the samples of its conversion.

    Threads may share it. Memory is fixed: counts of the last 400 samples.

    >>> from edgekit_runtimes.monitoring.build import TensorSamples
    >>> random = np.random.default_rng(0)
    >>> samples = TensorSamples((3,), low=0, high=1)
    >>> samples.add(random.uniform(size=(200, 3)))
    >>> reference = Reference({"x": samples.reference()}, {})
    >>> monitor = Monitor(reference, MonitorOptions(time_share=1, warn=False))
    >>> monitor.observe({"x": random.uniform(size=(100, 3))}, {})
    >>> monitor.report().status
    'as calibrated'
    >>> monitor.observe({"x": random.uniform(size=(25, 3)) + [0, 0, 1]}, {})
    >>> print(*monitor.report().warnings)
    inputs no longer look like the calibration data: channel 2 higher by ...
    """

    def __init__(self, reference: Reference, options: MonitorOptions | None = None) -> None:
        """A monitor that has seen nothing.

        Args:
            reference: what is compared with: a manifest's, or one that was made of samples.
            options: how.
        """
        self.reference = reference
        self.options = options or MonitorOptions()
        self.due = 0.0
        """When the next sample may be looked at, by ``time.perf_counter``; before, ``observe`` does nothing."""
        self._lock = Lock()
        self._tally = Tally(reference)
        self._watched = self._tally.watched
        self._waiting: list[list[Array]] = [[] for _ in self._watched]
        self._held = self._rows = self._ready = 0
        self._measured: list[list[Measured]] = []
        self._samples = self._not_finite = 0
        self._finding: Finding | None = None
        self._alarms: deque[Alarm] = deque(maxlen=_ALARMS)
        self._alarms_in_all = 0
        self._quiet = _QUIET
        self._paid = perf_counter() - _CREDIT / self.options.time_share
        self._merged: Seen | None = None
        self._merged_warnings: dict[str, None] = {}
        keep, most = self.options.keep, self.options.most_kept
        self._recent = RecentSamples(Path(keep), most) if keep is not None else None
        tests = len(self._tally.bins.reference) + sum(
            bool(w.reference.classes) for w in self._watched
        )
        chance = self.options.false_alarms * BLOCK / (len(WINDOWS) * max(1, tests))
        self._limit = log(chance)

    @property
    def changed(self) -> bool:
        """Whether what was looked at last is other than the samples of the conversion."""
        return self._finding is not None

    def observe(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Look at a batch, if it is time; arrays are copied, and may be used again at once.

        Args:
            inputs: by name, batch axis first, real numbers as ``Session.run`` takes them.
            outputs: as ``Session.run`` returns them.

        Raises:
            InputError: one that is monitored is missing, or of another shape.
        """
        start = perf_counter()
        if start < self.due or not self._lock.acquire(blocking=False):
            return
        try:
            self._take(inputs, outputs)
        finally:
            self._pay(perf_counter() - start)
            self._lock.release()

    def report(self) -> MonitorReport:
        """The figures of the last samples, and of those of monitors that were merged."""
        with self._lock:
            seen = self._tally.last(max(WINDOWS))
            finding = self._finding
            own = finding.warnings if finding else ()
            alarms = tuple(self._alarms)
        if self._merged is not None:
            seen = seen + self._merged
        found = tuple(dict.fromkeys((*own, *self._merged_warnings)))
        none = np.zeros(len(seen.sums), np.bool_)
        changed = finding.changed if finding else none
        classes = finding.classes if finding else frozenset[int]()
        tensors = [
            tensor_report(w, i, seen, changed, i in classes, self.reference.labels)
            for i, w in enumerate(self._watched)
        ]
        return MonitorReport(
            status="changed" if found else "as calibrated" if seen.samples else "waiting",
            warnings=found,
            samples=self._samples,
            recent=seen.samples,
            not_finite=self._not_finite,
            false_alarms=self.options.false_alarms,
            inputs=tuple(
                t for t, w in zip(tensors, self._watched, strict=True) if w.side == "input"
            ),
            outputs=tuple(
                t for t, w in zip(tensors, self._watched, strict=True) if w.side == "output"
            ),
            alarms=alarms,
            alarms_in_all=self._alarms_in_all,
            kept=tuple(self._recent.files) if self._recent else (),
        )

    def snapshot(self) -> dict[str, Any]:
        """What ``merge`` adds up, as JSON has it: to be sent to another process."""
        with self._lock:
            seen = self._tally.last(max(WINDOWS))
            seen = seen if self._merged is None else seen + self._merged
            own = self._finding.warnings if self._finding else ()
            return {
                "schema": SCHEMA,
                "seen": seen.to_dict(),
                "samples": self._samples,
                "not_finite": self._not_finite,
                "warnings": list(dict.fromkeys((*own, *self._merged_warnings))),
                "alarms_in_all": self._alarms_in_all,
            }

    def merge(self, other: "Monitor | Mapping[str, Any]") -> None:
        """Add the figures of another monitor with the same reference, or of its ``snapshot``.

        Its warnings are taken over; nothing is tested anew, so that the rate of false alarms stays.

        Raises:
            ValueError: it is of another reference.
        """
        plain = other.snapshot() if isinstance(other, Monitor) else other
        if plain.get("schema") != SCHEMA:
            raise ValueError(f"no snapshot of a monitor: its schema is {plain.get('schema')!r}")
        with self._lock:
            empty = self._tally.last(0)
            try:
                seen = seen_from_dict(plain["seen"], empty)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"a snapshot of another model's monitor: {error}") from error
            self._merged = seen if self._merged is None else self._merged + seen
            self._merged_warnings |= dict.fromkeys(map(str, plain["warnings"]))
            self._samples += int(plain["samples"])
            self._not_finite += int(plain["not_finite"])
            self._alarms_in_all += int(plain["alarms_in_all"])

    def _take(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        rows = 0
        taken = []
        for watched in self._watched:
            array = _array(watched, inputs if watched.side == "input" else outputs)
            step = -(-len(array) // BLOCK)
            array = array[::step] if step > 1 else array
            rows = len(array)
            taken.append(thin(watched.layout, array))
        for waiting, array in zip(self._waiting, taken, strict=True):
            waiting.append(array)
            self._held += array.nbytes
        if self._recent:
            step = -(-len(next(iter(inputs.values()))) // BLOCK)
            self._recent.add({n: np.asarray(a)[::step] for n, a in inputs.items()})
        self._rows += rows
        if self._rows >= BLOCK or self._held >= _HELD:
            self._measure()
        if self._rows >= BLOCK:
            self._close_block()

    def _measure(self) -> None:
        """Measure the copies, and let go of them."""
        measured = []
        for watched, waiting in zip(self._watched, self._waiting, strict=True):
            batch = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            measured.append(measure(watched.layout, batch))
            waiting.clear()
        self._measured.append(measured)
        self._held = 0

    def _close_block(self) -> None:
        parts = list(zip(*self._measured, strict=True))
        values = [np.concatenate([m.values for m in of_tensor]) for of_tensor in parts]
        finite = [np.concatenate([m.finite for m in of_tensor]) for of_tensor in parts]
        classes = [
            None
            if of_tensor[0].classes is None
            else np.concatenate([m.classes for m in of_tensor if m.classes is not None])
            for of_tensor in parts
        ]
        ends = np.stack(finite, 1)
        self._tally.add(np.concatenate(values, 1), ends, classes)
        self._samples += self._rows
        self._not_finite += int((~ends.all(1)).sum())
        self._measured.clear()
        self._rows = 0
        try:
            self._check()
        finally:
            if self._recent:
                self._recent.forget()

    def _check(self) -> None:
        """Compare the last blocks, in windows of several lengths, with the reference."""
        blocks = [w for w in WINDOWS if w <= self._tally.blocks]
        windows = [self._tally.last(w) for w in blocks]
        chances = chance_of_counts(
            self._tally.bins.reference, np.stack([seen.counts for seen in windows])
        )
        beyond = chances <= self._limit
        self._finding = None
        for seen, row, chance in zip(windows, beyond, chances, strict=True):
            classes = frozenset(
                i
                for i, w in enumerate(self._watched)
                if w.reference.classes
                and chance_of_classes(np.array(w.reference.classes), seen.classes[i]) <= self._limit
            )
            broken = frozenset(
                i
                for i, w in enumerate(self._watched)
                if seen.not_finite[i] and not w.reference.not_finite
            )
            if row.any() or classes or broken:
                found = Finding(seen, row, chance, classes, broken)
                words = in_words(self._watched, found, self.reference.labels)
                self._finding = found.told(words, np.asarray(beyond.any(0)))
                break
        quiet, self._quiet = self._quiet, 0 if self._finding else self._quiet + 1
        if self._finding and quiet >= _QUIET:
            self._begin_alarm(self._finding.warnings)

    def _begin_alarm(self, words: tuple[str, ...]) -> None:
        self._alarms.append(Alarm(time.time(), self._samples, words))
        self._alarms_in_all += 1
        if self._recent:
            try:
                self._recent.write()
            except OSError as error:
                words = (*words, f"samples could not be kept: {error}")
        if self.options.warn:
            warnings.warn("; ".join(words), DataChanged, stacklevel=2)

    def _pay(self, seconds: float) -> None:
        """Put off the next look until this one is a small enough share of the time that passed."""
        share = self.options.time_share
        if share >= 1:
            return
        now = perf_counter()
        self._paid = max(self._paid, now - _CREDIT / share) + seconds / share
        self.due = self._paid


def _array(watched: Watched, arrays: Mapping[str, Array]) -> Array:
    if watched.name not in arrays:
        raise InputError(
            f"the monitor also wants the {watched.side} {watched.name!r}; given: {', '.join(arrays) or 'none'}."
        )
    array = np.asarray(arrays[watched.name])
    if array.shape[1:] != watched.reference.shape or not array.ndim:
        raise InputError(
            f"{watched.side} {watched.name!r}: expected (batch, "
            f"{', '.join(map(str, watched.reference.shape))}), got {array.shape}."
        )
    return array
