"""Items computed on a Dask cluster."""

import pickle
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from edgekit.data.samples import Array
from edgekit.errors import errors
from edgekit.inference.dask_cluster import connected, unfit
from edgekit.inference.dask_files import SharedFolders
from edgekit.inference.dask_worker import Done, Lacking, Unfit, compute
from edgekit.inference.place import (
    ClusterError,
    Executor,
    Function,
    Shared,
    content_hash,
    shared_files,
)
from edgekit.inference.surroundings import surroundings

if TYPE_CHECKING:
    from distributed import Client, Future

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

_OURS = ("edgekit", "edgekit_converters", "edgekit_runtimes")
_AHEAD = 2  # items for each worker's thread, so that none is idle while a result travels
_LOOK = 1.0  # seconds without a result, until one looks whether anybody is still there
_FETCH = 10.0  # seconds for a result to travel, until one looks the same
_ALONE = 60.0  # seconds without a worker: one that died is started again by its nanny in a few
_TRIES = 20  # of an item on workers that lacked what it needs


@contextmanager
def open_dask(address: str) -> Iterator[Executor]:
    """The cluster whose scheduler has an address, as an executor.

    Raises:
        ClusterError: no scheduler answers there, or its workers are not fit.
    """
    name = f"dask={address}"
    with connected(name, address) as client:
        executor = DaskExecutor(name, client)
        try:
            yield executor
        finally:
            executor.close()


@dataclass(slots=True)
class _Item:
    """An item under way."""

    call: Array
    """The function and the item, pickled."""
    future: "Future"
    tries: int = 1


