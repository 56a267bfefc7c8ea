"""A second model that runs on a share of the traffic, to learn how often it answers as the first does.

Nobody waits for it: it runs in a process of its own, of the lowest priority, after the first has answered. What
comes while it is busy is dropped, and counted.
"""

import os
import random
import threading
from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from edgekit.accuracy.live import LiveComparison, LiveEstimate, comparisons
from edgekit.data.samples import Array
from edgekit.errors import EdgekitError
from edgekit.serving import child
from edgekit.serving.child import Opened
from edgekit.serving.models import newest, versions_in
from edgekit.serving.settings import Settings
from edgekit_runtimes import TensorSpec
from edgekit_runtimes.subprocess_engine import Child

_MOST_WAITING = 8
_MOST_BYTES = 32 << 20
"""Of inputs that wait: more are dropped."""
_REOPENED_AFTER = (1.0, 5.0, 30.0, 120.0)
"""Seconds after a crash; the last for each crash after."""


class ShadowError(EdgekitError):
    """A folder that cannot be the shadow of a model; the message says where they differ."""


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What is known so far of a shadow."""

    file: str
    sha256: str
    share: float
    """Of the requests, that are to be compared."""
    compared: int
    """Samples."""
    dropped: int
    """Samples that came while it was busy, or not there."""
    failed: int
    """Samples on which it crashed, took too long, or refused."""
    outputs: tuple[LiveEstimate, ...]

    def __str__(self) -> str:
        found = "; ".join(map(str, self.outputs)) or "nothing compared yet"
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"shadow {self.file}: {found}; {self.dropped:,} dropped{failed}"


@dataclass(slots=True)
class Figures:
    """What was counted of a shadow; of several workers they can be added up."""

    file: str
    sha256: str
    share: float
    compared: int = 0
    dropped: int = 0
    failed: int = 0
    outputs: dict[str, LiveComparison] = field(default_factory=dict)

    def merge(self, other: "Figures") -> None:
        """Add what another worker counted of the same file."""
        self.compared += other.compared
        self.dropped += other.dropped
        self.failed += other.failed
        for name, comparison in other.outputs.items():
            self.outputs[name].merge(comparison)

    def report(self) -> ShadowReport:
        """What they say."""
        estimates = [c.estimate() for c in self.outputs.values()]
        return ShadowReport(
            self.file,
            self.sha256,
            self.share,
            self.compared,
            self.dropped,
            self.failed,
            tuple(e for e in estimates if e is not None),
        )


class Shadow:
    """The second model of one model."""

    def __init__(
        self,
        path: Path,
        first: Opened,
        *,
        share: float,
        device: str,
        threads: int | None,
        key: Path | None,
        timeout: float,
    ) -> None:
        """Open it in a process of its own.

        Args:
            path: a folder that convert made, or a model file.
            first: the model whose shadow it is.
            share: of the requests, that it runs on: up to 1.
            device: as ``open_model`` takes it.
            threads: as ``open_model`` takes it.
            key: the public key that the folder must be signed by.
            timeout: the most seconds of one call.

        Raises:
            RuntimesError: it cannot be opened, or does not pass its golden samples.
            ShadowError: it has other inputs, outputs or labels than the first.
        """
        self._opening = (path, device, threads, key)
        self._first = first.file
        self._share, self._timeout = share, timeout
        self._random = random.Random()
        self._queue: deque[tuple[Mapping[str, Array], Mapping[str, Array]]] = deque()
        self._bytes = 0
        self._condition = threading.Condition()
        self._counting = threading.Lock()
        self._dropped = 0
        self._closing = False
        self._child = Child(str(path))
        try:
            self.opened: Opened = self._child.ask(_open, *self._opening)
            check(first, self.opened, path)
        except BaseException:
            self._child.end()
            raise
        self._figures = Figures(
            self.opened.file,
            self.opened.sha256,
            share,
            outputs=comparisons(_tasks(first)),
        )
        self._worker = threading.Thread(target=self._work, name=f"shadow {path}", daemon=True)
        self._worker.start()

    def __str__(self) -> str:
        return (
            f"{self._opening[0]}: {self.opened.file} on {self.opened.device} is the shadow of {self._first}, "
            f"on {'all' if self._share == 1 else f'{100 * self._share:.3g}%'} of its requests"
        )

    def offer(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Have a call compared, where it is its turn; returns at once."""
        if self._random.random() >= self._share:
            return
        rows = len(next(iter(inputs.values())))
        size = sum(array.nbytes for array in inputs.values())
        with self._condition:
            if (
                len(self._queue) >= _MOST_WAITING
                or self._bytes + size > _MOST_BYTES
                or self._closing
            ):
                self._dropped += rows
                return
            self._bytes += size
            self._queue.append((inputs, outputs))
            self._condition.notify()

    def copy(self) -> Figures:
        """The figures as they are now."""
        with self._counting:
            figures = deepcopy(self._figures)
        figures.dropped = self._dropped
        return figures

    def close(self) -> None:
        """End the process, whatever it does; what waits is dropped."""
        with self._condition:
            self._closing = True
            self._queue.clear()
            self._condition.notify()
        self._child.kill()
        self._worker.join()
        self._child.end()

    def _work(self) -> None:
        while True:
            with self._condition:
                while not (self._queue or self._closing):
                    self._condition.wait()
                if self._closing:
                    return
                inputs, outputs = self._queue.popleft()
                self._bytes -= sum(array.nbytes for array in inputs.values())
            rows = len(next(iter(inputs.values())))
            try:
                found, _ = self._child.ask(child.run, inputs, timeout=self._timeout)
                found = {name: np.asarray(found[name]) for name in outputs}
            except Exception:  # of any kind: it is counted, and harms nobody
                if self._closing:
                    return
                with self._counting:
                    self._figures.failed += rows
                if self._child.status() is not None and not self._reopened():
                    return
                continue
            with self._counting:
                self._figures.compared += rows
                for name, comparison in self._figures.outputs.items():
                    comparison.add(outputs[name], found[name])

    def _reopened(self) -> bool:
        """Open it again after a crash; False where it is closed meanwhile."""
        attempt = 0
        while True:
            seconds = _REOPENED_AFTER[min(attempt, len(_REOPENED_AFTER) - 1)]
            attempt += 1
            end = monotonic() + seconds
            with self._condition:
                while not self._closing and (left := end - monotonic()) > 0:
                    self._condition.wait(left)
                if self._closing:
                    return False
                self._child.end()
                self._child = Child(str(self._opening[0]))
            try:
                self._child.ask(_open, *self._opening)
            except Exception:  # of any kind: it is tried again later
                self._child.kill()
            else:
                return True


