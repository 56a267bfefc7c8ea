"""What runs in the process of a model: opened there, so that a crash of its runtime ends nothing else."""

import pickle
import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from edgekit.data.samples import Array
from edgekit.inference.runtime_faults import runtime_faults
from edgekit.serving.memory import Memory
from edgekit_runtimes import ModelError, TensorSpec, open_model, verify_folder
from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.bundle.manifest_file import MANIFEST, read_listed
from edgekit_runtimes.bundle.reference_file import read_reference
from edgekit_runtimes.known_files import identity
from edgekit_runtimes.monitoring.reference import Reference
from edgekit_runtimes.processing.facts import Facts

LENGTH = struct.Struct("=I")
"""Of an answer, before it."""
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
    sha256: str
    """Of the file, as the folder's manifest has it; empty for a file alone."""
    recipe: str
    """Of the recipe that the file was made by, likewise; empty where it has none."""
    reference: Reference | None
    """What its inputs and outputs are compared with; None where the manifest has no distributions."""
    identity: tuple[int, ...]
    """Of what was opened: the folder's manifest, or the file; of another content it is another."""
    faults: tuple[str, ...] = ()
    """What its runtime is known to compute wrongly in it."""


def open_and_time(
    state: dict[str, Any], path: Path, device: str, threads: int | None, key: Path | None
) -> Opened:
    """Open a model, replay its golden samples, and find out whether batches pay.

    Raises:
        RuntimesError: it cannot be opened, or answers otherwise than where it was made.
    """
    # A terminal sends it to every process, and what runs is to be answered.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = identity_of(path)
    session = state["session"] = open_model(path, device=device, threads=threads, key=key)
    # Of the file that is open: with a key, that is a copy in a folder of this process.
    entry = _entry(Path(session.path))
    if before is None or identity_of(path) != before:
        raise ModelError(f"{path}: was changed while it was opened.")
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
        str(entry.get("sha256") or ""),
        str((entry.get("recipe") or {}).get("sha256") or ""),
        _reference(Path(session.path)),
        before,
        tuple(runtime_faults(Path(session.path), session.device)),
    )


def run(state: dict[str, Any], arrays: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """Run the open model; the outputs, and the seconds that it took."""
    start = perf_counter()
    outputs = state["session"].run(arrays)
    return outputs, perf_counter() - start


def answer_calls(state: dict[str, Any], calls: int, memories: Sequence[int]) -> None:
    """Run the open model on what the worker puts into memory, until the worker goes.

    Args:
        state: has the session.
        calls: the socket that says which memory has the inputs of the next call, and where; the answer
            says the same of the outputs, and how long it took.
        memories: the files of the memory.
    """
    shared = [Memory(file) for file in memories]
    with socket.socket(fileno=calls) as connection, connection.makefile("rb") as reader:
        while True:
            try:
                number, layout = pickle.load(reader)
            except (EOFError, OSError):
                return
            try:
                outputs, seconds = run(state, shared[number].get(layout))
                packed = pickle.dumps((shared[number].put(outputs, behind=layout), seconds))
            except Exception as error:  # raised again in the worker
                packed = _packed(error)
            try:
                connection.sendall(LENGTH.pack(len(packed)) + packed)
            except OSError:
                return


def _packed(error: Exception) -> bytes:
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)
        return packed
    except Exception as other:  # an error that cannot travel
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error} ({other})"))


def identity_of(path: Path) -> tuple[int, ...] | None:
    """What a folder or a file is told by, without reading it; None where it is being replaced just now."""
    try:
        return identity(path / MANIFEST if path.is_dir() else path)
    except OSError:
        return None


def _reference(file: Path) -> Reference | None:
    try:
        return read_reference(file)
    except ModelError:  # a lone file, or of an older edgekit
        return None


def _entry(file: Path) -> Mapping[str, Any]:
    """What the manifest beside a file says of it; nothing where there is none."""
    entries = (read_listed(file.parent) or {}).get("files", ())
    return next((e for e in entries if isinstance(e, dict) and e.get("file") == file.name), {})


def _median_time(session: Any, given: Mapping[str, Array]) -> float:
    times: list[float] = []
    end = perf_counter() + _TIMED_SECONDS / len(_TRIED)
    while len(times) < 3 or (perf_counter() < end and len(times) < 200):
        start = perf_counter()
        session.run(given)
        times.append(perf_counter() - start)
    return sorted(times)[len(times) // 2]
