"""What runs on a worker of a Dask cluster, and what is in its scratch folder while a run lasts.

A run has a folder of its own on each worker, for the files that are shared with it. It goes when the run
lets go of its ``Lease``, a value that the worker holds for as long as the run's client is connected:
so also where that was killed.
"""

import pickle
import shutil
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from edgekit.data.samples import Array
from edgekit.inference.place import NotHere, Place, Shared, content_hash
from edgekit.inference.surroundings import Surroundings, surroundings

_RUNS: dict[str, "_Run"] = {}
_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class Done:
    """An item is computed."""

    result: Any


@dataclass(frozen=True, slots=True)
class Lacking:
    """The worker does not know the run yet, or does not have these files of it."""

    worker: str
    shared: Shared | None


@dataclass(frozen=True, slots=True)
class Unfit:
    """The worker would compute something else: it came after the others were looked at."""

    worker: str
    surroundings: Surroundings


def compute(run: str, key: str, call: Array) -> Done | Lacking | Unfit:
    """Compute one item; the task that the cluster runs.

    Args:
        run: the run's name.
        key: ``Surroundings.key`` of the machine that asks.
        call: the function and the item, pickled: bytes, so that the scheduler, which reads all else, passes
            them on.
    """
    from distributed import get_worker

    worker = get_worker()
    address = str(worker.address)
    if surroundings().key != key:
        return Unfit(address, surroundings())
    if (known := _RUNS.get(run)) is None:
        return Lacking(address, None)
    function, item = pickle.loads(call.data)
    try:
        return Done(function(item, known.place))
    except NotHere as lacking:
        return Lacking(address, lacking.shared)
    except Exception as error:
        error.add_note(f"This was on the worker {address} of the cluster.")
        raise


def begin(run: str, dask_worker: Any) -> tuple[bool, tuple[str, ...]]:
    """Make a run known to the worker, which Dask passes.

    Returns:
        Whether it was not known, and so needs a ``Lease``; and the digests of the files that are there.
    """
    folder = Path(dask_worker.local_directory) / f"edgekit-{run}"

    def folder_of(shared: Shared) -> Path:
        path = folder / shared.digest
        if not path.is_dir():
            raise NotHere(shared)
        return path

    with _LOCK:
        if run in _RUNS:
            return False, tuple(path.name for path in folder.glob("*"))
        _RUNS[run] = _Run(folder, Place(folder_of, cores=1))
        return True, ()


def receive(run: str, shared: Shared, name: str, start: int, piece: bytes, last: bool) -> None:
    """Take a piece of a shared file; with the last one of all, the files are in place.

    Args:
        run: the run's name.
        shared: the files.
        name: of the one that the piece is of.
        start: the piece's position in it.
        piece: the bytes.
        last: whether no other piece of any of the files follows.

    Raises:
        OSError: the disk is full, or cannot be written.
        ValueError: the files are not those that were hashed.
    """
    folder = _RUNS[run].folder
    unfinished = folder / f"{shared.digest}.unfinished"
    unfinished.mkdir(parents=True, exist_ok=True)
    with (unfinished / name).open("r+b" if start else "wb") as file:
        file.seek(start)
        file.write(piece)
    if last:
        if content_hash(unfinished, shared.names) != shared.digest:
            shutil.rmtree(unfinished)
            raise ValueError(f"{', '.join(shared.names)} changed while it was sent")
        unfinished.rename(folder / shared.digest)


class Lease:
    """Held in a worker's memory for as long as a run lasts; when it goes, so does the run's folder."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._finish = weakref.finalize(self, _end, run) if run in _RUNS else None

    def __reduce__(self) -> tuple[Callable[[str], "Lease"], tuple[str]]:
        """As Dask writes what it moves to disk or to another worker: this one ends nothing then."""
        if self._finish:
            self._finish.detach()
        return Lease, (self._run,)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run, as a worker knows it."""

    folder: Path
    place: Place


def _end(run: str) -> None:
    with _LOCK:
        ended = _RUNS.pop(run, None)
    if ended:
        ended.place.close()
        shutil.rmtree(ended.folder, ignore_errors=True)
