"""Files and devices timed side by side.

``latencies`` compares sessions that are open already; ``bench`` gives each file and device a process
of its own, for what loading and memory cost as well.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edgekit_runtimes import DEVICES, DeviceUnavailable, ModelError, Session, open_model
from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.base import Array
from edgekit_runtimes.subprocess_engine import Child, State

_BLOCK = 0.05  # seconds that one file runs before the next has its turn


@dataclass(frozen=True, slots=True)
class Timing:
    """What one file costs on one device."""

    file: str
    device: str
    threads: int
    load_ms: float = 0.0
    """Importing the runtime and opening the file."""

    first_ms: float = 0.0
    """The first call, with whatever the runtime puts off until then."""

    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    per_second: float = 0.0
    """Samples that one caller gets through."""

    peak_mb: float = 0.0
    """The most memory of a Python process that does only this."""

    calls: int = 0
    emulated: bool = False
    """Whether the device is imitated: the times say nothing about it."""

    error: str | None = None
    """Why there are no figures."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def bench(
    files: Sequence[Path],
    *,
    devices: Sequence[str] = ("cpu",),
    threads: Sequence[int] = (1,),
    inputs: Mapping[str, Array] | None = None,
    seconds: float = 2.0,
    progress: Callable[[str], None] = lambda step: None,
) -> list[Timing]:
    """Times every file on every device with every number of threads.

    Each has a process of its own; they take turns, so that whatever else the machine does falls on
    all of them alike. A crash is an error in its row.

    Args:
        files: model files, or folders that ``edgekit convert`` made.
        devices: as for ``open_model``. One that does not open a kind of file is left out there,
            unless no other is left.
        threads: of one call.
        inputs: one batch by input name; random numbers without it.
        seconds: of calls for each.
        progress: told of each step.
    """
    rows = [(f, d, t) for f in files for d in _suitable(f, devices) for t in threads]
    children: list[Child] = []
    running: dict[int, list[float]] = {}
    opened: dict[int, dict[str, Any]] = {}
    failed: dict[int, str] = {}
    try:
        for i, (file, device, count) in enumerate(rows):
            progress(f"opening {file} on {device}")
            children.append(Child(str(file)))
            try:
                opened[i] = children[i].ask(_open, file, device, count, inputs)
                running[i] = []
            except (ModelError, DeviceUnavailable) as error:
                failed[i] = str(error)
        for number in range(rounds := max(1, round(seconds / _BLOCK))):
            progress(f"timing {len(running)} in turns: {number * 100 // rounds}%")
            for i in list(running):
                try:
                    running[i] += children[i].ask(_block, _BLOCK)
                except ModelError as error:
                    failed[i] = str(error)
                    del running[i]
        peaks = {i: children[i].ask(_peak) for i in running}
    finally:
        for child in children:
            child.end()
    return [
        _timing(opened[i], running[i], peaks[i])
        if i in running
        else Timing(str(row[0]), row[1], row[2], error=failed[i])
        for i, row in enumerate(rows)
    ]


def _suitable(file: Path, devices: Sequence[str]) -> Sequence[str]:
    """The devices that open such files; all of them, to be told so, where none does."""
    others = {d.name for d in DEVICES} - {d.name for d in DEVICES if file.suffix in d.suffixes}
    return devices if file.is_dir() else [d for d in devices if d not in others] or devices


def _timing(told: Mapping[str, Any], times: list[float], peak: float) -> Timing:
    p50, p90, p99 = (1000 * float(q) for q in np.percentile(times, (50, 90, 99)))
    return Timing(
        file=told["file"],
        device=told["device"],
        threads=told["threads"],
        load_ms=told["load_ms"],
        first_ms=told["first_ms"],
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        per_second=told["batch"] * len(times) / sum(times),
        peak_mb=peak,
        calls=len(times),
        emulated=told["emulated"],
    )


def _open(
    state: State, file: Path, device: str, threads: int, inputs: Mapping[str, Array] | None
) -> dict[str, Any]:
    start = perf_counter()
    session = open_model(file, device=device, threads=threads)
    loaded = perf_counter()
    x = dict(inputs) if inputs else random_inputs(session.inputs, {})
    # Bare where that is possible: it is how a script calls it.
    state["x"] = next(iter(x.values())) if len(x) == 1 else x
    state["session"] = session
    before = perf_counter()
    session.run(state["x"])
    return {
        "file": session.path,
        "device": session.device,
        "threads": session.threads,
        "emulated": session.emulated,
        "batch": len(next(iter(x.values()))),
        "load_ms": 1000 * (loaded - start),
        "first_ms": 1000 * (perf_counter() - before),
    }


def _block(state: State, seconds: float) -> list[float]:
    session: Session = state["session"]
    x = state["x"]
    session.run(x)  # brings caches and threads back
    times = []
    start = last = perf_counter()
    while last - start < seconds:
        session.run(x)
        now = perf_counter()
        times.append(now - last)
        last = now
    return times


def _peak(state: State) -> float:  # noqa: ARG001  (what a child runs takes the state)
    """The most memory of this process so far, in MB."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):  # not ru_maxrss, which starts at the parent's
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)
