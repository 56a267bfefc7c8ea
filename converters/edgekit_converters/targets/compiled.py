"""``Compiled``: a file as a chip's compiler made it, and where each operator of the original runs."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit_converters.targets.inspection import Figure, Inspection, PlacedOperators
from edgekit_converters.targets.operators import read_model
from edgekit_converters.tflite import flatbuffer

NEVER_RUN = "compiled, never executed on hardware"
"""What is known of these files: no such chip was at hand."""

Compile = Callable[..., "Compiled"]
"""``compile(model, target, chip, scratch=folder)`` writes the file ``target``, whole or not at all; the folder is
an empty one on the same file system."""


@dataclass(frozen=True, slots=True)
class PlacedOperator:
    """An operator of a model file, and the processor that runs it."""

    kind: str
    """As the file's format names it: ``CONV_2D``, ``Conv``."""
    name: str
    """Of its first output in TFLite, of the node in ONNX."""
    runs_on: Literal["NPU", "CPU"]
    reason: str = ""
    """Why it is on the CPU, in the compiler's words; empty where it says nothing."""
    cycles: int | None = None
    """The compiler's estimate; None where it has none."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of a file."""

    chip: str
    operators: tuple[PlacedOperator, ...]
    """Those of the original, in its order."""
    figures: tuple[Figure, ...]
    advice: tuple[str, ...] = ()

    @property
    def inspection(self) -> Inspection:
        """The same, with operators counted by kind."""
        counts = Counter((op.kind, op.runs_on, op.reason) for op in self.operators)
        placed = tuple(
            PlacedOperators(kind, count, runs_on, reason)
            for (kind, runs_on, reason), count in counts.items()
        )
        return Inspection(self.chip, "NPU", placed, self.figures, self.advice)


@dataclass(frozen=True, slots=True)
class FileOperator:
    """An operator of a TFLite file."""

    kind: str
    name: str
    """Of its first output."""


def operators_of(path: Path) -> list[FileOperator]:
    """Return the operators of a TFLite file in the order of its graphs, of loops too.

    Raises:
        TargetError: it is no TFLite file, or is damaged.
    """
    model = read_model(path)
    return [
        FileOperator(flatbuffer.kind_name(model, operator), _name(graph, operator))
        for graph in model.subgraphs
        for operator in graph.operators
    ]


def left_over(before: Iterable[FileOperator], after: Iterable[FileOperator]) -> list[bool]:
    """Return for each operator of a file whether the compiled one still has it, for the CPU.

    >>> conv, top = FileOperator("CONV_2D", "y"), FileOperator("TOPK_V2", "z")
    >>> left_over([conv, top], [FileOperator("ethos-u", "y"), top])
    [False, True]
    """
    there = Counter(after)
    found = []
    for operator in before:
        found.append(there[operator] > 0)
        there[operator] -= 1
    return found


def count_on_npu(operators: Sequence[PlacedOperator]) -> int:
    """Return how many operators the NPU runs."""
    return sum(operator.runs_on == "NPU" for operator in operators)


def _name(graph: Any, operator: Any) -> str:
    outputs = operator.outputs
    if outputs is None or not len(outputs):
        return ""
    return flatbuffer.name(graph.tensors[outputs[0]])
