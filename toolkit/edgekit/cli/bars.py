"""The current step on a terminal: its number, its name, a bar, and the time it takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgekit.cli.console import tell
from edgekit.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Line


@contextmanager
def steps(*, quiet: bool, verbose: bool) -> Iterator[Progress]:
    """A function that shows the current step on standard error, and is a ``Watcher``.

    On a terminal it is one line, which is then removed; elsewhere, nothing. With ``verbose`` each
    step is a line with the time at which it began.
    """
    if quiet:
        yield lambda step: None
    elif verbose:
        start = time.perf_counter()
        yield lambda step: tell(f"{time.perf_counter() - start:6.1f} s  {step}")
    else:
        from rich.console import Console

        console = Console(stderr=True)
        if not console.is_terminal:
            yield lambda step: None
            return
        from rich import progress

        columns = (
            progress.TextColumn("{task.fields[place]}", style="dim"),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=24),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left", style="dim"),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=console, transient=True) as line:
            yield _Bar(line)


class _Bar:
    """A line for the current step; each step's begins anew."""

    def __init__(self, line: "Line") -> None:
        self._line = line
        self._number, self._count = 0, 0
        self._task = line.add_task("starting", total=None, place="")

    def __call__(self, step: str) -> None:
        self._number += 1
        self._count = max(self._count, self._number)
        self._line.remove_task(self._task)
        self._task = self._line.add_task(step, total=None, place=self._place())

    def expect(self, steps: int) -> None:
        self._count = self._number + steps
        self._line.update(self._task, place=self._place())

    def advance(self, done: int, total: int) -> None:
        self._line.update(self._task, completed=done, total=total)

    def _place(self) -> str:
        return f"step {self._number} of {self._count}" if self._count > 1 else ""
