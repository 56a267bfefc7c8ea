"""How long runs say what they are doing."""

from collections.abc import Callable

Progress = Callable[[str], None]
"""Is called with the name of each step as it begins."""


def silent(step: str) -> None:
    """Say nothing: the default of every ``progress`` argument."""
