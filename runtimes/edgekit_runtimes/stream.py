"""Work on a stream of items by several threads, with results in order."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Condition, Lock, Thread
from time import perf_counter
from typing import Any

_TRIALS = 3
_THREADS_PAY = 1e-4  # seconds of work an item; below that, threads wait for each other
_WORTH = 4e-3  # seconds of work that make the hand-over between threads cheap
_MOST = 64  # items of a piece
_AHEAD = 2  # pieces that each worker may be ahead of the reader

Worker = Callable[[list[Any]], list[Any]]
Done = tuple[list[Any], BaseException | None]
"""The results of a piece, and the exception that ended it early."""


def in_order(items: Iterable[Any], workers: Sequence[Worker], size: int = 1) -> Iterator[Any]:
    """Yields the results of all items in order, each as soon as it is there.

    Where an item is too little work to be worth a thread, the caller's thread does it. Else one thread
    reads the items, and each worker takes as many of them as make a few milliseconds of work. No
    worker is further ahead of the reader than a few such pieces.

    Args:
        items: read by one thread.
        workers: each runs in a thread of its own, on lists of items.
        size: how many items a worker likes to have at once.

    Raises:
        BaseException: whatever ``items`` or a worker raised, when its turn comes: behind the results
            of all items before.
    """
    source, quickest = iter(items), float("inf")
    for number in itertools.count():  # the first few here, to see how long one takes
        if number == _TRIALS and quickest > _THREADS_PAY and len(workers) > 1:
            break
        if not (piece := list(itertools.islice(source, size))):
            return
        start = perf_counter()
        results, error = _run(workers[0], piece)
        if number < _TRIALS:
            quickest = min(quickest, (perf_counter() - start) / len(piece))
        yield from results
        if error:
            raise error
    stream = _Stream(source, size, len(workers), quickest)
    for work in (stream.read, *(_bound(stream.work, worker) for worker in workers)):
        Thread(target=work, daemon=True).start()
    try:
        yield from stream.results()
    finally:
        stream.stop()


def _run(worker: Worker, piece: list[Any]) -> Done:
    """A piece's results; where one of its items fails, those before it, and the exception."""
    try:
        return worker(piece), None
    except Exception as error:
        if len(piece) == 1:
            return [], error
    except BaseException as error:
        return [], error
    results: list[Any] = []
    for item in piece:
        part, ended = _run(worker, [item])
        results += part
        if ended:
            return results, ended
    return results, None


def _bound(function: Callable[[Worker], None], worker: Worker) -> Callable[[], None]:
    return lambda: function(worker)


class _Stream:
    """Items on their way in, results on their way out."""

    def __init__(self, items: Iterator[Any], size: int, workers: int, seconds: float) -> None:
        self._items, self._size, self._workers = items, size, workers
        lock = Lock()
        # What reader, workers and the caller wait for: three conditions on one lock.
        self._space, self._work, self._result = Condition(lock), Condition(lock), Condition(lock)
        self._waiting: deque[Any] = deque()  # items that no worker has taken
        self._ahead = 0  # items read whose results the reader has not had
        self._taken = self._given = 0  # pieces
        self._done: dict[int, Done] = {}
        self._ended = self._stopped = False
        self._raised: BaseException | None = None
        self._busy = 0
        self._learn(seconds)

    def read(self) -> None:
        """Reads items while there is room; run by one thread."""
        try:
            for item in self._items:
                with self._space:
                    self._waiting.append(item)
                    self._ahead += 1
                    self._work.notify()
                    while not self._stopped and self._ahead >= self._room:
                        self._space.wait()
                    if self._stopped:
                        return
        except BaseException as error:  # raised where the results are read
            self._raised = error
        with self._space:
            self._ended = True
            self._work.notify_all()
            self._result.notify()

    def work(self, worker: Worker) -> None:
        """Works on pieces until the items end; run by each worker's thread."""
        while True:
            with self._work:
                while not (self._waiting or self._ended or self._stopped):
                    self._work.wait()
                if self._stopped or not self._waiting:
                    return
                share = -(-len(self._waiting) // self._workers)
                count = min(max(share, self._size), self._length, len(self._waiting))
                piece = [self._waiting.popleft() for _ in range(count)]
                number = self._taken
                self._taken += 1
                self._busy += 1
            start = perf_counter()
            done = _run(worker, piece)
            with self._work:
                self._learn((perf_counter() - start) / count)
                self._busy -= 1
                self._done[number] = done
                if number == self._given or self._stopped:  # others need not wake anybody
                    self._result.notify()

    def results(self) -> Iterator[Any]:
        """Yields every result in order."""
        while True:
            with self._result:
                while self._given not in self._done and not self._at_end():
                    self._result.wait()
                if self._given not in self._done:
                    if self._raised:
                        raise self._raised
                    return
                results, error = self._done.pop(self._given)
            yield from results
            if error:
                raise error
            with self._space:
                self._given += 1
                self._ahead -= len(results)
                if self._ahead <= self._room // 2:  # not for each item: waking up costs
                    self._space.notify()

    def stop(self) -> None:
        """Ends the stream early; returns when no worker is at work.

        The thread that reads may still be waiting for an item that never comes.
        """
        with self._result:
            self._stopped = True
            self._space.notify()
            self._work.notify_all()
            while self._busy:
                self._result.wait()

    def _at_end(self) -> bool:
        return self._ended and not self._waiting and self._given == self._taken

    def _learn(self, seconds: float) -> None:
        """How long a piece should be, and how much may be under way, by the time of one item."""
        self._length = max(self._size, min(_MOST, int(_WORTH / max(seconds, 1e-9))))
        self._room = _AHEAD * self._length * self._workers
