"""How long runs say what they are doing, and how far they are."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

Progress = Callable[[str], None]
"""Is called with the name of each step as it begins; a ``Watcher`` is told more."""


@runtime_checkable
class Watcher(Protocol):
    """A ``Progress`` that shows how far a run is, too."""

    def __call__(self, step: str) -> None:
        """A step begins."""

    def expect(self, steps: int) -> None:
        """So many steps are still to begin, as far as is known now."""

    def advance(self, done: int, total: int) -> None:
        """So much of the current step is done."""


def silent(step: str) -> None:
    """Say nothing: the default of every ``progress`` argument."""


def expect(progress: Progress, steps: int) -> None:
    """Tell a watcher how many steps are still to begin."""
    if isinstance(progress, Watcher):
        progress.expect(steps)


def advances(progress: Progress) -> Callable[[int, int], None]:
    """The function that tells a watcher how much of how much is done; of others, one that does nothing."""
    return progress.advance if isinstance(progress, Watcher) else lambda done, total: None
