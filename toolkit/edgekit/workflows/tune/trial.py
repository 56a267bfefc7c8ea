"""Trial: a file to try, as a value; and Measured: what was found of it."""

import hashlib
from dataclasses import dataclass

from edgekit.accuracy.results import OutputResult
from edgekit_converters import Recipe


@dataclass(frozen=True, slots=True)
class Trial:
    """A file to try: one format, by one recipe."""

    format: str
    title: str
    """What it is, in words."""
    recipe: Recipe

    @property
    def key(self) -> str:
        """Stands for its format and its recipe."""
        plain = repr((self.format, self.recipe))
        return hashlib.sha256(plain.encode()).hexdigest()[:16]

    @property
    def shape(self) -> str:
        """Stands for what its file computes, whatever the numbers are: files of one shape take one time.

        To time each would let chance choose between them.
        """
        return repr((self.format, self.recipe.precision, sorted(self.recipe.keep_float)))


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found of a trial."""

    trial: Trial
    bytes: int
    sha256: str
    operators_in_float: int
    ms: float
    """One call, as long as the float32 file takes as it did when it was first timed."""
    results: tuple[OutputResult, ...] | None = None
    """On the choosing samples; None where it was only timed."""
    safety: float | None = None
    """As ``accuracy.forecast`` has it, of the judging samples."""

    @property
    def sqnr_db(self) -> float:
        """Of the worst output."""
        assert self.results is not None
        return min(result.sqnr_db for result in self.results)
