"""What a model makes of its last layers' outputs: boxes of offsets and anchors, joined with scores.

One scale for boxes in pixels and scores up to 1 would leave a score four steps of 256; and boxes that are
added and multiplied in 8 bits are rounded at each step. So operators behind the last ones with weights stay
in float, where they join parts of different widths or place something on a grid. There they cost next to
nothing, an NPU hands over to the CPU once, and the first float tensor has the scale of one part alone.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from edgekit_converters.base import Range
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import (
    ABS,
    ADD,
    BATCH_MATMUL,
    CONCATENATION,
    CONV_2D,
    DEPTHWISE_CONV_2D,
    EXP,
    FULLY_CONNECTED,
    MAXIMUM,
    MINIMUM,
    MUL,
    NEG,
    RELU,
    RESHAPE,
    SQUARE,
    SUB,
    TRANSPOSE_CONV,
)

_WITH_WEIGHTS = {CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, TRANSPOSE_CONV, BATCH_MATMUL}
_DIV, _LOGISTIC, _SOFTMAX, _TANH, _RELU6, _POW, _SQRT = 42, 14, 25, 28, 21, 78, 75
_ARITHMETIC = {ADD, SUB, MUL, _DIV}
_EACH_BY_ITSELF = {_LOGISTIC, _SOFTMAX, _TANH, RELU, _RELU6, _POW, _SQRT, EXP, ABS, NEG, SQUARE}
STRIDED_SLICE, SLICE, SPLIT, SPLIT_V = 45, 65, 49, 102
_TRANSPOSE, _SQUEEZE, _EXPAND_DIMS, _PACK, _UNPACK, _GATHER = 39, 43, 70, 83, 88, 36
_MOVES = {RESHAPE, CONCATENATION, STRIDED_SLICE, SLICE, SPLIT, SPLIT_V}
_MOVES |= {_TRANSPOSE, _SQUEEZE, _EXPAND_DIMS, _PACK, _UNPACK, _GATHER}
_AMONG = _ARITHMETIC | _EACH_BY_ITSELF | _MOVES | {MAXIMUM, MINIMUM}

_WIDER = 2
"""How many times as wide as a part what it is joined to has to be: it loses a bit then."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Operators behind the last ones with weights that belong together, by their first outputs' names."""

    operators: tuple[str, ...]
    outputs: tuple[str, ...]
    """Those of the model that they make."""
    why: str
    """What they do that 8 bits are too few for."""


def tails(graph: Path, ranges: Mapping[str, Range]) -> list[Tail]:
    """Return the tails of a float TFLite file that are to stay in float.

    Args:
        graph: the file.
        ranges: of its tensors, by name.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    last = behind_weights(model)
    weighted = {
        index
        for operator in main.operators
        if flatbuffer.opcode(model, operator) in _WITH_WEIGHTS
        for index in operator.outputs
    }
    found = []
    for operators in _connected(model, last):
        made = {index for operator in operators for index in operator.outputs}
        if not any(index in weighted for operator in operators for index in operator.inputs):
            continue
        reasons = [why for o in operators if (why := _why(model, o, ranges))]
        if reasons:
            found.append(
                Tail(
                    tuple(_name(main, operator.outputs[0]) for operator in operators),
                    tuple(_name(main, index) for index in main.outputs if index in made),
                    reasons[-1],
                )
            )
    return found


def behind_weights(model: Any) -> list[Any]:
    """Return the operators from which no operator with weights is reached, nor any that sums up, in order.

    They only move values, and compute each from few others.
    """
    main = model.subgraphs[0]
    readers = defaultdict(list)
    for operator in main.operators:
        for index in operator.inputs:
            readers[index].append(id(operator))
    last: dict[int, Any] = {}
    for operator in reversed(main.operators):
        after = (reader for index in operator.outputs for reader in readers[index])
        if flatbuffer.opcode(model, operator) in _AMONG and all(reader in last for reader in after):
            last[id(operator)] = operator
    return list(last.values())[::-1]


def _connected(model: Any, operators: list[Any]) -> list[list[Any]]:
    """Return the operators in groups, of which none reads what another computes."""
    groups: list[tuple[set[int], list[Any]]] = []
    for operator in operators:
        made, members = set(operator.outputs), [operator]
        for group in [g for g in groups if g[0] & set(operator.inputs)]:
            groups.remove(group)
            made |= group[0]
            members = [*group[1], *members]
        groups.append((made, members))
    order = {id(operator): place for place, operator in enumerate(model.subgraphs[0].operators)}
    return [sorted(members, key=lambda o: order[id(o)]) for _, members in groups]


def _why(model: Any, operator: Any, ranges: Mapping[str, Range]) -> str:
    """Return why an operator is to stay in float; nothing where it need not."""
    main, kind = model.subgraphs[0], flatbuffer.opcode(model, operator)
    if main.tensors[operator.outputs[0]].type != flatbuffer.FLOAT32:
        return ""
    if kind == CONCATENATION:
        whole = _width(main, operator.outputs[0], ranges)
        widths = [_width(main, index, ranges) for index in operator.inputs]
        if any(0 < _WIDER * width <= whole for width in widths):
            return "joins parts of different ranges, which one scale cannot hold"
    constants = [
        flatbuffer.constant(model, main.tensors[index]) is not None for index in operator.inputs
    ]
    if kind in _ARITHMETIC and sum(constants) == 1:
        shape = flatbuffer.shape(main.tensors[operator.inputs[constants.index(True)]])
        if prod(shape[:-1]) > 1:
            return "places values on a grid, and would round at each step in 8 bits"
    return ""


def _width(graph: Any, index: int, ranges: Mapping[str, Range]) -> float:
    """Return the width of what a scale for a tensor holds: its range and 0."""
    low, high = ranges.get(_name(graph, index), (0, 0))
    return float(max(high, 0) - min(low, 0))


def _name(graph: Any, index: int) -> str:
    return flatbuffer.name(graph.tensors[index])
