"""``device="auto"``: the fastest device and thread count with right outputs, measured once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.base import (
    Array,
    DeviceUnavailable,
    ModelError,
    NotDelegated,
    RuntimeMissing,
)
from edgekit_runtimes.bundle.manifest_file import BY_NAME_ONLY, MANIFEST, read_listed, vouched
from edgekit_runtimes.choice_cache import choice_key, read_choices, write_choice
from edgekit_runtimes.engines.call_times import call_times
from edgekit_runtimes.engines.devices import Device
from edgekit_runtimes.host import cpu_limit
from edgekit_runtimes.session import Session

_FAR = 4.0  # times the fastest: whose other thread counts are not tried
_TIE = (
    0.04  # where two are this close, the one that is listed first: fewer threads, the plain device
)
_RIGHT_DB = 20.0  # SQNR of the outputs against those of the first device: below, they are wrong
_AT_ONCE = 256 * 1024 * 1024  # bytes of files to have open at once


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a model."""

    path: Path
    device: Device
    threads: int


Find = Callable[[Path], Sequence[Device]]
Open = Callable[[Path, Device, int], Session]


def open_fastest(
    path: Path, find: Find, open_one: Open, threads: int | None = None, *, question: str = ""
) -> Session:
    """Opens a file, or one of a folder's, on the device and with the threads that are fastest.

    The choice is kept under ``$XDG_CACHE_HOME/edgekit`` (``~/.cache/edgekit``), by the content of
    the files, the processor and the versions of the runtimes.

    Args:
        path: a file, or a folder that ``edgekit convert`` made.
        find: the devices that may take part, for a file.
        open_one: opens a file on a device with a number of threads.
        threads: the only number to try; else one, two, four, ... up to what this process may use.
        question: what else was asked for; a choice is remembered for each question.

    Raises:
        ModelError: no file in the folder has the verdict "pass", one that has was changed, or no
            device opens the file.
        DeviceUnavailable: no device that may take part is ready.
    """
    files = _passing(path) if path.is_dir() else [path]
    candidates = list(_candidates(files, find, threads))
    if len(candidates) == 1:
        return open_one(candidates[0].path, candidates[0].device, candidates[0].threads)
    key = choice_key(
        f"{question} {' '.join(map(_name, candidates))}",
        dict.fromkeys(c.path for c in candidates),
        ("edgekit-toolkit", *dict.fromkeys(p for c in candidates for p in c.device.packages)),
    )
    known = read_choices().get(key)
    for candidate in candidates:
        if known == _name(candidate):
            try:
                return open_one(candidate.path, candidate.device, candidate.threads)
            except (DeviceUnavailable, ModelError):  # the machine has changed: measure again
                break
    by_name = len({c.device.name for c in candidates}) == 1  # then it may be a simulator
    session, candidate = _fastest(candidates, open_one, _ranges(path), simulated=by_name)
    write_choice(key, _name(candidate))
    return session


def _passing(folder: Path) -> list[Path]:
    """The files of a folder with the verdict "pass", in the order of its manifest."""
    manifest = read_listed(folder)
    if manifest is None and not (folder / MANIFEST).exists():
        raise ModelError(
            f"{folder}: there is no {MANIFEST} in it. Pass a model file, or a folder that edgekit convert "
            "made."
        )
    if manifest is None:
        raise ModelError(f"{folder / MANIFEST}: cannot be read: edgekit convert did not write it.")
    try:
        listed = manifest["files"]
        listed = [f for f in listed if f["format"] not in BY_NAME_ONLY] or listed
        passing = [folder / f["file"] for f in listed if f["verdict"] == "pass"]
        verdicts = ", ".join(f"{f['file']}: {f['verdict']}" for f in listed)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / MANIFEST}: cannot be read: {error!r}") from error
    for file in passing:
        if not file.is_file():
            raise ModelError(f"{file}: {MANIFEST} lists it, but there is no such file.")
        vouched(file)
    if not passing:
        raise ModelError(
            f"{folder}: none of its files passes ({verdicts}). Convert with more samples, "
            "or name the file to open."
        )
    return passing


