"""A call in a fork of this process, which may be killed, and whose writes may be slow."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CALLS = ("rename", "replace", "unlink", "rmdir", "remove")
"""What changes a folder's names; in each gap between two of them a process can be killed."""


@dataclass(frozen=True)
class Ended:
    """How a fork ended: its exit status, or a signal below 0; and what it printed."""

    status: int
    printed: str


def command(arguments: Sequence[str | Path]) -> Callable[[], None]:
    """``edgekit`` with these arguments, which ends the process."""

    def run() -> None:
        from edgekit.cli.main import main

        main([*map(str, arguments)], prog_name="edgekit")

    return run


def run_forked(
    call: Callable[[], None],
    printed: Path,
    *,
    before: Callable[[], None] = lambda: None,
    watch: Callable[[int, int], None] = lambda pid, pipe: None,
    within: float = 120,
) -> Ended:
    """Runs ``call`` in a fork of this process, and waits for its end.

    Args:
        call: what to run.
        printed: the file for what it prints.
        before: runs in the fork, first.
        watch: runs here meanwhile, with the process and the end of a pipe into which the fork writes a
            byte at each of ``CALLS`` when ``slowly`` was called in it.
        within: seconds, after which it is a hang and ends by SIGALRM.
    """
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reads)
            os.dup2(writes, _PIPE)
            with printed.open("wb", buffering=0) as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(within))
            before()
            call()
            os._exit(0)
        except SystemExit as end:
            _flush()
            os._exit(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
        except BaseException:
            import traceback

            _flush()
            os.write(2, traceback.format_exc().encode())
            os._exit(99)
    os.close(writes)
    try:
        watch(pid, reads)
    finally:
        os.close(reads)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Ended(status, printed.read_text(errors="replace"))


def slowly(seconds: float) -> None:
    """In the fork: each of ``CALLS`` waits before and after, and tells the other end of the pipe."""
    for name in CALLS:
        setattr(os, name, _slow(getattr(os, name), seconds))


def killer(
    number: signal.Signals, chance: random.Random, longest: float
) -> Callable[[int, int], None]:
    """Kills at a random moment after the first change of a name: within ``longest`` seconds."""

    def watch(pid: int, pipe: int) -> None:
        if os.read(pipe, 1):
            time.sleep(chance.uniform(0, longest))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    return watch


def _slow(call: Callable[..., object], seconds: float) -> Callable[..., object]:
    def slow(*arguments: object, **options: object) -> object:
        with contextlib.suppress(OSError):
            os.write(_PIPE, b".")
        time.sleep(seconds)
        done = call(*arguments, **options)
        time.sleep(seconds)
        return done

    return slow


def _flush() -> None:
    import sys

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


_PIPE = 200
