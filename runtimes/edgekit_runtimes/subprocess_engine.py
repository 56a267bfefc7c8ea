"""A child process for a model: a crash there is an exception here.

For runtimes that end the whole process where they should raise, and for measurements of one model
alone. Each call costs a round trip through two pipes.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from edgekit_runtimes.base import Array, Engine, ModelError

State = dict[str, Any]
"""What the functions that a child runs keep for each other."""


class Child:
    """A Python process that runs functions, one at a time, on a state that it keeps."""

    def __init__(self, subject: str) -> None:
        """Starts the process; ``subject`` is the name of what runs in it, for errors."""
        self._subject = subject
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed in end)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edgekit_runtimes.subprocess_engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What ``function(state, *arguments)`` returns in the child; it must be at the top level of a module.

        Raises:
            ModelError: the process ended without a result.
            Exception: whatever the function raised.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout
        try:
            pickle.dump((function, arguments), stdin)
            stdin.flush()
            result = pickle.load(stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise ModelError(f"{self._subject}: {self._crash()}") from error
        if isinstance(result, Exception):
            raise result
        return result

    def end(self) -> None:
        """Ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        self._log.close()

    def _crash(self) -> str:
        status = self._process.wait()
        if self._log.closed:
            return "the process has ended."
        self._log.seek(0)
        printed = self._log.read().decode(errors="replace").strip().splitlines()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"the runtime crashed ({how}){f': {printed[-1]}' if printed else ' and printed nothing.'}"


def open_in_child(
    opener: Callable[[Path, int], Engine], path: Path, threads: int = 1, *, simulated: bool = False
) -> Engine:
    """Opens a file with ``opener`` in a child process.

    Raises:
        ModelError: the child crashed.
        Exception: whatever ``opener`` raises.
    """
    child = Child(str(path))
    try:
        inputs, outputs = child.ask(_open, opener, path, threads)
    except BaseException:
        child.end()
        raise
    return Engine(
        inputs,
        outputs,
        lambda arrays: child.ask(_run, list(arrays)),
        lambda: child.ask(_place),
        simulated=simulated,
        close=child.end,
    )


def _open(state: State, opener: Callable[[Path, int], Engine], path: Path, threads: int) -> Any:
    engine = state["engine"] = opener(path, threads)
    return engine.inputs, engine.outputs


def _run(state: State, arrays: list[Array]) -> Any:
    return state["engine"].call(arrays)


def _place(state: State) -> Any:
    return state["engine"].place()


def _serve(requests: BinaryIO, results: BinaryIO) -> None:
    state: State = {}
    while True:
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
        _serve(sys.stdin.buffer, results)
