"""A process of its own for a model: what crashes there is an error message here.

For runtimes that end the whole process where they should raise, and for figures that are to be
one model's alone. Each call costs a trip through two pipes.
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
"""What the functions that a child runs leave for each other."""


class Child:
    """A Python process that runs functions, one at a time, and keeps what they leave."""

    def __init__(self, subject: str) -> None:
        """Starts the process; ``subject`` is what an error says has crashed."""
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
        """What ``function(state, *arguments)`` returns in the child; it stands at the top of a module.

        Raises:
            ModelError: the process ended without an answer.
            Exception: whatever the function raised.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout
        try:
            pickle.dump((function, arguments), stdin)
            stdin.flush()
            answer = pickle.load(stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise ModelError(f"{self._subject}: {self._end_of_it()}") from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """Lets the process go."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        self._log.close()

    def _end_of_it(self) -> str:
        status = self._process.wait()
        if self._log.closed:
            return "the process has ended."
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"the runtime crashed ({how}){f': {said[-1]}' if said else ', without a word.'}"


def open_in_child(
    opener: Callable[[Path, int], Engine], path: Path, threads: int = 1, *, emulated: bool = False
) -> Engine:
    """Opens a file with ``opener`` in a child process.

    Raises:
        ModelError: the child ended without a word.
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
        emulated=emulated,
        close=child.end,
    )


def _open(state: State, opener: Callable[[Path, int], Engine], path: Path, threads: int) -> Any:
    engine = state["engine"] = opener(path, threads)
    return engine.inputs, engine.outputs


def _run(state: State, arrays: list[Array]) -> Any:
    return state["engine"].call(arrays)


def _place(state: State) -> Any:
    return state["engine"].place()


def _serve(questions: BinaryIO, answers: BinaryIO) -> None:
    state: State = {}
    while True:
        try:
            function, arguments = pickle.load(questions)
        except EOFError:
            return
        try:
            answer = function(state, *arguments)
        except Exception as error:  # raised again where the question came from
            answer = error
        try:
            packed = pickle.dumps(answer)
        except Exception as error:  # an error or a result that cannot travel
            packed = pickle.dumps(RuntimeError(f"{type(answer).__name__}: {answer} ({error})"))
        answers.write(packed)
        answers.flush()


if __name__ == "__main__":
    # Native code prints where it likes; the answers go through a descriptor that it does not know.
    kept = os.dup(1)
    os.dup2(2, 1)
    with open(kept, "wb") as answers:
        _serve(sys.stdin.buffer, answers)
