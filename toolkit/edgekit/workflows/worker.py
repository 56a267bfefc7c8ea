"""Work in a child process: a crash in native code is an error message, not the end.

The child is a fresh Python that imports this module and the function's own; nothing of the
caller's ``__main__`` runs in it. All it prints, on whatever level, goes to a log file.
"""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from edgekit.errors import EdgekitError
from edgekit.progress import Progress, advances, expect, silent
from edgekit_runtimes.expendable import crashes_are_caught

T = TypeVar("T")
_OFTEN = 0.1  # seconds between two words on how far a step is


class WorkerError(EdgekitError):
    """The child process died, or took too long; the message names the step."""


class WorkerDied(WorkerError):
    """The child process died: native code crashed, or memory ran out."""


def run_in_worker(
    function: Callable[..., T],
    *arguments: Any,
    log: Path,
    scratch: Path | None = None,
    timeout: float | None = None,
    progress: Progress = silent,
    answer: Callable[[Any], Any] = lambda question: None,
    answering: str = "answering",
) -> T:
    """Runs ``function(*arguments, progress=..., ask=...)`` in a child and returns what it returns.

    Args:
        function: importable by its name. It calls ``progress(step)`` as a step begins, and
            ``ask(question)`` for what only the caller's process has.
        arguments: picklable.
        log: the file that takes everything the child prints.
        scratch: where the child's temporary files go, so that they are gone with the folder also where
            the child is killed.
        timeout: seconds for the whole call, answers included; None waits for ever.
        progress: is called here, with the step that begins there; a ``Watcher`` is told the rest, too.
        answer: is called here, with what is asked there; what it returns goes back. With a timeout it runs
            in a thread, which is left behind where it takes too long.
        answering: the step's name while it runs.

    Raises:
        WorkerDied: the child died.
        WorkerError: it ran out of time.
        Exception: what the function raised, as it raised it.
    """
    with log.open("ab") as noise:
        child = subprocess.Popen(
            [sys.executable, "-c", "from edgekit.workflows.worker import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            env={
                **os.environ,
                **_QUIET,
                **({"TMPDIR": str(scratch.resolve())} if scratch else {}),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            start_new_session=True,  # an interrupt at the terminal is ours to handle
        )
    timed_out = threading.Event()

    def expire() -> None:
        timed_out.set()
        child.kill()

    deadline = time.monotonic() + timeout if timeout else None
    timer = threading.Timer(timeout, expire) if timeout else None
    step = "starting"
    try:
        if timer:
            timer.start()
        assert child.stdin is not None and child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # a child that died at once is told below
            _send(child.stdin, (function, arguments))
        while (message := _receive(child.stdout)) is not None:
            kind, content = message
            if kind == "step":
                step = content
                progress(step)
            elif kind == "expect":
                expect(progress, content)
            elif kind == "advance":
                advances(progress)(*content)
            elif kind == "question":
                try:
                    reply = _within(deadline, answer, content)
                except queue.Empty:
                    raise _too_long(answering, timeout) from None
                with contextlib.suppress(BrokenPipeError):
                    _send(child.stdin, reply)
            elif kind == "done":
                return content  # type: ignore[no-any-return]
            else:
                raise content
        child.wait()
        if timed_out.is_set():
            raise _too_long(step, timeout)
        raise WorkerDied(f"{step}: {_cause(child.returncode)}.")
    finally:
        if timer:
            timer.cancel()
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def _within(deadline: float | None, call: Callable[[Any], Any], argument: Any) -> Any:
    """Call a function and return what it returns; ``queue.Empty`` where it is not done in time.

    Nothing can stop a thread: one that stalls ends with the process.
    """
    if deadline is None:
        return call(argument)
    results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((call(argument), None))
        except BaseException as error:  # it is raised in the thread that waits
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    result, error = results.get(timeout=max(0.0, deadline - time.monotonic()))
    if error is not None:
        raise error
    return result


def _too_long(step: str, timeout: float | None) -> WorkerError:
    assert timeout is not None
    return WorkerError(
        f"{step}: not done after {timeout:g} seconds, and stopped. More time: timeout={10 * timeout:g}."
    )


# Read by TensorFlow and oneDNN when they load; a GPU is of no use to a conversion.
_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "PYTHONUNBUFFERED": "1",
}


def _send(pipe: IO[bytes], content: Any) -> None:
    pipe.write(pickle.dumps(content))  # whole or not at all
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[str, Any] | None:
    try:
        return pickle.load(pipe)  # type: ignore[no-any-return]
    except (EOFError, pickle.UnpicklingError):
        return None


def _cause(code: int) -> str:
    if sys.platform != "win32" and code == -signal.SIGKILL:
        return "the process was killed, most likely because memory ran out"
    if code in (-signal.SIGTERM, -signal.SIGINT):
        return f"the process was ended from outside ({signal.Signals(-code).name})"
    if code < 0:
        return f"native code crashed ({signal.Signals(-code).name})"
    return f"the process ended with status {code}"


class _Reporter:
    """A ``Watcher`` in the child: the caller's own is told."""

    def __init__(self, send: Callable[[str, Any], None]) -> None:
        self._send, self._told = send, 0.0

    def __call__(self, step: str) -> None:
        self._told = 0.0
        self._send("step", step)

    def expect(self, steps: int) -> None:
        self._send("expect", steps)

    def advance(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told > _OFTEN:
            self._told = now
            self._send("advance", (done, total))


def serve() -> None:
    """The child: takes one call from stdin and answers on what was stdout."""
    crashes_are_caught()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever native code prints goes to the log
    calls = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # who reads the keyboard finds nobody there
    replies: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(EOFError, pickle.UnpicklingError):
            while True:
                replies.put(pickle.load(calls))
        os._exit(1)  # the pipe ends when the parent does

    def send(kind: str, content: Any) -> None:
        _send(answers, (kind, content))

    def ask(question: Any) -> Any:
        send("question", question)
        return replies.get()

    try:
        function, arguments = pickle.load(calls)
        threading.Thread(target=listen, daemon=True).start()
        result = function(*arguments, progress=_Reporter(send), ask=ask)
        send("done", result)
    except BaseException as error:
        import traceback

        traceback.print_exc()
        send("error", _portable(error))
    finally:
        os._exit(0)  # libraries that crash as they are unloaded have nothing left to say


def _portable(error: BaseException) -> BaseException:
    if not isinstance(error, Exception):  # sys.exit() in there must not end the caller
        return WorkerError(f"{type(error).__name__}: {error}")
    # Where tblib is loaded, these travel too, and the caller would import TensorFlow to have its exception.
    error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an exception of a third party that does not survive the trip
        return WorkerError(f"{type(error).__name__}: {error}")
    return error
