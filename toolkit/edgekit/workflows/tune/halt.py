"""When a search ends early: a signal, or its time is over; and what it says until then."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from edgekit.progress import Progress, expect

_FEW = 3  # candidates, before which nobody knows how long one takes


class Halt(Exception):
    """The search is to end now, and what it found is judged; the message says why. No error."""


class Watch:
    """A ``Watcher`` that ends what reports to it: within long steps, too, as they tell how far they are."""

    def __init__(
        self, progress: Progress, stop: Path, seconds: float | None, spent: float = 0.0
    ) -> None:
        """Begin to count.

        Args:
            progress: is told of the search's candidates.
            stop: a file; once it is there, with a reason in it, the search ends.
            seconds: after which it ends; None for never.
            spent: seconds of it that are over already.
        """
        self._progress, self._stop, self._seconds = progress, stop, seconds
        self._start = monotonic() - spent
        self._armed = False
        self._done = self._total = 0
        self.best = ""
        """The best candidate so far, in words."""

    def __call__(self, step: str) -> None:  # noqa: ARG002
        """A step of a candidate begins."""
        self.check()

    def expect(self, steps: int) -> None:
        """Nobody needs to know: candidates are counted."""

    def advance(self, done: int, total: int) -> None:  # noqa: ARG002
        """So much of a candidate's step is done."""
        self.check()

    def check(self) -> None:
        """Raise ``Halt`` where the search is to end."""
        if not self._armed:
            return
        if self._stop.exists():
            raise Halt(self._stop.read_text() or "interrupted")
        if self._seconds is not None and monotonic() - self._start > self._seconds:
            raise Halt(f"the time of {self._seconds:g} s was over")

    def arm(self) -> None:
        """From now on the search can be halted."""
        self._armed = True

    def disarm(self) -> None:
        """From now on nothing is halted."""
        self._armed = False

    def plan(self, steps: int) -> None:
        """About so many further candidates are to come."""
        self._total += steps

    def begin(self, title: str) -> None:
        """The next candidate begins."""
        self.check()
        left = ""
        if self._done >= _FEW and self._done < self._total:
            each = self.seconds / self._done
            left = f", {max(each * (self._total - self._done), 1):.0f} s left"
        self._done += 1
        self._total = max(self._total, self._done)
        best = f", best {self.best}" if self.best else ""
        self._progress(f"candidate {self._done}/{self._total}{left}{best}: {title}")
        expect(self._progress, self._total - self._done)

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return monotonic() - self._start


def guarded(call: Callable[[], None]) -> str:
    """Call a function; return why it was halted, or nothing."""
    try:
        call()
    except Halt as halt:
        return str(halt)
    return ""
