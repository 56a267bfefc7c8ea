"""A stream of work done by several threads, and handed on in its order."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Condition, Lock, Thread
from time import perf_counter
from typing import Any

_TRIALS = 3
_THREADS_PAY = 1e-4  # seconds of work an item; below that, threads wait for each other
_PATIENCE = 1e-4  # seconds to wait for more samples before working on those that are there
_WORTH = 4e-3  # seconds of work that make the hand-over between threads cheap
_AHEAD = 4  # pieces of work that each worker may be ahead of the reader


def in_order(
    items: Iterable[Any], workers: Sequence[Callable[[list[Any]], list[Any]]], size: int = 1
) -> Iterator[Any]:
    """The results of all items, in their order, each as soon as it is there.

    Where an item is too little work to be worth a thread, the caller's own does it. Else workers take items themselves, several at once where items are quick and there are enough of
    them. None is further ahead of the reader than a few such pieces.

    Args:
        items: read by one worker at a time.
        workers: each runs in a thread of its own, on lists of items.
        size: how many items a worker likes to have at once, at least.

    Raises:
        Exception: whatever ``items`` or a worker raised, when its turn comes.
    """
    source, quickest = iter(items), float("inf")
    for number in itertools.count():  # the first few here, to see how long one takes
        if number == _TRIALS and quickest > _THREADS_PAY and len(workers) > 1:
            break
        if not (piece := list(itertools.islice(source, size))):
            return
        start = perf_counter()
        results = workers[0](piece)
        if number < _TRIALS:
            quickest = min(quickest, (perf_counter() - start) / len(piece))
        yield from results
    stream = _Stream(source, size, _AHEAD * len(workers))
    for worker in workers:
        Thread(target=stream.work, args=(worker,), daemon=True).start()
    try:
        yield from stream.results()
    finally:
        stream.stop()


class _Stream:
    """Items on their way in, results on their way out."""

    def __init__(self, items: Iterator[Any], size: int, ahead: int) -> None:
        self._items, self._size, self._ahead = items, size, ahead
        self._reading = Lock()
        self._changed = Condition()
        self._done: dict[int, list[Any] | Exception] = {}
        self._read = self._given = 0  # pieces taken from the items, and handed on
        self._end: int | None = None  # the number of pieces, once it is known
        self._busy = 0  # workers at work
        self._stopped = False
        self._length = size  # of a piece

    def work(self, worker: Callable[[list[Any]], list[Any]]) -> None:
        """What each thread does until the items are at their end."""
        while True:
            with self._reading:
                with self._changed:
                    while self._read - self._given >= self._ahead and not self._stopped:
                        self._changed.wait()
                if self._stopped or self._end is not None:
                    return
                piece, number = self._take(), self._read
                if isinstance(piece, list) and not piece:
                    self._tell(end=number)
                    return
                with self._changed:
                    if self._stopped:
                        return
                    self._read += 1
                    self._busy += 1
            result: list[Any] | Exception = []
            if isinstance(piece, Exception):
                result = piece
            else:
                start = perf_counter()
                try:
                    result = worker(piece)
                except Exception as error:  # handed to whoever reads the results
                    result = error
                spent = (perf_counter() - start) / len(piece)
                self._length = max(self._size, min(64, int(_WORTH / max(spent, 1e-9))))
            with self._changed:
                self._busy -= 1
                self._done[number] = result
                if isinstance(result, Exception):
                    self._end = number + 1 if self._end is None else min(self._end, number + 1)
                if (
                    number == self._given or self._stopped
                ):  # only the next in turn is worth a wake-up
                    self._changed.notify_all()

    def results(self) -> Iterator[Any]:
        """Every result in order."""
        while True:
            with self._changed:
                while self._given not in self._done and self._given != self._end:
                    self._changed.wait()
                if self._given not in self._done:
                    return
                result = self._done.pop(self._given)
            if isinstance(result, Exception):
                raise result
            yield from result
            with self._changed:
                self._given += 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Nobody reads any further; returns when no worker is at work (one may still be waiting for
        an item that never comes).
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            while self._busy:
                self._changed.wait()

    def _tell(self, *, end: int) -> None:
        with self._changed:
            self._end = end
            self._changed.notify_all()

    def _take(self) -> list[Any] | Exception:
        """The next few items; fewer where the source is slow, none at its end."""
        piece: list[Any] = []
        start = perf_counter()
        try:
            for item in self._items:
                piece.append(item)
                if len(piece) >= self._length:
                    break
                if len(piece) % self._size == 0 and perf_counter() - start > _PATIENCE:
                    break
        except Exception as error:  # raised where the results are read
            if not piece:
                return error
            self._items = _raising(error)
        return piece


def _raising(error: Exception) -> Iterator[Any]:
    raise error
    yield
