"""What ``edgekit diff`` finds: two files, or two folders, side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.bundle.plain import to_plain
from edgekit.bundle.schema import DIFF
from edgekit.diagnosis.changed_samples import ChangedSample
from edgekit.diagnosis.layer_diff import LayerDiff
from edgekit_runtimes import TensorSpec


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file, without running it."""

    path: str
    bytes: int
    sha256: str
    precision: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """How many operators of one kind each file has."""

    kind: str
    a: int
    b: int


@dataclass(frozen=True, slots=True)
class OutputDiff:
    """One output of both files on the same samples."""

    output: str
    """Its name in A."""
    task: str
    """What it predicts, as ``edgekit validate`` guesses it."""
    changed: int
    """Samples whose prediction changed; of plain numbers only those that are not finite."""
    sqnr_db: float
    """Infinite, in JSON null, where all values are equal."""
    largest_error: float
    worst: tuple[ChangedSample, ...]
    """Samples whose prediction changed first, then those with the largest errors."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """Two files side by side, or one that has no counterpart."""

    name: str
    a: FileFacts | None
    b: FileFacts | None
    identical: bool
    """Whether they are the same, byte by byte: then nothing else was compared."""
    operators: tuple[OperatorCount, ...] = ()
    """The kinds of operators, by each format's names."""
    layers: tuple[LayerDiff, ...] = ()
    samples: int = 0
    """On which outputs were compared; 0 where there were none to compare on."""
    layer_samples: int = 0
    """On which layers were compared."""
    outputs: tuple[OutputDiff, ...] = ()
    latency_ms: tuple[float, float] | None = None
    """The median of one call of A and of B; None where it was not measured."""
    notes: tuple[str, ...] = ()
    """What could not be compared, and why."""

    @property
    def added(self) -> tuple[LayerDiff, ...]:
        """The layers that only B has."""
        return tuple(layer for layer in self.layers if layer.a is None)

    @property
    def removed(self) -> tuple[LayerDiff, ...]:
        """The layers that only A has."""
        return tuple(layer for layer in self.layers if layer.b is None)


@dataclass(frozen=True, slots=True)
class FactDiff:
    """Something that two folders' manifests say otherwise."""

    name: str
    a: Any
    """None where A's manifest does not say it, or there is none."""
    b: Any


@dataclass(frozen=True, slots=True)
class Diff:
    """Two files or two folders side by side; true where they are the same."""

    a: str
    b: str
    files: tuple[FileDiff, ...]
    facts: tuple[FactDiff, ...] = ()
    """Of two folders: what their manifests say otherwise."""
    samples: str = ""
    """Where the samples came from; empty where there were none."""

    @property
    def same(self) -> bool:
        """Whether all files are the same, byte by byte, and both folders' manifests agree."""
        return not self.facts and all(file.identical for file in self.files)

    def __bool__(self) -> bool:
        return self.same

    def pairs(self) -> Iterator[FileDiff]:
        """The files that are in both and differ."""
        return (f for f in self.files if f.a is not None and f.b is not None and not f.identical)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"schema": DIFF, "same": self.same, **to_plain(self)}
