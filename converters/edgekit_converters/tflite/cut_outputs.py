"""A last convolution whose channels are cut apart behind it, rewritten as one convolution for each part.

The head of a YOLO-like detector gives the offsets of a box, whether it is one, and its class, in one tensor,
of which each goes its own way. In integers they would share a scale: the logits, which are wide, would take
the offsets' precision. Each part computes the same numbers as before.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import CONV_2D, FULLY_CONNECTED, RESHAPE
from edgekit_converters.tflite.tails import (
    SLICE,
    SPLIT,
    SPLIT_V,
    STRIDED_SLICE,
    behind_weights,
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A tensor that is cut out of another one along its last axis, from one place up to another."""

    tensor: int
    start: int
    stop: int


def cut_apart(model: Any) -> bool:
    """Rewrite the convolutions and products of the main graph whose outputs are cut; return whether any was."""
    main = model.subgraphs[0]
    last = behind_weights(model)
    after = {id(operator) for operator in last}
    read_there = {index for operator in last for index in operator.inputs}
    gone: set[int] = set()
    placed: dict[int, list[Any]] = {}
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) not in (CONV_2D, FULLY_CONNECTED):
            continue
        if operator.outputs[0] not in read_there:
            continue
        chain = [operator]
        readers = _readers(main, operator)
        while len(readers) == 1 and flatbuffer.opcode(model, readers[0]) == RESHAPE:
            chain.append(readers[0])
            readers = _readers(main, readers[0])
        parts = _parts(model, chain[-1].outputs[0], readers)
        if parts is None or len(parts) < 2 or not {id(reader) for reader in readers} <= after:
            continue
        weights = main.tensors[operator.inputs[1]]
        width = flatbuffer.shape(main.tensors[chain[-1].outputs[0]])[-1]
        if flatbuffer.constant(model, weights) is None or flatbuffer.shape(weights)[0] % width:
            continue
        if any(o.outputs[0] in main.outputs for o in chain):
            continue
        gone |= {id(other) for other in (*chain, *readers)}
        placed[id(operator)] = [
            made for part in parts for made in _operators_of(model, operator, part, width)
        ]
    main.operators = [
        made
        for operator in main.operators
        for made in placed.get(id(operator), [] if id(operator) in gone else [operator])
    ]
    return bool(placed)


def _readers(graph: Any, operator: Any) -> list[Any]:
    return [other for other in graph.operators if operator.outputs[0] in other.inputs]


def _parts(model: Any, tensor: int, readers: Sequence[Any]) -> list[_Part] | None:
    """Return what is cut out of a tensor along its last axis; None where it is read otherwise."""
    shape = flatbuffer.shape(model.subgraphs[0].tensors[tensor])
    parts: list[_Part] = []
    for reader in readers:
        cut = _cut(model, reader, shape)
        if cut is None:
            return None
        parts += cut
    return parts


def _cut(model: Any, reader: Any, shape: tuple[int, ...]) -> list[_Part] | None:
    """Return the parts that one operator cuts out of a tensor of this shape."""
    tensors, kind = model.subgraphs[0].tensors, flatbuffer.opcode(model, reader)
    if kind not in (STRIDED_SLICE, SLICE, SPLIT, SPLIT_V):
        return None
    outside = [flatbuffer.constant(model, tensors[i]) for i in reader.inputs]
    widths = [flatbuffer.shape(tensors[index])[-1:] for index in reader.outputs]
    starts = [0]
    if kind in (SPLIT, SPLIT_V):
        axis = outside[0 if kind == SPLIT else 2]
        if axis is None or int(axis.reshape(-1)[0]) % len(shape) != len(shape) - 1:
            return None
        starts = [sum(width[0] for width in widths[:number]) for number in range(len(widths))]
    else:
        begin, options = outside[1], reader.builtinOptions
        turned = kind == STRIDED_SLICE and (
            options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask
        )
        whole = (*shape[:-1], *widths[0])
        if begin is None or turned or flatbuffer.shape(tensors[reader.outputs[0]]) != whole:
            return None
        if kind == STRIDED_SLICE:
            steps = outside[3]
            if steps is None or np.any(steps != 1):
                return None
            first = options.beginMask >> (len(shape) - 1) & 1
        starts = [0 if kind == STRIDED_SLICE and first else int(begin[-1]) % shape[-1]]
    return [
        _Part(int(index), start, start + width[0])
        for index, start, width in zip(reader.outputs, starts, widths, strict=True)
    ]


def _operators_of(model: Any, operator: Any, part: _Part, width: int) -> list[Any]:
    """Return the operator with the channels of one part alone, and a new shape where that differs."""
    main = model.subgraphs[0]
    named, wanted = main.tensors[part.tensor], flatbuffer.shape(main.tensors[part.tensor])
    before = flatbuffer.shape(main.tensors[operator.outputs[0]])
    channels = np.arange(before[-1]).reshape(-1, width)[:, part.start : part.stop].reshape(-1)
    inputs = list(operator.inputs)
    for place in range(1, len(inputs)):
        if inputs[place] >= 0:
            tensor = main.tensors[inputs[place]]
            values = flatbuffer.constant(model, tensor)
            assert values is not None
            inputs[place] = flatbuffer.add_tensor(
                model,
                f"{flatbuffer.name(tensor)}/from_{part.start}",
                values[channels].shape,
                np.ascontiguousarray(values[channels]),
            )
    made = copy.copy(operator)
    made.inputs, made.outputs = inputs, [part.tensor]
    shape = (*before[:-1], len(channels))
    if shape == wanted:
        return [made]
    first = main.tensors[operator.outputs[0]]
    name = f"{flatbuffer.name(first)}/from_{part.start}"
    made.outputs = [flatbuffer.add_tensor(model, name, shape)]
    reshape = flatbuffer.add_reshape(
        model, made.outputs[0], f"{flatbuffer.name(named)}/shaped", wanted
    )
    reshape.outputs = [part.tensor]
    return [made, reshape]
