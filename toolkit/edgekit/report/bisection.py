"""What ``edgekit bisect`` finds: the first layer that a target computes otherwise, and how."""

from dataclasses import dataclass
from typing import Any, Literal

from edgekit.bundle.plain import to_plain
from edgekit.bundle.schema import BISECTION
from edgekit.diagnosis.judged_pieces import Difference

LayerStatus = Literal["same", "differs", "fails", "not run"]


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """One layer on the target, given the inputs that it has here."""

    name: str
    operator: str
    status: LayerStatus
    difference: Difference | None = None
    note: str = ""
    """Why it fails on the target, or was not run alone."""


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """Layers that the target computes otherwise only where it runs them together."""

    first: str
    last: str
    operators: tuple[str, ...]
    difference: Difference


@dataclass(frozen=True, slots=True)
class FileBisection:
    """One file on the target."""

    file: str
    samples: int
    outputs: tuple[Difference, ...]
    """The outputs of the whole file that differ by more than another processor's rounding."""
    layers: tuple[LayerVerdict, ...]
    """In the order of the graph."""
    refusal: str = ""
    """Why the target cannot run the whole file; empty where it can."""
    group: LayerGroup | None = None
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> LayerVerdict | None:
        """The first layer that differs, or that the target cannot run; None where all are right."""
        return next((x for x in self.layers if x.status in ("differs", "fails")), None)

    @property
    def same(self) -> bool:
        """Whether the target computes what it should."""
        return not self.outputs and not self.refusal and self.first is None


@dataclass(frozen=True, slots=True)
class Bisection:
    """A model on a target; true where the target computes what it should."""

    model: str
    target: str
    reference: str
    files: tuple[FileBisection, ...]
    skipped: tuple[str, ...] = ()
    """Files that the target does not open, and why."""

    @property
    def same(self) -> bool:
        """Whether all files are the same there, but for rounding."""
        return all(file.same for file in self.files)

    def __bool__(self) -> bool:
        return self.same

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"schema": BISECTION, "same": self.same, **to_plain(self)}
