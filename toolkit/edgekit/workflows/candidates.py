"""Candidate files and their outputs on the held-out samples, computed here or wherever an executor computes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from edgekit.data.store import StoredArrays
from edgekit.inference.place import Executor
from edgekit.inference.record import record
from edgekit.inference.shards import FileToRun, file_to_run, record_shards, runs_elsewhere
from edgekit.inference.tensor_names import (
    MappedSession,
    ModelInterface,
    with_original_names,
)
from edgekit.progress import Progress
from edgekit_converters import FORMATS, format_of
from edgekit_runtimes import Session, TensorSpec, open_model

MICRO = "micro"
"""The format of files for microcontrollers, and the device that has their kernels."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to evaluate, on one device."""

    path: Path
    name: str
    """What the report calls it."""
    precision: str
    device: str = "cpu"
    counterpart: Path | None = None
    """The float32 file of the same format, made from the same original."""
    format: str = ""
    """Its name in ``all_formats()``; empty for the one that its suffix stands for."""

    @property
    def title(self) -> str:
        """Its name, and its device where that is not the CPU."""
        return self.name if self.device == "cpu" else f"{self.name} on {self.device}"


@dataclass(frozen=True, slots=True)
class RanCandidate:
    """What running a candidate gave."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    device: str
    """Its exact name."""
    recorded: StoredArrays
    """The outputs."""
    seconds: float
    faults: tuple[str, ...] = ()
    """What is wrong with how it ran, as sentences."""


def run_candidates(
    candidates: Sequence[Candidate],
    original: ModelInterface,
    samples: StoredArrays,
    scratch: Path,
    executor: Executor | None,
    progress: Progress,
) -> Iterator[RanCandidate]:
    """Run each candidate on all samples, in order.

    Where the executor computes elsewhere, those that other machines compute alike run there, all together
    before the first is yielded; the others run here as their turn comes.
    """
    ran: dict[int, RanCandidate] = {}
    if executor and executor.elsewhere:
        ran = _run_elsewhere(candidates, original, samples, scratch, executor, progress)
    for number, candidate in enumerate(candidates):
        if number in ran:
            yield ran[number]
            continue
        progress(f"running {candidate.title}")
        start = perf_counter()
        with open_model(candidate.path, device=candidate.device) as session:
            mapped = with_original_names(session, original)
            recorded = record(mapped, samples.watched(progress), scratch / f"outputs {number}")
            faults = _remembering(mapped, samples, recorded) if session.device == MICRO else ()
        seconds = perf_counter() - start
        yield RanCandidate(
            session.inputs, session.outputs, session.device, recorded, seconds, faults
        )


def _remembering(
    session: MappedSession, samples: StoredArrays, recorded: StoredArrays
) -> tuple[str, ...]:
    """Return what is wrong where the first sample's answer is another one after the last sample.

    A runtime that is left to itself, as on a microcontroller, keeps the state of one call for the next.
    """
    before, after = recorded.rows(0, 1), session.run(samples.rows(0, 1))
    if all(np.array_equal(before[name], after[name], equal_nan=True) for name in before):
        return ()
    return (
        "two calls with one input give different answers: a state is left over from the call before. "
        "Convert with to='micro', which resets it",
    )


def record_by(
    executor: Executor | None,
    session: Session,
    original: ModelInterface,
    samples: StoredArrays,
    folder: Path,
    progress: Progress,
    *,
    reused: bool = False,
) -> StoredArrays:
    """As ``record``, of a file that is open here: by an executor, where other machines compute it alike.

    With ``reused``, workers keep the samples for other files.
    """
    if not (executor and executor.elsewhere and runs_elsewhere(session)):
        return record(with_original_names(session, original), samples.watched(progress), folder)
    (recorded,) = record_shards(
        executor,
        [_checked(session, original, samples, executor)],
        samples,
        [folder],
        batch=session.inputs[0].shape[0] or 1,
        output_bytes=_output_bytes(session),
        reused=reused,
        progress=progress,
    )
    return recorded


def _run_elsewhere(
    candidates: Sequence[Candidate],
    original: ModelInterface,
    samples: StoredArrays,
    scratch: Path,
    executor: Executor,
    progress: Progress,
) -> dict[int, RanCandidate]:
    """Run the candidates for which ``runs_elsewhere`` on an executor; by their position."""
    start = perf_counter()
    files: dict[int, FileToRun] = {}
    sessions: dict[int, Session] = {}
    progress(f"trying {len(candidates)} files here")
    for number, candidate in enumerate(candidates):
        with open_model(candidate.path, device=candidate.device) as session:
            if runs_elsewhere(session):
                files[number] = _checked(session, original, samples, executor)
                sessions[number] = session
    if not files:
        return {}
    progress(f"running {len(files)} files by {executor.name}")
    recorded = record_shards(
        executor,
        list(files.values()),
        samples,
        [scratch / f"outputs {number}" for number in files],
        batch=max(s.inputs[0].shape[0] or 1 for s in sessions.values()),
        output_bytes=sum(map(_output_bytes, sessions.values())),
        progress=progress,
    )
    seconds = (perf_counter() - start) / len(files)
    return {
        number: RanCandidate(s.inputs, s.outputs, s.device, arrays, seconds)
        for (number, s), arrays in zip(sessions.items(), recorded, strict=True)
    }


def _checked(
    session: Session, original: ModelInterface, samples: StoredArrays, executor: Executor
) -> FileToRun:
    """A file that is open here and runs a sample, as an executor is told of it."""
    mapped = with_original_names(session, original)
    mapped.run(next(samples.batches(1)))  # what is wrong with it is an error here, as always
    path = Path(session.path)
    beside = sidecar(path)
    return file_to_run(executor, mapped, [path, *([beside] if beside else [])])


def _output_bytes(session: Session) -> int:
    """Of the outputs of one sample, as far as they are known."""
    return sum(4 * math.prod(size or 1 for size in spec.shape[1:]) for spec in session.outputs)


def sidecar(path: Path) -> Path | None:
    """Return the file that holds a model file's weights, where there is one."""
    form = format_of(path)
    beside = None if form is None else FORMATS[form].sidecar(path)
    return beside if beside is not None and beside.exists() else None


def size_of(path: Path) -> int:
    """Return the bytes of a file and its sidecar, or of all files of a folder; 0 where there is none."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    beside = sidecar(path)
    return sum(p.stat().st_size for p in (path, beside) if p is not None and p.exists())
