"""A model in a process of its own, with a bounded queue before it."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic, perf_counter, sleep

import numpy as np

from edgekit.data.samples import Array
from edgekit.serving.child import Opened
from edgekit.serving.process import AHEAD, Ended, ModelProcess, Result

_RESTART_SECONDS = (0.0, 0.5, 2.0, 10.0)
"""Waited before a model that crashed is opened again; the last for each crash after."""


Watch = Callable[[Opened, Mapping[str, Array], Mapping[str, Array]], None]
"""Looks at a call: the model, its inputs and its outputs. It runs in the event loop, and may not raise."""


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
    alone: bool = False
    """Whether it must not be run with others: one of those that it was run with was refused."""
    since: float = field(default_factory=perf_counter)

    def tell(self, result: Answer | Exception) -> None:
        """Give the result to who waits; nobody may any more."""
        if self.done.done():
            return
        if isinstance(result, Answer):
            self.done.set_result(result)
        else:
            self.done.set_exception(result)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    together: Sequence[_Waiting]
    inputs: Mapping[str, Array]
    begun: float = field(default_factory=perf_counter)


class Runner:
    """Runs the requests for one model, one call at a time; several at once where that is faster.

    A crash, or a call that is longer than allowed, fails the requests of that call; the others wait until the
    model is open again. Requests belong to one event loop; the rest may be called by any thread.
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
        self._calls: deque[_Call] = deque()
        """Those that the process has, the one that runs first."""
        self._since: float | None = None
        """When the one that runs began."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reopening = self._closing = False
        self._empty = threading.Event()
        self._process, self.opened = self._open()
        self._seconds = self.opened.seconds

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    @property
    def pid(self) -> int:
        """The process of the model."""
        return self._process.pid

    def submit(self, inputs: Mapping[str, Array], rows: int) -> "asyncio.Future[Answer]":
        """Run the model on a request's inputs, when its turn comes.

        A request whose future is cancelled while it waits is not run. The future may have the error
        ``Crashed``, where the runtime crashed or took too long, or a ``RuntimesError``, where it refused.

        Raises:
            Busy: too many wait already.
            Replaced: the runner is closed.
        """
        if self._closing:
            raise Replaced
        if len(self._queue) >= self._most:
            raise Busy(max(1.0, self._seconds * len(self._queue)))
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._process.fileno(), self._receive)
        waiting = _Waiting(inputs, rows, self._loop.create_future())
        self._queue.append(waiting)
        self._send()
        return waiting.done

    def expire(self) -> None:
        """End the process of a call that takes longer than allowed; to be called now and then."""
        since = self._since
        if since is not None and monotonic() - since > self._timeout:
            self._process.kill()
        self._process.forget_printed()

    def close(self) -> None:
        """Run what waits, then end the process."""
        if self._loop is not None and self._loop.is_running():
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                self._loop.call_soon_threadsafe(self._close_when_empty)
                self._empty.wait()
        self._closing = True
        self._process.end()
        self.closed()

    def _open(self) -> tuple[ModelProcess, Opened]:
        process = ModelProcess(str(self._opening[0]))
        try:
            return process, process.open(*self._opening)
        except BaseException:
            process.end()
            raise

    def _close_when_empty(self) -> None:
        self._closing = True
        if not (self._queue or self._calls or self._reopening) and not self._empty.is_set():
            assert self._loop is not None
            self._loop.remove_reader(self._process.fileno())
            self._empty.set()

    def _send(self) -> None:
        """Give the process the next requests, where it can take some."""
        while self._queue and len(self._calls) < AHEAD and not self._reopening:
            together = self._next()
            if not together:
                return
            inputs: Mapping[str, Array] = together[0].inputs
            if len(together) > 1:
                inputs = {n: np.concatenate([w.inputs[n] for w in together]) for n in inputs}
            try:
                self._process.send(inputs)
            except Ended as ended:
                self._queue.extendleft(reversed(together))  # they have not begun
                self._crashed(ended)
                return
            if not self._calls:
                self._since = monotonic()
            self._calls.append(_Call(together, inputs))

    def _next(self) -> list[_Waiting]:
        """The next requests that fit one call, without those that nobody waits for any more."""
        together: list[_Waiting] = []
        rows = 0
        while self._queue:
            first = self._queue[0]
            if first.done.done():
                self._queue.popleft()
                continue
            if together and (
                rows + first.rows > self.opened.batch
                or first.alone
                or together[0].alone
                or not _fit(together[0], first)
            ):
                break
            together.append(self._queue.popleft())
            rows += first.rows
        return together

    def _receive(self) -> None:
        """Tell those who wait what has come; called by the loop."""
        try:
            results = self._process.receive()
        except Ended as ended:
            self._crashed(ended)
            return
        for result in results:
            self._tell(self._calls.popleft(), result)
        self._since = monotonic() if self._calls else None
        self._send()
        if self._closing:
            self._close_when_empty()

    def _tell(self, call: _Call, result: Result) -> None:
        together = call.together
        if isinstance(result, Exception):
            if len(together) == 1:
                together[0].tell(result)
                return
            for waiting in reversed(together):  # one of them is to blame, and the others are not
                waiting.alone = True
                self._queue.appendleft(waiting)
            return
        outputs, seconds = result
        rows = sum(w.rows for w in together)
        self._seconds += 0.1 * (seconds / len(together) - self._seconds)
        at = 0
        for waiting in together:
            part = {name: array[at : at + waiting.rows] for name, array in outputs.items()}
            waiting.tell(Answer(part, call.begun - waiting.since, seconds, rows))
            at += waiting.rows
        if self.watch is not None:
            self.watch(self.opened, call.inputs, outputs)

    def _crashed(self, ended: Ended) -> None:
        """Fail the call that ran; what had not begun is run when the model is open again."""
        assert self._loop is not None
        self._loop.remove_reader(self._process.fileno())
        self._since, self._reopening = None, True
        if self._calls:
            for waiting in self._calls.popleft().together:
                waiting.tell(Crashed(str(ended)))
        while self._calls:
            self._queue.extendleft(reversed(self._calls.pop().together))
        threading.Thread(target=self._reopen, args=(self._loop,), daemon=True).start()

    def _reopen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the model in another process, as often as it takes; in a thread of its own."""
        with contextlib.suppress(RuntimeError):  # the loop was closed
            for attempt in count():
                self._process.end()
                sleep(_RESTART_SECONDS[min(attempt, len(_RESTART_SECONDS) - 1)])
                try:
                    self._process, self.opened = self._open()
                except Exception as failed:  # of any kind: whoever waits is told
                    loop.call_soon_threadsafe(self._not_reopened, str(failed))
                    if self._closing:
                        return
                else:
                    loop.call_soon_threadsafe(self._reopened)
                    return

    def _reopened(self) -> None:
        assert self._loop is not None
        if self._empty.is_set():  # it is closed
            self._process.end()
            return
        self._loop.add_reader(self._process.fileno(), self._receive)
        self._reopening = False
        self._restarted()
        self._send()
        if self._closing:
            self._close_when_empty()

    def _not_reopened(self, reason: str) -> None:
        while self._queue:
            self._queue.popleft().tell(Crashed(f"the model cannot be opened again: {reason}"))
        if self._closing:
            self._empty.set()


def _fit(one: _Waiting, other: _Waiting) -> bool:
    """Whether the samples of two requests have the same shapes."""
    return all(
        array.shape[1:] == other.inputs[name].shape[1:] for name, array in one.inputs.items()
    )
