"""A child process for a model: a crash there is an exception here.

For runtimes that end the whole process where they should raise, and for measurements of one model
alone. Each call costs a round trip through two pipes.
"""

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from edgekit_runtimes.base import Array, Engine, ModelError
from edgekit_runtimes.expendable import crashes_are_caught
from edgekit_runtimes.formats.model_ends import check_ends

State = dict[str, Any]
"""What the functions that a child runs keep for each other."""


class Child:
    """A Python process that runs functions, one at a time, on a state that it keeps."""

    def __init__(
        self, subject: str, *, idle: float | None = None, inherited: Sequence[int] = ()
    ) -> None:
        """Starts the process.

        Args:
            subject: the name of what runs in it, for errors.
            idle: seconds without a request after which it ends by itself.
            inherited: descriptors that it has as well, by the same numbers.
        """
        self.subject = subject
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed in end)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "edgekit_runtimes.subprocess_engine",
                *([str(idle)] if idle else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            pass_fds=inherited,
        )
        self._expired = False

    def ask(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        timeout: float | None = None,
        advice: str = "",
    ) -> Any:
        """What ``function(state, *arguments)`` returns in the child; it must be at the top level of a module.

        Args:
            function: of a module that the child can import.
            arguments: of the function, behind the state.
            timeout: seconds, after which the process is ended.
            advice: what to do then, in words.

        Raises:
            ModelError: the process ended without a result.
            Exception: whatever the function raised.
        """
        timer = threading.Timer(timeout, self._expire) if timeout else None
        try:
            if timer:
                timer.daemon = True
                timer.start()
            self.begin(function, *arguments)
            return self.result()
        except ModelError as error:
            if self._expired:
                late = f"it was not done after {timeout:g} seconds.{f' {advice}' if advice else ''}"
                raise ModelError(f"{self.subject}: {late}") from error
            raise
        finally:
            if timer:
                timer.cancel()

    def begin(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Has the child run a function, as ``ask`` does, and does not wait for it.

        Raises:
            ModelError: the process has ended.
        """
        stdin = self._process.stdin
        assert stdin
        self.forget_printed()
        try:
            stdin.write(pickle.dumps((function, arguments)))
            stdin.flush()
        except (OSError, ValueError) as error:
            raise ModelError(f"{self.subject}: {self._crash()}") from error

    def result(self) -> Any:
        """What the function returns that was begun.

        Raises:
            ModelError: the process ended without a result.
            Exception: whatever the function raised.
        """
        assert self._process.stdout
        try:
            result = pickle.load(self._process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise ModelError(f"{self.subject}: {self._crash()}") from error
        if isinstance(result, Exception):
            raise result
        return result

    def forget_printed(self) -> None:
        """Empties the file that what the process prints is kept in, for errors."""
        with contextlib.suppress(ValueError):  # it is closed
            self._log.truncate(0)
            self._log.seek(0)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def status(self) -> int | None:
        """How the process ended: its exit status, or a signal below 0; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Ends the process whatever it does."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        self._log.close()

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def _crash(self) -> str:
        status = self._process.wait()
        if self._log.closed:
            return "the process has ended."
        self._log.seek(0)
        printed = self._log.read().decode(errors="replace").strip().splitlines()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"the runtime crashed ({how}){f': {printed[-1]}' if printed else ' and printed nothing.'}"


def open_in_child(
    opener: Callable[[Path, int], Engine],
    path: Path,
    threads: int = 1,
    *,
    simulated: bool = False,
    timeout: float | None = None,
    advice: str = "",
) -> Engine:
    """Opens a file with ``opener`` in a child process.

    Args:
        opener: a function that the child can import.
        path: the file.
        threads: for ``opener``.
        simulated: whether the device is a simulator.
        timeout: seconds that opening, or one call, may take; then the child is ended.
        advice: what to do then, in words.

    Raises:
        ModelError: the child crashed, or was not done in time.
        Exception: whatever ``opener`` raises.
    """
    child = Child(str(path))
    try:
        inputs, outputs = child.ask(_open, opener, path, threads, timeout=timeout, advice=advice)
    except BaseException:
        child.end()
        raise
    return Engine(
        inputs,
        outputs,
        lambda arrays: child.ask(_run, list(arrays), timeout=timeout, advice=advice),
        lambda: child.ask(_place),
        simulated=simulated,
        close=child.end,
    )


def run_once(
    state: State, opener: Callable[[Path, int], Engine], path: Path, threads: int, seconds: float
) -> None:
    """Opens a file, runs it on random numbers, and asks for its operator placement.

    The process ends if that takes more than so many seconds: who asked may be gone by then.

    Raises:
        Exception: whatever the first two raise.
    """
    state.clear()
    _limit_memory()
    end_after(seconds)
    try:
        _open_and_run(opener, path, threads)
    finally:
        end_after(0)


def _open_and_run(opener: Callable[[Path, int], Engine], path: Path, threads: int) -> None:
    from edgekit_runtimes.arrays import random_inputs

    engine = opener(path, threads)
    try:
        check_ends(path, engine)
        given = random_inputs(engine.inputs, {}, raw=True)
        engine.call([given[spec.name] for spec in engine.inputs])
        with contextlib.suppress(Exception):  # what matters is whether it crashes
            engine.place()
    finally:
        if engine.close:
            engine.close()


def end_after(seconds: float) -> None:
    """Have the system end this process, whatever native code it is in; 0 takes it back."""
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    """Makes native code fail to allocate what the machine does not have, rather than fill it."""
    if sys.platform != "linux":
        return
    import resource

    try:
        kib = {
            line.split(":")[0]: int(line.split()[1])
            for name in ("/proc/meminfo", "/proc/self/status")
            for line in Path(name).read_text().splitlines()
            if line.startswith(("MemAvailable:", "VmData:"))
        }
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        soft = 1024 * (kib["MemAvailable"] + kib["VmData"])
        soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    except (OSError, KeyError, ValueError):  # a container that hides them
        return


def _open(state: State, opener: Callable[[Path, int], Engine], path: Path, threads: int) -> Any:
    engine = state["engine"] = opener(path, threads)
    return engine.inputs, engine.outputs


def _run(state: State, arrays: list[Array]) -> Any:
    return state["engine"].call(arrays)


def _place(state: State) -> Any:
    return state["engine"].place()


def _serve(requests: BinaryIO, results: BinaryIO, idle: float | None) -> None:
    state: State = {}
    crashes_are_caught()
    while True:
        if idle and os.name == "posix" and not select.select([requests], [], [], idle)[0]:
            return
        try:
            function, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            result = function(state, *arguments)
        except Exception as error:  # raised again in the parent
            result = error
        try:
            packed = pickle.dumps(result)
        except Exception as error:  # an error or a result that cannot travel
            packed = pickle.dumps(RuntimeError(f"{type(result).__name__}: {result} ({error})"))
        results.write(packed)
        results.flush()


if __name__ == "__main__":
    # Native code prints to descriptors 1 and 2; results go through another, which it does not know.
    kept = os.dup(1)
    os.dup2(2, 1)
    with open(kept, "wb") as results:
        _serve(sys.stdin.buffer, results, float(sys.argv[1]) if sys.argv[1:] else None)
