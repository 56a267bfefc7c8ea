"""What is watched of the models that are served, added up over all workers.

Each worker keeps its own figures, and now and then writes them into a folder that all share; whoever is asked adds
up those of the others to its own. A worker that died leaves what it last wrote.
"""

import contextlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit.data.samples import Array
from edgekit.serving.child import Opened
from edgekit.serving.shadow import Figures, Shadow, ShadowReport

_NAME = "watched-{pid}.pickle"
"""In a folder that only this server's user can write."""


@dataclass(frozen=True, slots=True)
class Key:
    """What figures are of: those of another file are not added to them."""

    model: str
    version: str
    file: str
    sha256: str


@dataclass(slots=True)
class Seen:
    """The figures of one model."""

    shadow: Figures | None = None

    def merge(self, other: "Seen") -> None:
        """Add those of another worker."""
        mine, theirs = self.shadow, other.shadow
        if mine is None:
            self.shadow = deepcopy(theirs)
        elif theirs is not None and theirs.sha256 == mine.sha256:
            mine.merge(theirs)


@dataclass(frozen=True, slots=True)
class TensorReport:
    """One input or output against the distribution that the manifest has of it."""

    name: str
    samples: int
    outside: float | None
    """The share of its values outside the calibrated range."""
    psi: float | None
    """The population stability index."""
    ks: float | None
    """The Kolmogorov distance."""
    not_finite: float
    """The share of its values that are NaN or infinite."""
    alarm: bool
    statement: str
    """What no longer looks as it did at calibration, in words; empty without an alarm."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of one model."""

    key: Key
    tensors: tuple[TensorReport, ...]
    shadow: ShadowReport | None

    @property
    def model(self) -> str:
        """Its name."""
        return self.key.model

    @property
    def version(self) -> str:
        """Of the model."""
        return self.key.version

    @property
    def alarms(self) -> tuple[TensorReport, ...]:
        """The inputs and outputs that no longer look as they did at calibration."""
        return tuple(tensor for tensor in self.tensors if tensor.alarm)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **asdict(self.key),
            "tensors": [asdict(tensor) for tensor in self.tensors],
            "statements": [tensor.statement for tensor in self.alarms],
            "shadow": None if self.shadow is None else asdict(self.shadow),
        }


class Watched:
    """What is watched of one model in this process."""

    def __init__(self, model: str, version: str, opened: Opened) -> None:
        self.model, self.version = model, version
        self.shadow: Shadow | None = None
        self._opened = opened

    def see(
        self, opened: Opened, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
    ) -> None:
        """Look at a call that has been answered; in the thread of the model."""
        self._opened = opened
        if self.shadow is not None:
            self.shadow.offer(inputs, outputs)

    def seen(self) -> tuple[Key, Seen]:
        """The figures as they are now."""
        opened = self._opened
        key = Key(self.model, self.version, opened.file, opened.sha256)
        return key, Seen(self.shadow.copy() if self.shadow else None)

    def close(self) -> None:
        """End what runs for it."""
        if self.shadow is not None:
            self.shadow.close()


@dataclass(slots=True)
class Watching:
    """All that is watched, in this worker and in the others."""

    folder: Path
    watched: list[Watched] = field(default_factory=list)
    _ended: dict[Key, Seen] = field(default_factory=dict)
    """Of models that have been replaced."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, watched: Watched) -> Callable[[], None]:
        """Watch a model from now on; what ends it is returned."""
        with self._lock:
            self.watched.append(watched)

        def end() -> None:
            found = watched.seen()
            with self._lock:
                self.watched.remove(watched)
                _add(self._ended, dict([found]))
            watched.close()

        return end

    def write(self) -> None:
        """Show the others what this worker has seen."""
        path = self.folder / _NAME.format(pid=os.getpid())
        unfinished = path.with_suffix(f".{threading.get_ident()}")
        with contextlib.suppress(OSError):  # a full disk: they see less
            unfinished.write_bytes(pickle.dumps(self._own()))
            unfinished.replace(path)

    def reports(self) -> list[Report]:
        """What all workers have seen of each model and file, those that are served first."""
        own = self._own()
        for path in sorted(self.folder.glob("watched-*.pickle")):
            if path.name != _NAME.format(pid=os.getpid()):
                _add(own, _read(path))
        return list(_reports(own))

    def _own(self) -> dict[Key, Seen]:
        with self._lock:
            watched, ended = list(self.watched), deepcopy(self._ended)
        found: dict[Key, Seen] = {}
        for one in watched:
            _add(found, dict([one.seen()]))
        _add(found, ended)
        return found


def fold(folder: Path, pid: int) -> None:
    """Add what a worker that died has left to what those before it left, in one file."""
    path, together = (folder / _NAME.format(pid=n) for n in (pid, 0))
    left = _read(path)
    path.unlink(missing_ok=True)
    if left:
        _add(left, _read(together))
        unfinished = together.with_suffix(".new")
        unfinished.write_bytes(pickle.dumps(left))
        unfinished.replace(together)


def written(folder: Path) -> list[Report]:
    """What the workers of a folder have seen, when they have ended."""
    found: dict[Key, Seen] = {}
    for path in sorted(folder.glob("watched-*.pickle")):
        _add(found, _read(path))
    return list(_reports(found))


def _add(to: dict[Key, Seen], more: Mapping[Key, Seen]) -> None:
    for key, seen in more.items():
        if key in to:
            to[key].merge(seen)
        else:
            to[key] = seen


def _read(path: Path) -> dict[Key, Seen]:
    try:
        found: dict[Key, Seen] = pickle.loads(path.read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError):
        return {}
    return found


def _reports(found: Mapping[Key, Seen]) -> Iterator[Report]:
    for key, seen in found.items():
        shadow = None if seen.shadow is None else seen.shadow.report()
        yield Report(key, (), shadow)
