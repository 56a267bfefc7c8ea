"""A model in a process of its own, with a bounded queue before it."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter, sleep

import numpy as np

from edgekit.data.samples import Array
from edgekit.serving import child
from edgekit_runtimes.subprocess_engine import Child

_RESTART_SECONDS = (0.0, 0.5, 2.0, 10.0)
"""Waited before a model that crashed is opened again; the last for each crash after."""


Watch = Callable[[child.Opened, Mapping[str, Array], Mapping[str, Array]], None]
"""Looks at a call: the model, its inputs and its outputs. It runs in the model's thread, and may not raise."""


class Busy(Exception):
    """The queue is full."""

    def __init__(self, seconds: float) -> None:
        super().__init__("as many requests wait as may wait")
        self.seconds = seconds
        """After which there may be room."""


class Replaced(Exception):
    """The model has been replaced by another one, which may be asked instead."""


class Crashed(Exception):
    """The model's process ended, or was ended because a call took too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to one request."""

    outputs: dict[str, Array]
    queued: float
    """Seconds in the queue."""
    ran: float
    """Seconds of the call that the request was part of."""
    rows: int
    """Samples in that call."""


@dataclass(slots=True, eq=False)
class _Waiting:
    inputs: Mapping[str, Array]
    rows: int
    done: "asyncio.Future[Answer]"
    loop: asyncio.AbstractEventLoop
    since: float = field(default_factory=perf_counter)

    def tell(self, result: Answer | Exception) -> None:
        """Give the result to who waits, in their thread; nobody may wait any more."""

        def settle() -> None:
            if self.done.done():
                return
            if isinstance(result, Answer):
                self.done.set_result(result)
            else:
                self.done.set_exception(result)

        with contextlib.suppress(RuntimeError):  # the loop was closed
            self.loop.call_soon_threadsafe(settle)


class Runner:
    """Runs the requests for one model, one call at a time; several at once where that is faster.

    A crash, or a call that is longer than allowed, fails the requests of that call; the others wait until the
    model is open again.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str = "auto",
        threads: int | None = None,
        key: Path | None = None,
        waiting: int = 64,
        timeout: float = 30.0,
        restarted: Callable[[], None] = lambda: None,
    ) -> None:
        """Open a model in a process of its own.

        Args:
            path: a model file, or a folder that convert made.
            device: as ``open_model`` takes it.
            threads: as ``open_model`` takes it.
            key: the public key that the folder must be signed by.
            waiting: how many requests may wait.
            timeout: the most seconds of one call.
            restarted: is called when the model had to be opened again.

        Raises:
            RuntimesError: the model cannot be opened.
        """
        self._opening = (path, device, threads, key)
        self._most = waiting
        self._timeout = timeout
        self._restarted = restarted
        self.watch: Watch | None = None
        """Is shown each call that was answered."""
        self.closed: Callable[[], None] = lambda: None
        """Is called when the model's process has ended."""
        self._queue: deque[_Waiting] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._running: float | None = None
        self._child = Child(str(path))
        try:
            self.opened: child.Opened = self._open()
        except BaseException:
            self._child.end()
            raise
        self._seconds = self.opened.seconds
        self._worker = threading.Thread(target=self._work, name=f"run {path}", daemon=True)
        self._worker.start()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    @property
    def pid(self) -> int:
        """The process of the model."""
        return self._child.pid

    def submit(self, inputs: Mapping[str, Array], rows: int) -> "asyncio.Future[Answer]":
        """Run the model on a request's inputs, when its turn comes.

        A request whose future is cancelled while it waits is not run. The future may have the error
        ``Crashed``, where the runtime crashed or took too long, or a ``RuntimesError``, where it refused.

        Raises:
            Busy: too many wait already.
            Replaced: the runner is closed.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(inputs, rows, loop.create_future(), loop)
        with self._condition:
            if self._closing:
                raise Replaced
            if len(self._queue) >= self._most:
                raise Busy(max(1.0, self._seconds * len(self._queue)))
            self._queue.append(waiting)
            self._condition.notify()
        return waiting.done

    def expire(self) -> None:
        """End the process of a call that takes longer than allowed; to be called now and then."""
        since = self._running
        if since is not None and monotonic() - since > self._timeout:
            self._child.kill()

    def close(self) -> None:
        """Run what waits, then end the process."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._worker.join()
        self._child.end()
        self.closed()

    def _open(self) -> child.Opened:
        opened: child.Opened = self._child.ask(child.open_and_time, *self._opening)
        return opened

    def _work(self) -> None:
        while True:
            with self._condition:
                while not (self._queue or self._closing):
                    self._condition.wait()
                if not self._queue:
                    return
                together = self._next()
            if together:
                self._call(together)

    def _next(self) -> list[_Waiting]:
        """The next requests that fit one call, without those that nobody waits for any more."""
        together: list[_Waiting] = []
        rows = 0
        while self._queue:
            first = self._queue[0]
            if first.done.done():
                self._queue.popleft()
                continue
            if together and (rows + first.rows > self.opened.batch or not _fit(together[0], first)):
                break
            together.append(self._queue.popleft())
            rows += first.rows
        return together

    def _call(self, together: Sequence[_Waiting]) -> None:
        begun = perf_counter()
        inputs: Mapping[str, Array] = together[0].inputs
        if len(together) > 1:
            inputs = {n: np.concatenate([w.inputs[n] for w in together]) for n in inputs}
        self._running = monotonic()
        try:
            outputs, seconds = self._child.ask(child.run, inputs)
        except Exception as error:
            self._running = None
            if self._child.status() is None:  # the runtime refused; it is there still
                self._refused(together, error)
            else:
                self._crashed(together, error)
            return
        self._running = None
        rows = sum(w.rows for w in together)
        self._seconds += 0.1 * (seconds / len(together) - self._seconds)
        at = 0
        for waiting in together:
            part = {name: array[at : at + waiting.rows] for name, array in outputs.items()}
            waiting.tell(Answer(part, begun - waiting.since, seconds, rows))
            at += waiting.rows
        if self.watch is not None:
            self.watch(self.opened, inputs, outputs)

    def _refused(self, together: Sequence[_Waiting], error: Exception) -> None:
        if len(together) == 1:
            together[0].tell(error)
            return
        for waiting in together:  # one of them is to blame, and the others are not
            self._call([waiting])

    def _crashed(self, together: Sequence[_Waiting], error: Exception) -> None:
        for waiting in together:
            waiting.tell(Crashed(str(error)))
        for attempt in range(1_000_000):
            sleep(_RESTART_SECONDS[min(attempt, len(_RESTART_SECONDS) - 1)])
            self._child.end()
            if self._closing:
                return
            self._child = Child(str(self._opening[0]))
            try:
                self.opened = self._open()
            except Exception as failed:  # of any kind: whoever waits is told
                with self._condition:
                    waiting_now = list(self._queue)
                    self._queue.clear()
                for waiting in waiting_now:
                    waiting.tell(Crashed(f"the model cannot be opened again: {failed}"))
            else:
                self._restarted()
                return


def _fit(one: _Waiting, other: _Waiting) -> bool:
    """Whether the samples of two requests have the same shapes."""
    return all(
        array.shape[1:] == other.inputs[name].shape[1:] for name, array in one.inputs.items()
    )
