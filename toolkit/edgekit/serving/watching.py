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
from edgekit.serving.monitored import ModelMonitor, Monitored, TensorSeen, tensors_seen
from edgekit.serving.settings import Settings
from edgekit.serving.shadow import Figures, Shadow, ShadowReport
from edgekit_runtimes.monitoring.report import MonitorReport

_NAME = "watched-{pid}.pickle"
"""In a folder that only this server's user can write."""


@dataclass(frozen=True, slots=True)
class Key:
    """What figures are of: those of another file are not added to them."""

    model: str
    version: str
    file: str
    sha256: str
    identity: tuple[int, ...]
    """Of what was opened, as ``child.Opened`` has it."""


@dataclass(slots=True)
class Seen:
    """The figures of one model."""

    monitored: Monitored | None = None
    """None where its manifest has no distributions."""
    shadow: Figures | None = None

    def merge(self, other: "Seen") -> None:
        """Add those of another worker."""
        if self.monitored is None or other.monitored is None:
            self.monitored = self.monitored or other.monitored
        else:
            self.monitored += other.monitored
        mine, theirs = self.shadow, other.shadow
        if mine is None:
            self.shadow = deepcopy(theirs)
        elif theirs is not None and theirs.sha256 == mine.sha256:
            mine.merge(theirs)

    def ended(self) -> "Seen":
        """What remains of them when nothing comes any more."""
        return Seen(self.monitored and self.monitored.ended(), self.shadow)


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of one model."""

    key: Key
    monitor: MonitorReport | None
    tensors: tuple[TensorSeen, ...]
    """The inputs and outputs, those first; none where the manifest has no distributions."""
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
    def statements(self) -> tuple[str, ...]:
        """What no longer looks as it did at calibration, in words."""
        found: dict[str, str] = {}
        for text in self.monitor.warnings if self.monitor else ():
            found.setdefault(
                text.partition(":")[0], text
            )  # every worker says it, by its own figures
        return tuple(found.values())

    def to_dict(self, *, whole: bool = True) -> dict[str, Any]:
        """Plain values for JSON; without ``whole``, without all that the monitor says of each statistic."""
        made = {
            "model": self.model,
            "version": self.version,
            "file": self.key.file,
            "sha256": self.key.sha256,
            "statements": self.statements,
            "tensors": [asdict(tensor) for tensor in self.tensors],
            "shadow": None if self.shadow is None else asdict(self.shadow),
        }
        if whole:
            made["monitor"] = None if self.monitor is None else self.monitor.to_dict()
        return made


class Watched:
    """What is watched of one model in this process."""

    def __init__(self, model: str, version: str, opened: Opened, settings: Settings) -> None:
        """Nothing has been seen yet.

        Args:
            model: its name.
            version: of it.
            opened: the model.
            settings: whether it is monitored, and where samples are kept.
        """
        self.model, self.version = model, version
        self.shadow: Shadow | None = None
        self._settings = settings
        self._open(opened)

    def see(
        self, opened: Opened, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
    ) -> None:
        """Look at a call that has been answered; in the thread of the model."""
        if opened is not self._opened:  # after a crash: perhaps another file
            self._open(opened)
        if self._monitor is not None:
            self._monitor.see(inputs, outputs)
        if self.shadow is not None:
            self.shadow.offer(inputs, outputs)

    def seen(self) -> tuple[Key, Seen]:
        """The figures as they are now."""
        opened = self._opened
        key = Key(self.model, self.version, opened.file, opened.sha256, opened.identity)
        monitored = self._monitor.seen() if self._monitor else None
        return key, Seen(monitored, self.shadow.copy() if self.shadow else None)

    def close(self) -> None:
        """End what runs for it."""
        if self.shadow is not None:
            self.shadow.close()

    def _open(self, opened: Opened) -> None:
        self._opened = opened
        keep = self._settings.keep
        keep = keep and keep / f"{self.model}-{self.version}"
        reference = opened.reference if self._settings.monitor else None
        self._monitor = None if reference is None else ModelMonitor(reference, keep)


@dataclass(slots=True)
class Watching:
    """All that is watched, in this worker and in the others."""

    folder: Path
    watched: list[Watched] = field(default_factory=list)
    stopping: bool = False
    """Whether the worker is ending: then what was seen last stays to be told."""
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
                key, seen = found
                _add(self._ended, {key: seen if self.stopping else seen.ended()})
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
    left = _collapsed(_read(path))
    path.unlink(missing_ok=True)
    if left:
        _add(left, _read(together))
        left = _collapsed(left)
        unfinished = together.with_suffix(".new")
        unfinished.write_bytes(pickle.dumps(left))
        unfinished.replace(together)


def _collapsed(found: Mapping[Key, Seen]) -> dict[Key, Seen]:
    return {key: seen.ended() for key, seen in found.items()}


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
        monitored = seen.monitored
        monitor = None if monitored is None else monitored.report()
        tensors = (
            tensors_seen(monitor, monitored.changed)
            if monitor is not None and monitored is not None
            else ()
        )
        yield Report(key, monitor, tensors, None if seen.shadow is None else seen.shadow.report())
