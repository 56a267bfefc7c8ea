"""Captures what native libraries print to the console."""

import atexit
import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import RLock

_one_at_a_time = RLock()


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Captures what native code prints.

    Runtimes print from C++, straight to the file descriptors of the whole process: what another
    thread prints meanwhile is captured, too, so this is only used while models load.

    Yields:
        A function that returns what was printed so far.
    """
    with _one_at_a_time, contextlib.ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, ValueError, OSError):  # none, or closed
                stream.flush()
        kept, name = _scratch(stack)
        for descriptor in (1, 2):
            try:
                saved = os.dup(descriptor)
            except OSError:  # a daemon without a console
                continue
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, descriptor)
            os.dup2(kept, descriptor)
        yield lambda: Path(name).read_text(errors="replace")


def _scratch(stack: contextlib.ExitStack) -> tuple[int, str]:
    """A temporary file: its descriptor, and a name to read it by."""
    if hasattr(os, "memfd_create"):
        kept = os.memfd_create("edgekit")
        stack.callback(os.close, kept)
        return kept, f"/proc/self/fd/{kept}"
    import tempfile

    kept, name = tempfile.mkstemp(prefix="edgekit-")
    stack.callback(os.unlink, name)
    stack.callback(os.close, kept)
    return kept, name


@functools.cache
def quiet_at_exit() -> None:
    """Silences native code while the process exits; Python still prints."""

    def hush() -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
            sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

    atexit.register(hush)
