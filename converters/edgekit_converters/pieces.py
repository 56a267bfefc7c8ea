"""A model file as pieces that run alone: its operators, each with what belongs to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor between two pieces, or at the model's ends."""

    name: str
    """Unique in the file."""
    scale: float | None = None
    """Where it holds integers: real value = scale x (integer - zero_point)."""
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A file of some pieces, cut out of the model."""

    content: bytes
    reads: tuple[str, ...]
    """The names of its inputs, in their order."""
    makes: tuple[str, ...]
    """The names of its outputs, in their order."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What a runtime computes at once: an operator, with its activation and its weights."""

    name: str
    """Of the tensor that its operator makes."""
    kind: str
    """The operator, by the format's name."""
    places: tuple[int, ...]
    """Of its operators in the graph."""
    dynamic: bool = False
    """Whether its runtime quantizes what it reads at each call, in its own way."""
    loop: bool = False
    """Whether it holds operators of its own, which may run many times: what they round adds up in it."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A model in pieces, in the order of its graph."""

    suffix: str
    pieces: tuple[Piece, ...]
    cut: Callable[[Sequence[int]], Part]
    """Makes one file of some pieces, by their places in ``pieces``; raises ``ConversionError`` where one works on
    something of the whole file, as a variable."""
    ports: Mapping[str, Port]
    """Of every tensor that a piece reads or makes, by name."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    channels_first: bool = False
    """Whether images between pieces have the channel axis before height and width."""
