"""A chip's compiler, in a child process: its crash is an error message, and its noise a log."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from edgekit_converters.targets.inspection import TargetError

_SHOWN = 25  # lines of a log, from its end


def run_tool(
    name: str,
    command: Sequence[str],
    folder: Path,
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a compiler, and return what it printed.

    Args:
        name: of the compiler, for messages.
        command: with its arguments.
        folder: where it runs, and where what it leaves in temporary files goes.
        seconds: after which it is killed, with the processes that it started.
        environment: variables that it gets beside those of this process.

    Raises:
        TargetError: it ended with an error or by a signal, or took too long.
    """
    temporary = {"TMPDIR": str(folder), "PYTHONIOENCODING": "utf-8"}
    log = folder / f"{name}.log"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **temporary, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
    said = log.read_text(encoding="utf-8", errors="replace")
    if code == 0:
        return said
    if code is None:
        how = f"did not end within {seconds:g} seconds"
    elif code < 0:
        how = f"crashed ({_signal(-code)})"
    else:
        how = f"ended with exit status {code}"
    raise failure(name, how, said)


def failure(name: str, how: str, said: str) -> TargetError:
    """Return the error of a compiler, with the end of what it printed as a note.

    >>> print(failure("Vela", "crashed (SIGSEGV)", "reading\\nError: no memory\\n"))
    Vela crashed (SIGSEGV): Error: no memory

    Args:
        name: of the compiler.
        how: it failed.
        said: what it printed.
    """
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if "error" in line.lower()), "")
    error = TargetError(f"{name} {how}{f': {reason.strip()}' if reason else ''}")
    if lines:
        error.add_note("\n".join(["The end of its log:", *lines[-_SHOWN:]]))
    return error


def told_of(subject: str, error: TargetError, advice: str = "") -> TargetError:
    """Return an error of a compiler that says what it was about, and what to do, with the same notes.

    >>> print(told_of("cnn.tflite, npu", TargetError("Vela crashed (SIGSEGV)"), "Use another."))
    cnn.tflite, npu: Vela crashed (SIGSEGV). Use another.
    """
    told = TargetError(f"{subject}: {str(error).rstrip('.')}. {advice}".rstrip())
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that still runs, and those that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
