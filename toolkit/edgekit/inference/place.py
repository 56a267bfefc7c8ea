"""A place to compute: what an executor offers to whoever has work, and to the functions that do it."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, get_ident
from typing import Any, Protocol, TypeVar

from edgekit.errors import EdgekitError

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
T = TypeVar("T")


class ClusterError(EdgekitError):
    """A cluster is not there, is not fit to compute what this machine would, or is lost."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Files beside each other, by content: a model with its weights, or stored arrays."""

    digest: str
    folder: Path
    """Where they are on the machine that asks."""
    names: tuple[str, ...]
    bytes: int


class NotHere(Exception):
    """Shared files that the machine does not have yet; an executor sends them, and runs the item again."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.shared = shared


class Place:
    """The machine that an item is computed on: its copies of shared files, and what stays open there."""

    def __init__(self, folder_of: Callable[[Shared], Path], cores: int) -> None:
        """A place that finds its copies of shared files by ``folder_of``, and has ``cores`` for an item."""
        self.cores = cores
        self._folder_of = folder_of
        self._kept: dict[Hashable, tuple[Hashable, Any]] = {}
        self._lock = Lock()

    def path(self, shared: Shared) -> Path:
        """The first of shared files on this machine; the others lie beside it."""
        return self._folder_of(shared) / shared.names[0]

    def keep(self, slot: Hashable, key: Hashable, make: Callable[[], T]) -> T:
        """What is in this thread's slot under a key, or is made now, and stays until the next key or the end.

        Items run side by side in threads, each of which has its own slots.
        """
        own = slot, get_ident()
        held, value = self._kept.get(own, (None, None))
        if own in self._kept and held == key:
            return value  # type: ignore[no-any-return]
        with self._lock:
            _close(self._kept.pop(own, (None, None))[1])
        made = make()
        with self._lock:
            self._kept[own] = key, made
        return made

    def close(self) -> None:
        """Close what was kept."""
        with self._lock:
            kept, self._kept = self._kept, {}
        for _, value in kept.values():
            _close(value)


def _close(value: Any) -> None:
    if hasattr(value, "close"):
        value.close()


Function = Callable[[I, Place], R]
"""Pure, and found by its name in a module of edgekit: nothing else is sent to another machine."""


class Executor(Protocol):
    """A place to compute items, each by itself: this process, or a cluster."""

    @property
    def name(self) -> str:
        """The engine as the user wrote it."""

    @property
    def elsewhere(self) -> bool:
        """Whether items are computed by other processes, which files must be shared with."""

    @property
    def width(self) -> int:
        """How many items are computed side by side."""

    def share(self, *files: Path) -> Shared:
        """Say that items will need these files, which lie in one folder; each worker is sent them once."""

    def map(
        self,
        function: Function[I, R],
        items: Iterable[I],
        finished: Callable[[int], None] = lambda count: None,
    ) -> Iterator[R]:
        """Yield ``function(item, place)`` of every item, in order, and the same bits wherever it is computed.

        Args:
            function: as ``Function`` says.
            items: picklable, read as they are needed; a few are in memory for each of ``width``.
            finished: is called with the number of items that are done, also of those behind one that is not.

        Raises:
            ClusterError: the cluster is lost, or an item ends every process that computes it.
            Exception: what the function raised, in place of the item's result.
        """


def content_hash(folder: Path, names: Iterable[str]) -> str:
    """A hash of files: their names and their bytes."""
    digest = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as file:
            digest.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def shared_files(files: Iterable[Path], digest: Callable[[Path, Iterable[str]], str]) -> Shared:
    """Files of one folder as what is shared, with the hash that ``digest`` makes of them."""
    paths = tuple(files)
    folders = {path.parent for path in paths}
    assert len(folders) == 1, f"not in one folder: {paths}"
    names = tuple(path.name for path in paths)
    size = sum(path.stat().st_size for path in paths)
    return Shared(digest(paths[0].parent, names), paths[0].parent, names, size)
