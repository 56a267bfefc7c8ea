"""Files and devices timed side by side, each in a process of its own: loading, calls and memory.

``latency.latencies`` compares sessions that are already open.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edgekit.names import names
from edgekit.progress import Progress, advances, expect, silent
from edgekit_runtimes import DEVICES, DeviceUnavailable, ModelError, Session, open_model
from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.base import Array
from edgekit_runtimes.bundle.manifest_file import vouched
from edgekit_runtimes.files import FILES
from edgekit_runtimes.subprocess_engine import Child, State

_TURN_SECONDS = 0.05  # that one file runs before the next has its turn


@dataclass(frozen=True, slots=True)
class Timing:
    """What one file costs on one device."""

    file: str
    device: str
    threads: int

    load_ms: float = 0.0
    """Importing the runtime and opening the file."""

    first_call_ms: float = 0.0
    """With everything that the runtime puts off until then."""

    p50_ms: float = 0.0
    """The median of one call."""

    p90_ms: float = 0.0
    p99_ms: float = 0.0

    samples_per_second: float = 0.0
    """Of one caller that waits for each call."""

    peak_memory_mib: float = 0.0
    """Of a Python process that does only this."""

    calls: int = 0
    """That were timed."""

    simulated: bool = False
    """Whether a simulator stands in for the device: then its times say nothing."""

    error: str | None = None
    """Why there are no times."""

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return asdict(self)


def bench(
    files: str | Path | Sequence[str | Path],
    *,
    devices: str | Sequence[str] = "cpu",
    threads: Sequence[int] = (1,),
    inputs: Mapping[str, Array] | None = None,
    seconds: float = 2.0,
    progress: Progress = silent,
) -> list[Timing]:
    """Time every file on every device with every number of threads.

    >>> from edgekit import bench
    >>> timings = bench(["out/model_float32.tflite", "out/model_int8.tflite"], seconds=0.1)
    >>> [timing.file for timing in timings], all(timing.p50_ms > 0 for timing in timings)
    (['out/model_float32.tflite', 'out/model_int8.tflite'], True)

    Each combination has a process of its own; they take turns, so that other load on the machine affects
    all of them alike. A crash becomes the ``error`` of its row.

    Args:
        files: model files, or folders that ``edgekit convert`` made.
        devices: as for ``open_model``. One that does not open a kind of file is left out there,
            unless no other is left.
        threads: of one call.
        inputs: one batch by input name; random numbers without it.
        seconds: measuring time of each combination.
        progress: is called with each step.
    """
    paths = [Path(files)] if isinstance(files, (str, Path)) else [Path(file) for file in files]
    for path in paths:
        if path.is_file():
            vouched(path)
    known = names(devices)
    rows = [(f, d, t) for f in paths for d in _suitable(f, known) for t in threads]
    children: list[Child] = []
    opened: dict[int, dict[str, Any]] = {}
    call_seconds: dict[int, list[float]] = {}
    errors: dict[int, str] = {}
    try:
        expect(progress, len(rows) + 1)
        for i, (file, device, count) in enumerate(rows):
            progress(f"opening {file} on {device}")
            children.append(Child(str(file)))
            try:
                opened[i] = children[i].ask(_open, file, device, count, inputs)
                call_seconds[i] = []
            except (ModelError, DeviceUnavailable) as error:
                errors[i] = str(error)
        turns = max(1, round(seconds / _TURN_SECONDS))
        progress(f"timing {len(call_seconds)} in turns")
        for turn in range(turns):
            advances(progress)(turn, turns)
            for i in list(call_seconds):
                try:
                    call_seconds[i] += children[i].ask(_time_calls, _TURN_SECONDS)
                except ModelError as error:
                    errors[i] = str(error)
                    del call_seconds[i]
        peaks = {i: children[i].ask(_peak_memory_mib) for i in call_seconds}
    finally:
        for child in children:
            child.end()
    return [
        _timing(opened[i], call_seconds[i], peaks[i])
        if i in call_seconds
        else Timing(str(file), device, count, error=errors[i])
        for i, (file, device, count) in enumerate(rows)
    ]


def _suitable(file: Path, devices: Sequence[str]) -> Sequence[str]:
    """The devices that open such files; where none does, all of them, whose errors then say so."""
    others = {d.name for d in DEVICES} - {d.name for d in DEVICES if file.suffix in d.suffixes}
    return devices if file.is_dir() else [d for d in devices if d not in others] or devices


def _timing(opened: Mapping[str, Any], seconds: Sequence[float], peak_memory_mib: float) -> Timing:
    p50, p90, p99 = (1000 * float(q) for q in np.percentile(seconds, (50, 90, 99)))
    return Timing(
        file=opened["file"],
        device=opened["device"],
        threads=opened["threads"],
        load_ms=opened["load_ms"],
        first_call_ms=opened["first_call_ms"],
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        samples_per_second=opened["batch"] * len(seconds) / sum(seconds),
        peak_memory_mib=peak_memory_mib,
        calls=len(seconds),
        simulated=opened["simulated"],
    )


def _open(
    state: State, file: Path, device: str, threads: int, inputs: Mapping[str, Array] | None
) -> dict[str, Any]:
    if file.suffix in FILES and file.is_file():  # before the clock: later openings need it no more
        FILES[file.suffix].verify(file)
    start = perf_counter()
    session = open_model(file, device=device, threads=threads, trust=True)
    loaded = perf_counter()
    x = dict(inputs) if inputs else random_inputs(session.inputs, {})
    # A single input without its name, as a script passes it.
    state["x"] = next(iter(x.values())) if len(x) == 1 == len(session.outputs) else x
    state["session"] = session
    before = perf_counter()
    session.run(state["x"])
    return {
        "file": session.path,
        "device": session.device,
        "threads": session.threads,
        "simulated": session.simulated,
        "batch": len(next(iter(x.values()))),
        "load_ms": 1000 * (loaded - start),
        "first_call_ms": 1000 * (perf_counter() - before),
    }


def _time_calls(state: State, seconds: float) -> list[float]:
    session: Session = state["session"]
    x = state["x"]
    session.run(x)  # warms caches and threads up again
    times = []
    start = last = perf_counter()
    while last - start < seconds:
        session.run(x)
        now = perf_counter()
        times.append(now - last)
        last = now
    return times


def _peak_memory_mib(state: State) -> float:  # noqa: ARG001  (what a child runs takes the state)
    """The largest resident memory of this process so far; 0 where the system does not tell."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):  # not ru_maxrss, which starts at the parent's
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    if sys.platform == "win32":
        return 0.0
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, else KiB
    return largest / (1024 * 1024 if sys.platform == "darwin" else 1024)
