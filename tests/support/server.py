"""``edgekit serve`` as a process of its own, and what it is made of."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Server:
    """A server that listens."""

    url: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    """What it printed."""

    def models(self) -> list[int]:
        """The processes of its models."""
        return [p for p in _below(self.process.pid) if b"subprocess_engine" in _command(p)]

    def workers(self) -> list[int]:
        """Its worker processes."""
        return [p for p in _below(self.process.pid) if b"spawn_main" in _command(p)]


@contextlib.contextmanager
def serving(*arguments: str | Path) -> Iterator[Server]:
    """A server on a free port, ended afterwards."""
    command = [sys.executable, "-m", "edgekit", "serve", *map(str, arguments), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        server = Server("", process)

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                server.lines.append(line.rstrip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            until(lambda: process.poll() is not None or _address(server.lines) is not None)
            server.url = _address(server.lines) or ""
            assert server.url, "\n".join(server.lines)
            yield server
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait()
            reader.join()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def _address(lines: list[str]) -> str | None:
    found = next(
        filter(None, (re.search(r"listening on (https?://\S+)/v2", x) for x in lines)), None
    )
    return found and found[1]


def _below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from _below(child)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill(pids: list[int]) -> None:
    """End processes at once."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