def check(first: Opened, second: Opened, path: Path) -> None:
    """Refuse a shadow whose answers could not be compared.

    Raises:
        ShadowError: it has other inputs, outputs or labels.
    """
    for what, a, b in (
        ("inputs", first.inputs, second.inputs),
        ("outputs", first.outputs, second.outputs),
    ):
        if _told(a) != _told(b):
            raise ShadowError(
                f"{path}: its {what} are {_in_words(b)}; those of {first.file}, which it is to shadow, are "
                f"{_in_words(a)}. A shadow needs the same names, types and shapes."
            )
    if first.facts.labels and second.facts.labels and first.facts.labels != second.facts.labels:
        ours, its = first.facts.labels, second.facts.labels
        pairs = zip_longest(ours, its, fillvalue="nothing")
        was, now = next((a, b) for a, b in pairs if a != b)
        raise ShadowError(
            f"{path}: its classes are named otherwise than those of {first.file}, which it is to shadow: "
            f"{now!r} for {was!r}."
        )


def _open(state: dict[str, Any], *opening: Any) -> Opened:
    """Open it where others go first."""
    if hasattr(os, "nice"):
        os.nice(19)
    return child.open_and_time(state, *opening)


def _told(specs: tuple[TensorSpec, ...]) -> dict[str, tuple[Any, ...]]:
    """What a caller sees of tensors: float32 where the file has quantized integers, and any batch."""
    return {s.name: ("float32" if s.scale is not None else s.dtype, s.shape[1:]) for s in specs}


def _in_words(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{n} {kind} {list(shape)}" for n, (kind, shape) in _told(specs).items())


def _tasks(opened: Opened) -> dict[str, str]:
    known = {meaning.output: meaning.task for meaning in opened.facts.postprocessing}
    return {spec.name: known.get(spec.name, "") for spec in opened.outputs}


def shadow_of(first: Opened, path: Path, name: str, settings: Settings) -> Shadow | None:
    """The shadow of a model, where it is to have one; of several versions the highest.

    Raises:
        RuntimesError, ShadowError: as ``Shadow``.
    """
    model = dict(settings.models).get(name)
    if model is None or newest(versions_in(model)) != path:
        return None
    folder = dict(settings.shadows).get(name)
    if folder is None:
        return None
    return Shadow(
        folder,
        first,
        share=settings.shadow_share,
        device=settings.device,
        threads=settings.threads,
        key=settings.key,
        timeout=settings.timeout,
    )
