"""A campaign: damaged files by the thousand, in processes that may die, and what came of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attack.mutations import mutant
from attack.victims import _PROGRESS, ATTACKS

PROCESSES = 2


@dataclass(frozen=True)
class Finding:
    """A damaged file, and what it did."""

    kind: str
    number: int
    what: str
    file: Path
    """A copy of it."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number}: {self.what} ({self.file})"


@dataclass(frozen=True)
class Outcome:
    """What a campaign against one kind of files came to."""

    kind: str
    seed: int
    count: int
    passed: int
    """Files that were used as if they were whole."""
    seconds: float
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.count} damaged files of seed {self.seed}: {self.passed} used, "
            f"{self.count - self.passed - len(self.findings)} refused, {len(self.findings)} findings; "
            f"{self.seconds:.0f} s"
        )


def attack(
    kind: str, seeds: Path, scratch: Path, *, count: int, seed: int, processes: int = PROCESSES
) -> Outcome:
    """Gives so many damaged files of a kind to processes at once.

    Args:
        kind: of ``ATTACKS``.
        seeds: the folder of good files, one folder for each kind.
        scratch: a new folder, in which the damaged files with findings are kept.
        count: how many.
        seed: for the numbers that chance draws.
        processes: how many at once.
    """
    start = time.perf_counter()
    scratch.mkdir(parents=True)
    bounds = [count * i // processes for i in range(processes + 1)]
    runs = [
        _Run(kind, seeds, seed, bounds[i], bounds[i + 1], scratch / f"{i}.jsonl")
        for i in range(processes)
    ]
    try:
        while any(run.goes_on() for run in runs):
            time.sleep(0.02)
    finally:
        for run in runs:
            run.end()
    lines = [line for run in runs for line in run.lines()]
    told = {(line["number"], line["what"]): line for line in lines if "what" in line}
    findings = [_kept(kind, seeds, seed, line, scratch) for line in told.values()]
    return Outcome(
        kind,
        seed,
        count,
        sum("passed" in line for line in lines),
        time.perf_counter() - start,
        tuple(findings),
    )


class _Run:
    """A range of numbers, in one process after the other: a new one behind each file that ends one."""

    def __init__(
        self, kind: str, seeds: Path, seed: int, first: int, behind: int, report: Path
    ) -> None:
        self._kind, self._seeds, self._seed = kind, seeds, seed
        self._first, self._behind, self._report = first, behind, report
        self._progress = report.with_suffix(".progress")
        report.touch()
        self._process = self._start() if first < behind else None

    def goes_on(self) -> bool:
        """Whether there is more; starts the next process where one has ended too early."""
        if self._process is None:
            return False
        status = self._process.poll()
        if status is None:
            return True
        if status == 0:
            self._process = None
            return False
        (number,) = _PROGRESS.unpack(self._progress.read_bytes())
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        what = "took too long" if status == -signal.SIGALRM else f"ended its process: {how}"
        with self._report.open("a") as log:
            log.write("\n" + json.dumps({"number": max(number, self._first), "what": what}) + "\n")
        self._first = max(number, self._first) + 1
        self._process = self._start() if self._first < self._behind else None
        return True

    def end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def lines(self) -> Iterator[dict[str, object]]:
        for line in self._report.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # cut short by a crash
                continue

    def _start(self) -> "subprocess.Popen[bytes]":
        self._progress.write_bytes(_PROGRESS.pack(-1))
        numbers = [self._seed, self._first, self._behind]
        return subprocess.Popen(
            [sys.executable, "-m", "attack.victims", self._kind, str(self._seeds),
             *map(str, numbers), str(self._report)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip


def _kept(kind: str, seeds: Path, seed: int, line: dict[str, object], scratch: Path) -> Finding:
    number = int(str(line["number"]))
    name = Path(ATTACKS[kind].name)
    file = scratch / f"{kind}-{seed}-{number}{name.suffix}"
    files = [path.read_bytes() for path in sorted((seeds / kind).iterdir())]
    file.write_bytes(mutant(ATTACKS[kind].change, files, seed, number))
    return Finding(kind, number, str(line["what"]), file)
