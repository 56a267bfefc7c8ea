"""The weights of an ONNX graph: which TFLite tensor each was, and how its layout changed.

The quantized ONNX file needs both, to take over the integers of the quantized TFLite file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.onnx.edit import captured, drop_unused_constants

LAYOUT = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"})
"""ONNX operators that change a tensor's layout and none of its values."""


@dataclass(frozen=True, slots=True)
class Weight:
    """An initializer that was a TFLite constant, and the layout changes it went through.

    ``turns`` are transpositions, new shapes, and new orders of equal blocks along the first axis.
    ``equals`` are other constants of the same shape and values, which it may have been instead.
    """

    tensor: str
    turns: tuple[tuple[str, tuple[int, ...]], ...]
    equals: tuple[str, ...] = ()

    def turn(self, array: Array) -> Array:
        """Apply the layout changes to an array of the TFLite constant's shape."""
        for kind, argument in self.turns:
            if kind == "transpose":
                array = array.transpose(argument)
            elif kind == "reshape":
                array = array.reshape(argument)
            else:
                blocks = np.split(array, len(argument))
                array = np.concatenate([blocks[number] for number in argument])
        return array


def find_weights(body: Any, tensors: Mapping[str, Array]) -> dict[str, Weight]:
    """Match the initializers of a loop's body with TFLite constants, by their values.

    A loop's weights cannot be lifted out of it, so their names are lost.
    """
    from onnx import numpy_helper

    weights = {}
    for initializer in body.initializer:
        value = numpy_helper.to_array(initializer)
        if value.dtype != np.float32 or value.size < 2:
            continue
        for name, constant in tensors.items():
            turn = _turn_between(constant, value)
            if turn is not None:
                equals = [n for n, other in tensors.items() if np.array_equal(other, constant)]
                weights[initializer.name] = Weight(name, (("transpose", turn),), tuple(equals))
                break
    return weights


def _turn_between(before: Array, after: Array) -> tuple[int, ...] | None:
    """Return the transposition from ``before`` to ``after``, or None."""
    if sorted(before.shape) != sorted(after.shape):
        return None
    turns = permutations(range(before.ndim))
    return next((t for t in turns if np.array_equal(before.transpose(t), after)), None)


def put_back(
    graph: Any, inside: Mapping[str, Array], outside: Mapping[str, Array]
) -> tuple[dict[str, Weight], dict[str, Array]]:
    """Turn the inputs that ``lift_weights`` made into initializers, with their layout changes applied.

    Args:
        graph: the ONNX graph.
        inside: weights by name.
        outside: weights whose initializers get a type and a shape, but no values.

    Returns:
        The weights that the initializers are, and the values of those without, by initializer name.
    """
    from onnx import TensorProto, helper, numpy_helper

    lifted = {**inside, **outside}
    known = {
        i.name: numpy_helper.to_array(i)
        for i in graph.initializer
        if len(i.dims) <= 1 and i.data_type == 7
    }  # int64 shapes and axes
    origin = {name: Weight(name, ()) for name in lifted}
    nodes = []
    for node in graph.node:
        root = origin.get(node.input[0]) if node.input else None
        if root is None or node.op_type not in LAYOUT:
            nodes.append(node)
            continue
        before = root.turn(_phantom(lifted[root.tensor].shape))
        after = _turned(node, before, known)
        if node.op_type == "Transpose":
            turn = ("transpose", tuple(next(a.ints for a in node.attribute if a.name == "perm")))
        else:
            turn = ("reshape", tuple(int(n) for n in after))
        origin[node.output[0]] = Weight(root.tensor, (*root.turns, turn))
    del graph.node[:]
    graph.node.extend(nodes)
    kept = [i for i in graph.input if i.name not in lifted]
    del graph.input[:]
    graph.input.extend(kept)
    used = {port for node in graph.node for port in (*node.input, *captured(node))}
    used |= {o.name for o in graph.output}
    weights: dict[str, Weight] = {}
    first: dict[Weight, str] = {}  # one initializer for all that turn a weight the same way
    for name, weight in origin.items():
        if name in used:
            weights[first.setdefault(weight, name)] = weight
    for node in graph.node:
        for i, port in enumerate(node.input):
            if port in origin:
                node.input[i] = first[origin[port]]
    drop_unused_constants(graph)
    values: dict[str, Array] = {}
    for name, weight in weights.items():
        value = weight.turn(lifted[weight.tensor])
        if weight.tensor in outside:
            values[name] = value
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            graph.initializer.append(TensorProto(name=name, dims=value.shape, data_type=kind))
        else:
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return weights, values


def _phantom(shape: tuple[int, ...]) -> Array:
    """Return an array of this shape that takes no memory."""
    return np.broadcast_to(np.zeros((), np.int8), shape)


def _turned(node: Any, before: Array, known: Mapping[str, Array]) -> tuple[int, ...]:
    """Return the output shape of a layout node."""
    attributes = {a.name: list(a.ints) for a in node.attribute}
    if node.op_type == "Transpose":
        return tuple(before.transpose(attributes["perm"]).shape)
    if node.op_type == "Identity":
        return before.shape
    argument = known[node.input[1]] if len(node.input) > 1 else np.array(attributes.get("axes", []))
    if node.op_type == "Reshape":
        wanted = [before.shape[i] if n == 0 else int(n) for i, n in enumerate(argument)]
        return tuple(before.reshape(wanted).shape)
    if node.op_type == "Squeeze":
        return tuple(before.squeeze(tuple(int(n) for n in argument) or None).shape)
    return tuple(np.expand_dims(before, tuple(int(n) for n in argument)).shape)
