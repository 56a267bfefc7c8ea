"""Signals that end a process: what is half-done is removed first, as an interrupt has it."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


class Stopped(KeyboardInterrupt):
    """A signal asks the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def tidily() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise ``Stopped`` where they would end the process at once.

    It ends by the same signal when everything within has been closed, unless ``Stopped`` is caught
    there. A signal that somebody handles or ignores is left alone, and so are threads beside the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]

    def stop(number: int, _: FrameType | None) -> None:
        for other in ours:  # a second one must not interrupt the clearing up
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    except Stopped as stopped:
        if stopped.number in ours:
            signal.signal(stopped.number, signal.SIG_DFL)
            os.kill(os.getpid(), stopped.number)
        raise
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def first_asks(stop: Callable[[str], None]) -> Iterator[None]:
    """Within, the first interrupt, SIGTERM or SIGHUP calls a function with its name; a second one ends all.

    What a signal did before is what the second one does. Threads beside the main one are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {
        number: handler
        for number in (signal.SIGINT, *_ENDING)
        if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }

    def restore() -> None:
        for number, handler in before.items():
            if signal.getsignal(number) is ask:  # else what was there before has seen to the rest
                signal.signal(number, handler)

    def ask(number: int, _: FrameType | None) -> None:
        restore()
        stop(signal.Signals(number).name)

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        restore()


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Within, an interrupt, SIGTERM and SIGHUP wait until the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before: dict[int, Any] = {
        number: signal.signal(number, lambda number, frame: caught.append(number))
        for number in (signal.SIGINT, *_ENDING)
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        signal.raise_signal(caught[0])
