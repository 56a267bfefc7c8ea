"""``Inspection``: which operators of a file a chip runs, where, what they need, and what to change."""

from dataclasses import dataclass

from edgekit_converters.base import ConversionError


class TargetError(ConversionError):
    """A model file that a chip or its tools cannot take; the message says why, and what to do about it."""


@dataclass(frozen=True, slots=True)
class PlacedOperators:
    """Operators of one kind that run in one place."""

    kind: str
    """As the file has it: ``CONV_2D``."""
    count: int
    runs_on: str
    """``NPU`` or ``CPU``; empty where nothing on the chip runs them."""
    reason: str = ""
    """Why not on what the target is there for, where they are not."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that the chip's tools tell."""

    name: str
    """``arena``, ``flash``, ``SRAM``, ``cycles``."""
    value: float
    unit: str
    """``bytes``, ``cycles``, ``ms``."""
    note: str = ""
    """How far it can be trusted: measured, estimated and by what, a bound."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a target makes of one model file."""

    target: str
    processor: str
    """What operators should run on: ``NPU``, or ``CPU`` where the chip has nothing else."""
    operators: tuple[PlacedOperators, ...]
    figures: tuple[Figure, ...] = ()
    advice: tuple[str, ...] = ()
    """What to change in the model or its conversion."""

    @property
    def total(self) -> int:
        """How many operators there are."""
        return sum(placed.count for placed in self.operators)

    @property
    def placed(self) -> int:
        """How many run where they should."""
        return sum(p.count for p in self.operators if p.runs_on == self.processor)

    @property
    def runs(self) -> bool:
        """Whether the chip runs all of the file, wherever on it."""
        return all(placed.runs_on for placed in self.operators)
