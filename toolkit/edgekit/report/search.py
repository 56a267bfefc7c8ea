"""What a search tried, what it chose, and why: part of a report, and a document of plain values."""

from dataclasses import dataclass
from typing import Literal

from edgekit.accuracy.intervals import Interval

Outcome = Literal["chosen", "proven", "not proven", "not judged", "not evaluated"]
"""Of a candidate: ``not judged`` where it was no finalist, ``not evaluated`` where it was only timed."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate: a file of one format by one recipe, as the choosing samples showed it."""

    title: str
    """What it is, in words."""
    format: str
    precision: str
    operators_in_float: int
    bytes: int
    outcome: Outcome
    latency_ms: float | None = None
    """The median of one call, side by side with the float32 file."""
    latency_ratio: float | None = None
    """Against the float32 file of the same format."""
    metric: str = ""
    """That the limits are on."""
    drop: float | None = None
    """Of that metric, on the choosing samples; where it compares with the original, its value."""
    interval: Interval | None = None
    """95%, of the same."""
    sqnr_db: float | None = None
    """Of the worst output."""
    safety: float | None = None
    """Room up to the limit, in half widths of the interval that is expected of the judging samples."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How much noise one tensor brings into the outputs when it alone is rounded."""

    tensor: str
    noise: float
    """The squared error over the squared outputs."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the file that costs least within the limits."""

    tried: tuple[Tried, ...]
    prefer: str
    """What was to be small: ``speed``, ``size``, or ``accuracy``, of the error."""
    device: str
    """Where the candidates were timed."""
    chosen_on: int
    """Samples; none of them calibrated or judged."""
    seconds: float
    why: tuple[str, ...] = ()
    """What was chosen and why, a sentence for each format."""
    stopped: str = ""
    """What ended the search early; empty where nothing did."""
    sensitivities: tuple[Sensitivity, ...] = ()
    """The noisiest first, where they were measured."""
