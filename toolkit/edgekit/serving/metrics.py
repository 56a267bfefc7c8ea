"""What the server counts and times, as Prometheus reads it."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from edgekit.serving.models import Models
from edgekit.serving.watched_metrics import add_watched
from edgekit.serving.watching import Report

_SECONDS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
STAGES = ("read", "queue", "infer", "write", "all")
"""Of a request: its body is read and checked, it waits, the model runs, the answer is written; and all."""


@dataclass(slots=True)
class Metrics:
    """The metrics of one worker process; those of several are added up where they share a folder."""

    folder: str | None = None
    """Where the workers' figures lie; None where there is one worker."""
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    stages: Histogram = field(init=False)
    rows: Histogram = field(init=False)
    queue: Gauge = field(init=False)
    restarts: Counter = field(init=False)
    memory: Gauge = field(init=False)
    model_memory: Gauge = field(init=False)
    model: Gauge = field(init=False)
    _child_of: dict[tuple[str, ...], Any] = field(default_factory=dict)
    _shown: set[tuple[str, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        def make(
            kind: Callable[..., Any], name: str, text: str, names: Iterable[str], **more: Any
        ) -> Any:
            return kind(f"edgekit_{name}", text, list(names), registry=self.registry, **more)

        named = ("model", "version")
        self.requests = make(
            Counter, "requests", "Requests to infer, by HTTP status.", (*named, "status")
        )
        self.stages = make(
            Histogram,
            "request_seconds",
            "Seconds of a request's stages.",
            (*named, "stage"),
            buckets=_SECONDS,
        )
        self.rows = make(
            Histogram,
            "batch_samples",
            "Samples run in one call.",
            named,
            buckets=(1, 2, 4, 8, 16, 32, 64),
        )
        self.queue = make(
            Gauge, "queue_requests", "Requests that wait.", named, multiprocess_mode="livesum"
        )
        self.restarts = make(
            Counter, "model_restarts", "Times that a model's process was started again.", ("model",)
        )
        self.memory = make(
            Gauge,
            "worker_memory_bytes",
            "Resident memory of the workers, without the models' processes.",
            (),
            multiprocess_mode="livesum",
        )
        self.model_memory = make(
            Gauge,
            "model_memory_bytes",
            "Resident memory of the process of a model.",
            named,
            multiprocess_mode="livesum",
        )
        self.model = make(
            Gauge,
            "model_info",
            "What is served.",
            (*named, "file", "device", "sha256", "recipe"),
            multiprocess_mode="max",
        )

    def stage(self, model: str, version: str, stage: str, seconds: float) -> None:
        """Count the seconds of one stage of one request."""
        key = (model, version, stage)
        child = self._child_of.get(key)
        if child is None:
            child = self._child_of[key] = self.stages.labels(*key)
        child.observe(seconds)

    def text(self, models: Models, watched: Iterable[Report] = ()) -> bytes:
        """All of it, in Prometheus' text format.

        Args:
            models: that are served.
            watched: what all workers have seen of them.
        """
        self.memory.set(resident_bytes(os.getpid()))
        for gone in self._shown:  # what was replaced since
            self.model.labels(*gone).set(0)
        for served in models:
            opened = served.runner.opened
            self.queue.labels(served.name, served.version).set(served.runner.waiting)
            labels = (
                served.name,
                served.version,
                opened.file,
                opened.device,
                opened.sha256,
                opened.recipe,
            )
            self._shown.add(labels)
            self.model_memory.labels(served.name, served.version).set(
                resident_bytes(served.runner.pid)
            )
            self.model.labels(*labels).set(1)
        now = {(s.name, s.version, s.runner.opened.identity) for s in models}
        seen = CollectorRegistry()
        add_watched(seen, [r for r in watched if (r.model, r.version, r.key.identity) in now])
        if self.folder is None:
            return generate_latest(self.registry) + generate_latest(seen)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=self.folder)  # type: ignore[no-untyped-call]
        return generate_latest(together) + generate_latest(seen)


def resident_bytes(pid: int) -> int:
    """Memory of a process; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
