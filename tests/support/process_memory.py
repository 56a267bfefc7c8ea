"""What a command and all that it starts take: seconds and memory."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, sleep

_EVERY = 0.05  # seconds between two looks


def seconds_and_peak(command: Sequence[str | Path]) -> tuple[float, int]:
    """Run a command; its seconds, and the most bytes that it and its children held at once.

    Pages that processes share count once (Linux's proportional set size), so a fork is not its parent
    again.

    Raises:
        CalledProcessError: it failed; what it wrote is printed.
    """
    start = perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(
            [str(c) for c in command], stdout=said, stderr=subprocess.STDOUT
        ) as process:
            peak = 0
            place = Path(f"/proc/{process.pid}")
            while process.poll() is None:
                peak = max(peak, sum(map(_held, [place, *descendants(place)])))
                sleep(_EVERY)
        seconds = perf_counter() - start
        if process.returncode:
            said.seek(0)
            print(said.read())
            raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, peak


def descendants(process: Path) -> list[Path]:
    """The processes that one has started, and that those have, as folders of /proc."""
    found = []
    for children in process.glob("task/*/children"):
        for number in text(children).split():
            child = Path("/proc", number)
            found += [child, *descendants(child)]
    return found


def text(path: Path) -> str:
    """What a file of /proc says; nothing where its process has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _held(process: Path) -> int:
    found = re.search(r"^Pss: +(\d+) kB", text(process / "smaps_rollup"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
