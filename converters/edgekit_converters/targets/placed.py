"""Where the operators of a file run on a chip, by the word of the chip's compiler."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit_converters.tflite import flatbuffer


@dataclass(frozen=True, slots=True)
class PlacedOperator:
    """An operator of a model file, and the processor that runs it."""

    kind: str
    """As the file's format names it: ``CONV_2D``, ``Conv``."""
    name: str
    """Of its first output."""
    processor: Literal["NPU", "CPU"]
    reason: str = ""
    """Why it is on the CPU, in the compiler's words; empty where it says nothing."""
    cycles: int | None = None
    """The compiler's estimate; None where it has none."""


@dataclass(frozen=True, slots=True)
class FileOperator:
    """An operator of a TFLite file."""

    kind: str
    name: str
    """Of its first output."""


def operators_of(path: Path) -> list[FileOperator]:
    """Return the operators of a TFLite file in the order of its graphs, of loops too."""
    model = flatbuffer.read(path)
    return [
        FileOperator(_kind(model, operator), _name(graph, operator))
        for graph in model.subgraphs
        for operator in graph.operators
    ]


def left_over(before: Iterable[FileOperator], after: Iterable[FileOperator]) -> list[bool]:
    """Return for each operator of a file whether the compiled one still has it.

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
    return sum(operator.processor == "NPU" for operator in operators)


def _kind(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    if flatbuffer.opcode(model, operator) == flatbuffer.CUSTOM and code.customCode:
        return str(code.customCode.decode(errors="replace"))
    return flatbuffer.kind_name(model, operator)


def _name(graph: Any, operator: Any) -> str:
    outputs = operator.outputs
    return flatbuffer.name(graph.tensors[outputs[0]]) if outputs is not None and len(outputs) else ""
