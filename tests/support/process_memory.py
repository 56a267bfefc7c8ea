"""What a command and all that it starts take: seconds and memory."""

import subprocess
from collections.abc import Iterator, Sequence
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
    with subprocess.Popen(
        [str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        peak = 0
        assert process.stdout is not None
        # A command says little; what it says waits in the pipe, which holds 64 KiB.
        while process.poll() is None:
            peak = max(peak, sum(_held(pid) for pid in _family(process.pid)))
            sleep(_EVERY)
        said = process.stdout.read()
    if process.returncode:
        print(said)
        raise subprocess.CalledProcessError(process.returncode, command)
    return perf_counter() - start, peak


def _family(pid: int) -> Iterator[int]:
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:  # it has just ended
            continue
        for child in children:
            yield from _family(int(child))


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
