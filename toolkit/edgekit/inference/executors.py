"""The places to compute, in one table, and ``open_executor``, which opens one by its name."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgekit.bundle.packages import require
from edgekit.errors import OptionError, nearest
from edgekit.inference.dask_executor import open_dask
from edgekit.inference.place import Executor, Function, Place, Shared, shared_files
from edgekit_runtimes import cpu_limit

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class ExecutorKind:
    """One entry of ``EXECUTORS``."""

    open: Callable[[str], AbstractContextManager[Executor]]
    """Opens it, given its address."""
    address: str = ""
    """What follows its name and ``=``; nothing where that is empty."""
    fits: Callable[[str], bool] = lambda address: not address
    """Whether a text is such an address."""
    modules: tuple[str, ...] = ()
    """What it imports beyond the base."""
    extra: str = ""
    """Of edgekit's, that installs them."""


class LocalExecutor:
    """Computes here: one item after the other, each of which may use all processors."""

    name, elsewhere, width = LOCAL, False, 1

    def __init__(self) -> None:
        self._place = Place(lambda shared: shared.folder, cpu_limit())

    def share(self, *files: Path) -> Shared:
        """As ``Executor.share``; they stay where they are."""
        return shared_files(files, lambda folder, names: str(folder / next(iter(names))))

    def map(
        self,
        function: Function[I, R],
        items: Iterable[I],
        finished: Callable[[int], None] = lambda count: None,
    ) -> Iterator[R]:
        """As ``Executor.map``."""
        for count, item in enumerate(items, start=1):
            result = function(item, self._place)
            finished(count)
            yield result

    def close(self) -> None:
        """Close what functions left open."""
        self._place.close()


@contextmanager
def open_local(_: str = "") -> Iterator[Executor]:
    """The process itself, as an executor."""
    executor = LocalExecutor()
    try:
        yield executor
    finally:
        executor.close()


def _is_address(text: str) -> bool:
    """Whether a text is ``HOST:PORT``, with or without ``tcp://`` or ``tls://`` before it."""
    match = re.fullmatch(r"(?:(?:tcp|tls)://)?(?:\[[\da-fA-F:.]+\]|[^\s:/\[\]@]+):(\d+)", text)
    return match is not None and 0 < int(match[1]) < 1 << 16


EXECUTORS: dict[str, ExecutorKind] = {
    LOCAL: ExecutorKind(open_local),
    "dask": ExecutorKind(
        open_dask,
        address="HOST:PORT",
        fits=_is_address,
        modules=("distributed",),
        extra="cluster",
    ),
}


def check_engine(engine: str) -> None:
    """Refuse an engine that there is not, before anything is done.

    >>> check_engine("dask=10.0.0.5:8786")

    Raises:
        OptionError: no entry of ``EXECUTORS`` has the name, or the address is none.
        RuntimeMissing: a package that it needs is not installed.
    """
    known = [f"{k}={kind.address}" if kind.address else k for k, kind in EXECUTORS.items()]
    name, _, address = engine.partition("=") if isinstance(engine, str) else ("", "", "")
    kind = EXECUTORS.get(name)
    if kind is None or not kind.fits(address):
        hint = nearest(name, EXECUTORS) if kind is None else ""
        raise OptionError(f"engine={engine!r}{hint}: choose from {', '.join(known)}.")
    require(kind.modules, f'engine="{engine}"', kind.extra)


def open_executor(engine: str) -> AbstractContextManager[Executor]:
    """Open the place to compute that an engine names.

    >>> def double(item, place):
    ...     return 2 * item
    >>> with open_executor("local") as executor:
    ...     list(executor.map(double, [1, 2, 3]))
    [2, 4, 6]

    Raises:
        OptionError, RuntimeMissing: as ``check_engine``.
        ClusterError: a cluster is not there, has no workers, or these have other versions than this machine.
    """
    check_engine(engine)
    name, _, address = engine.partition("=")
    return EXECUTORS[name].open(address)
