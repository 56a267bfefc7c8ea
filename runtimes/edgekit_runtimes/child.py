"""A model in a process of its own: what crashes there is an error message here.

For runtimes that end the whole process where they should raise. Each call costs a trip through two
pipes, so nothing that is meant to be fast runs here.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from edgekit_runtimes.base import Array, Engine, ModelError

Opener = Callable[[Path, int], Engine]


def open_in_child(opener: Opener, path: Path, threads: int = 1) -> Engine:
    """Opens a file with ``opener`` in a child process.

    Args:
        opener: a function at the top level of a module.
        path: the file.
        threads: as for ``opener``.

    Raises:
        ModelError: the child ended without a word; else whatever ``opener`` raises.
    """
    child = _Child(path)
    try:
        inputs, outputs = child.ask(("open", opener, path, threads))
    except BaseException:
        child.end()
        raise
    return Engine(
        inputs,
        outputs,
        lambda arrays: child.ask(("run", list(arrays))),
        lambda: child.ask(("place",)),
        close=child.end,
    )


class _Child:
    """The process, and what it last printed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed in end)
        paths = os.pathsep.join(p for p in sys.path if p)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edgekit_runtimes.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def ask(self, question: tuple[Any, ...]) -> Any:
        """The child's answer; raises what was raised there."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout
        try:
            pickle.dump(question, stdin)
            stdin.flush()
            answer = pickle.load(stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            status = self._process.wait()
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise ModelError(
                f"{self._path}: the runtime crashed ({how})"
                + (f": {said[-1]}" if said else ", without a word")
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """Lets the process go."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        self._process.wait()
        self._log.close()


def _serve(questions: BinaryIO, answers: BinaryIO) -> None:
    engine: Engine | None = None
    while True:
        try:
            kind, *rest = pickle.load(questions)
        except EOFError:
            return
        answer: Any
        try:
            if kind == "open":
                opener, path, threads = rest
                engine = opener(path, threads)
                answer = (engine.inputs, engine.outputs)
            elif kind == "run":
                assert engine
                arrays: Sequence[Array] = rest[0]
                answer = engine.call(arrays)
            else:
                assert engine
                answer = engine.place()
        except Exception as error:  # raised again where the question came from
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    # Native code prints where it likes; the answers go through a descriptor that it does not know.
    kept = os.dup(1)
    os.dup2(2, 1)
    with open(kept, "wb") as answers:
        _serve(sys.stdin.buffer, answers)