class DaskExecutor:
    """A Dask cluster: items go to whichever worker is free; those of one that dies, to another."""

    elsewhere = True

    def __init__(self, name: str, client: "Client") -> None:
        self.name = name
        self.width = sum(client.nthreads().values())
        self._client = client
        self._folders = SharedFolders(client, name)
        self._key = surroundings().key
        self._submitted = 0
        self._alone_since: float | None = None

    def share(self, *files: Path) -> Shared:
        """As ``Executor.share``: a worker is sent the files when an item on it first asks for them."""
        return shared_files(files, content_hash)

    def map(
        self,
        function: Function[I, R],
        items: Iterable[I],
        finished: Callable[[int], None] = lambda count: None,
    ) -> Iterator[R]:
        """As ``Executor.map``."""
        if function.__module__.partition(".")[0] not in _OURS or "<" in function.__qualname__:
            raise ValueError(f"{function}: only functions of edgekit are sent to other machines.")
        source = enumerate(items)
        ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        waiting: dict[int, _Item] = {}
        results: dict[int, R] = {}
        given = done = 0
        more = True
        try:
            while True:
                while more and len(waiting) + len(results) < _AHEAD * self.width + 1:
                    following = next(source, None)
                    if more := following is not None:
                        number, item = following
                        # As an array, whose bytes the scheduler passes on without a copy.
                        call = np.frombuffer(pickle.dumps((function, item), protocol=5), np.uint8)
                        waiting[number] = _Item(call, self._submit(call, number, ended))
                if given in results:
                    yield results.pop(given)
                    given += 1
                    continue
                if not waiting:
                    return
                lacking: dict[int, Lacking] = {}
                for number in self._next(ended, waiting):
                    answer = self._answer(waiting[number].future)
                    if isinstance(answer, Lacking):
                        lacking[number] = answer
                        continue
                    self._alone_since = None
                    del waiting[number]
                    results[number] = answer.result
                    done += 1
                    finished(done)
                self._supply(lacking, waiting)
                for number in lacking:
                    again = waiting[number]
                    again.future = self._submit(again.call, number, ended)
        finally:
            with suppress(CancelledError, OSError, TimeoutError):  # a cluster that is lost
                self._client.cancel([item.future for item in waiting.values()])

    def close(self) -> None:
        """Let go of what the workers hold."""
        self._folders.close()

    def _submit(self, call: Array, number: int, ended: "queue.SimpleQueue[int]") -> "Future":
        self._check_open()
        self._submitted += 1
        future = self._client.submit(
            compute,
            self._folders.run,
            self._key,
            call,
            key=f"edgekit-{self._folders.run}-{self._submitted}",
            pure=False,
        )
        future.add_done_callback(lambda _: ended.put(number))
        return future

    def _next(self, ended: "queue.SimpleQueue[int]", waiting: dict[int, _Item]) -> list[int]:
        """The items that have ended since: at least one.

        Raises:
            ClusterError: there is nobody left who could compute one.
        """
        while True:
            try:
                numbers = [ended.get(timeout=_LOOK)]
            except queue.Empty:
                self._look()
                # Those that were cancelled with the connection may have told nobody.
                numbers = [n for n, item in waiting.items() if item.future.done()]
            with suppress(queue.Empty):
                while True:
                    numbers.append(ended.get_nowait())
            if numbers := [
                n for n in dict.fromkeys(numbers) if n in waiting and waiting[n].future.done()
            ]:
                return numbers

    def _check_open(self) -> None:
        """Dask closes a client whose scheduler does not come back."""
        if self._client.status not in ("running", "connecting"):
            raise self._lost("it is closed")

    def _look(self) -> None:
        self._check_open()
        try:
            workers = self._client.nthreads()
        except (CancelledError, OSError, TimeoutError) as error:
            raise self._lost(error) from error
        now = time.monotonic()
        self._alone_since = None if workers else self._alone_since or now
        if self._alone_since and now - self._alone_since > _ALONE:
            raise ClusterError(
                f"{self.name}: the scheduler has had no workers for {_ALONE:g} seconds: start them again, and "
                "then this."
            )

    def _answer(self, future: "Future") -> Done | Lacking:
        from distributed import KilledWorker

        try:
            answer: Done | Lacking | Unfit = self._result(future)
        except KilledWorker as error:
            raise ClusterError(
                f"{self.name}: {error.allowed_failures + 1} workers died one after the other of the same "
                f"work, the last at {error.last_worker.address}: their logs say why. Most likely memory ran "
                "out, or a model's file ends the process that runs it."
            ) from error
        except CancelledError as error:
            raise self._lost(error) from error
        except errors():
            raise
        except Exception as error:
            notes = " ".join(getattr(error, "__notes__", ()))
            raise ClusterError(
                f"{self.name}: {type(error).__name__}: {error}. {notes}".rstrip()
            ) from error
        if isinstance(answer, Unfit):
            raise unfit(self.name, answer.worker, answer.surroundings)
        return answer

    def _result(self, future: "Future") -> Any:
        """What a task returned, or the exception that it raised.

        The worker that holds it may die just now, and then it is computed again, if there is anybody left.
        """
        patience = _FETCH
        while True:
            try:
                return future.result(timeout=patience)
            except TimeoutError:
                if future.status == "error":  # the function's own
                    raise
                self._look()
                patience *= 2  # a large result on a slow network starts anew each time

    def _supply(self, lacking: dict[int, Lacking], waiting: dict[int, _Item]) -> None:
        """Send workers what items on them lacked."""
        from distributed.comm import CommClosedError

        wanted: dict[str, list[Shared]] = {}
        for number, answer in lacking.items():
            item = waiting[number]
            item.tries += 1
            if item.tries > _TRIES:
                raise ClusterError(
                    f"{self.name}: the workers lose what they are sent, the last one {answer.worker}."
                )
            wanted.setdefault(answer.worker, []).extend([answer.shared] if answer.shared else [])
        if not wanted:
            return
        self._check_open()
        try:
            self._folders.supply(wanted)
        except (CancelledError, CommClosedError, TimeoutError) as error:
            raise self._lost(error) from error

    def _lost(self, why: object) -> ClusterError:
        return ClusterError(
            f"{self.name}: the scheduler has gone, or has dropped this work ({why}). When it is there again, "
            "start this again."
        )