def _candidates(files: Sequence[Path], find: Find, threads: int | None) -> Iterator[Candidate]:
    reasons: list[DeviceUnavailable | ModelError] = []
    most = cpu_limit()
    counts = sorted({1 << i for i in range(most.bit_length()) if 1 << i <= most} | {most})
    # One format is enough for a device that opens both: they hold the same numbers.
    seen: set[tuple[str, str]] = set()
    for path in files:
        try:
            devices = find(path)
        except DeviceUnavailable as error:  # another file's runtime may be there
            reasons.append(error)
            continue
        for device in devices:
            if (path.stem, device.name) in seen:
                continue
            seen.add((path.stem, device.name))
            for count in [threads] if threads else counts if device.kind == "cpu" else [1]:
                yield Candidate(path, device, count)
    if not seen:
        raise _joined(reasons)


def _fastest(
    candidates: Sequence[Candidate],
    open_one: Open,
    ranges: Mapping[str, tuple[float, float]],
    *,
    simulated: bool,
) -> tuple[Session, Candidate]:
    """Measures all candidates, and leaves only the fastest open."""
    size = sum(c.path.stat().st_size for c in candidates)
    # One runtime after the other: idle threads of one can slow down another's for good.
    groups = (
        [
            [c for c in candidates if c.device.runtime == r]
            for r in dict.fromkeys(c.device.runtime for c in candidates)
        ]
        if size < _AT_ONCE
        else [[c] for c in candidates]
    )
    references: dict[Path, Array] = {}
    reasons: list[DeviceUnavailable | ModelError] = []
    winner: tuple[float, Candidate] | None = None
    session: Session | None = None
    alone: dict[tuple[Path, str], float] = {}  # seconds of a call with the fewest threads
    for group in groups:
        opened: dict[Candidate, tuple[Session, Mapping[str, Array]]] = {}
        for candidate in group:
            kind = candidate.path, candidate.device.name
            if alone.get(kind, 0.0) > _FAR * min(alone.values(), default=0.0):
                continue  # more threads would not help, and opening costs more than all calls
            try:
                fresh = open_one(candidate.path, candidate.device, candidate.threads)
                x = random_inputs(fresh.inputs, ranges, raw=fresh.raw)
                outputs = _flat(fresh.run(x))
            except (DeviceUnavailable, ModelError) as error:
                reasons.append(error)
                continue
            reference = references.setdefault(candidate.path, outputs)
            if (fresh.simulated and not simulated) or not _right(outputs, reference):
                reason = "is simulated" if fresh.simulated else "gives wrong outputs"
                reasons.append(DeviceUnavailable(f"{_name(candidate)} {reason}"))
                fresh.close()
                continue
            opened[candidate] = fresh, x
            start = perf_counter()
            fresh.run(x)
            alone.setdefault(kind, perf_counter() - start)
        times = call_times(opened)
        best = winner
        for candidate in opened:
            if best is None or times[candidate] < best[0] * (1 - _TIE):
                best = times[candidate], candidate
        if best is not winner and best is not None:
            if session:
                session.close()
            winner, session = best, opened[best[1]][0]
        for other, _ in opened.values():
            if other is not session:
                other.close()
    if winner is None or session is None:
        raise _joined(reasons)
    return session, winner[1]


def _joined(
    reasons: Sequence[DeviceUnavailable | ModelError],
) -> DeviceUnavailable | ModelError:
    """One error for several: of their class, if all have the same; a refusal keeps its placement."""
    for error in reasons:
        if isinstance(error, NotDelegated):
            return error
    message = "; ".join(dict.fromkeys(map(str, reasons)))
    if all(isinstance(error, RuntimeMissing) for error in reasons):
        return RuntimeMissing(message)
    if all(isinstance(error, ModelError) for error in reasons):
        return ModelError(message)
    return DeviceUnavailable(message)


def _flat(outputs: Mapping[str, Array]) -> Array:
    return np.concatenate([np.ravel(a).astype(np.float64) for a in outputs.values()])


def _right(outputs: Array, reference: Array) -> bool:
    if outputs.shape != reference.shape or not np.isfinite(outputs).all():
        return False
    noise, signal = float(np.sum((outputs - reference) ** 2)), float(np.sum(reference**2))
    return noise <= signal * 10 ** (-_RIGHT_DB / 10) + 1e-12


def _ranges(path: Path) -> dict[str, tuple[float, float]]:
    folder = path if path.is_dir() else path.parent
    try:
        ranges = (read_listed(folder) or {}).get("ranges", {})
        return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}
    except (ModelError, ValueError, TypeError, AttributeError):
        return {}


def _name(candidate: Candidate) -> str:
    return f"{candidate.path.name} {candidate.device.name} {candidate.threads}"
