"""What runs in the process of a model: opened there, so that a crash of its runtime ends nothing else."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from edgekit.data.samples import Array
from edgekit_runtimes import ModelError, TensorSpec, open_model, verify_folder
from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.processing.facts import Facts

_TRIED = (1, 4, 8, 16)
"""Batch sizes that are timed; more samples make others wait for longer than they gain."""
_PAYS = 0.9
"""Of the time of one sample alone, which a larger batch must stay below."""
_TIMED_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that is open in its process, warm and timed."""

    file: str
    device: str
    threads: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch: int
    """How many waiting samples are run at once: 1 where more are no faster."""
    seconds: float
    """Of one call with one sample, the median."""
    facts: Facts
    """What images become, what outputs mean, and the classes' names."""


def open_and_time(
    state: dict[str, Any], path: Path, device: str, threads: int | None, key: Path | None
) -> Opened:
    """Open a model, replay its golden samples, and find out whether batches pay.

    Raises:
        RuntimesError: it cannot be opened, or answers otherwise than where it was made.
    """
    # A terminal sends it to every process, and what runs is to be answered.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    session = state["session"] = open_model(path, device=device, threads=threads, key=key)
    if path.is_dir():
        verified = verify_folder(path, device=session.device, key=key)
        if not verified:
            wrong = "; ".join(c.reason for c in verified.checks if c.verdict == "fail")
            raise ModelError(f"{path}: it does not pass its own golden samples: {wrong}")
    times = {}
    for size in _TRIED if session.inputs[0].shape[0] is None else _TRIED[:1]:
        given = {
            name: array.repeat(size, axis=0)[:size]
            for name, array in random_inputs(session.inputs, {}).items()
        }
        times[size] = _median_time(session, given) / size
    best = min(times, key=times.__getitem__)
    return Opened(
        Path(session.path).name,
        session.device,
        session.threads,
        session.inputs,
        session.outputs,
        best if times[best] < _PAYS * times[1] else 1,
        times[1],
        session.facts,
    )


def run(state: dict[str, Any], arrays: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """Run the open model; the outputs, and the seconds that it took."""
    start = perf_counter()
    outputs = state["session"].run(arrays)
    return outputs, perf_counter() - start


def _median_time(session: Any, given: Mapping[str, Array]) -> float:
    times: list[float] = []
    end = perf_counter() + _TIMED_SECONDS / len(_TRIED)
    while len(times) < 3 or (perf_counter() < end and len(times) < 200):
        start = perf_counter()
        session.run(given)
        times.append(perf_counter() - start)
    return sorted(times)[len(times) // 2]
