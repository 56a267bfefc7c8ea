"""Lifting out of a TFLite file, before tf2onnx reads it, what it does badly; and putting it back.

tf2onnx copies constants again and again: a model of 553 MB took over 20 GB. So it gets a file
in whose graph the weights stand as inputs, and never sees them. That also tells, for every
initializer of the result, which TFLite tensor it was and how it was turned: the quantized twin
needs to know. Loops that ONNX has an operator for are replaced by an operator that tf2onnx does not
know, and so leaves as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.onnx.edit import captured, drop_unused_constants
from edgekit_converters.onnx.recurrent_match import Cells
from edgekit_converters.tflite import flatbuffer

LAYOUT = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"})
"""ONNX operators that change a tensor's layout and none of its values."""

STAND_IN = "CELL_"
"""What stands for a loop, with its body's number behind it; tf2onnx puts ``TFL_`` before."""


@dataclass(frozen=True, slots=True)
class Weight:
    """An initializer that was a TFLite constant, and the layout changes it went through.

    ``turns`` are transpositions, new shapes, and new orders of as many blocks along the first axis.
    ``equals`` are other constants of the same shape and values, which it may stand for as well.
    """

    tensor: str
    turns: tuple[tuple[str, tuple[int, ...]], ...]
    equals: tuple[str, ...] = ()

    def turn(self, array: Array) -> Array:
        """Applies the same layout changes to an array of the TFLite constant's shape."""
        for kind, argument in self.turns:
            if kind == "transpose":
                array = array.transpose(argument)
            elif kind == "reshape":
                array = array.reshape(argument)
            else:
                blocks = np.split(array, len(argument))
                array = np.concatenate([blocks[number] for number in argument])
        return array


def lift_weights(
    graph: Path, bare: Path, cells: Cells
) -> tuple[dict[str, Array], list[str], dict[str, tuple[int, ...]]]:
    """Writes the graph with its float constants turned into inputs, and ``cells`` by stand-ins.

    Returns the constants by name, the names of the outputs, and every tensor's shape.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    if cells.by_body:
        _lift_cells(model, cells)
    lifted: dict[str, Array] = {}
    inputs = list(main.inputs)
    for index, tensor in enumerate(main.tensors):
        value = flatbuffer.constant(model, tensor)
        if value is None or tensor.type != flatbuffer.FLOAT32 or value.size < 2:
            continue
        lifted[flatbuffer.name(tensor)] = value
        tensor.buffer = 0  # the empty one, by the format's rule
        inputs.append(index)
    main.inputs = inputs
    model.signatureDefs = []
    _flatten_dense_inputs(model)
    flatbuffer.write(model, bare)
    shapes = {flatbuffer.name(t): flatbuffer.shape(t) for t in main.tensors}
    return lifted, [flatbuffer.name(main.tensors[i]) for i in main.outputs], shapes


def _lift_cells(model: Any, cells: Cells) -> None:
    """Replaces loops by stand-ins that read the sequence and the state, and write answers and state.

    The graphs of these loops go; and every tensor gets its shape, which tf2onnx would ask LiteRT for,
    which does not run the stand-ins.
    """
    main = model.subgraphs[0]
    for tensor, shape in zip(main.tensors, cells.shapes, strict=True):
        tensor.shape, tensor.shapeSignature = np.array(shape, np.int32), None
    kept = [0]
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) != flatbuffer.WHILE:
            continue
        options = operator.builtinOptions
        cell = cells.by_body.get(options.bodySubgraphIndex)
        if cell is None:
            for end in ("condSubgraphIndex", "bodySubgraphIndex"):
                kept.append(getattr(options, end))
                setattr(options, end, len(kept) - 1)
            continue
        code = flatbuffer.add_operator_code(model, flatbuffer.CUSTOM)
        code.customCode = f"{STAND_IN}{options.bodySubgraphIndex}".encode()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.builtinOptions, operator.builtinOptionsType = None, 0
        operator.inputs = [operator.inputs[i] for i in (cell.sequence, *cell.states)]
        listed = -1 if cell.listed is None else operator.outputs[cell.listed]
        operator.outputs = [*(operator.outputs[i] for i in cell.states), listed]
    model.subgraphs = [model.subgraphs[number] for number in kept]


def _flatten_dense_inputs(model: Any) -> None:
    """Puts the reshape that FULLY_CONNECTED does by itself before it, as an operator.

    tf2onnx adds that reshape too, and loses the bias as it does so.
    """
    from ai_edge_litert import schema_py_generated as schema

    main = model.subgraphs[0]
    operators = []
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) == flatbuffer.FULLY_CONNECTED:
            source = main.tensors[operator.inputs[0]]
            depth = flatbuffer.shape(main.tensors[operator.inputs[1]])[1]
            options = operator.builtinOptions
            if len(flatbuffer.shape(source)) != 2 and not options.keepNumDims:
                flat = np.array([np.prod(flatbuffer.shape(source)) // depth, depth], np.int32)
                made = schema.TensorT()
                made.name = flatbuffer.name(source).encode() + b"_flat_%d" % len(main.tensors)
                made.shape, made.type, made.buffer = flat, source.type, 0
                reshape = schema.OperatorT()
                reshape.opcodeIndex = _opcode_index(model, flatbuffer.RESHAPE)
                reshape.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
                reshape.builtinOptions = schema.ReshapeOptionsT()
                reshape.builtinOptions.newShape = flat
                size = schema.TensorT()
                size.name = made.name + b"_shape"
                size.shape, size.type, size.buffer = [2], 2, len(model.buffers)
                buffer = schema.BufferT()
                buffer.data = flat.view(np.uint8)
                model.buffers.append(buffer)
                main.tensors += [made, size]
                reshape.inputs = [operator.inputs[0], len(main.tensors) - 1]
                reshape.outputs = [len(main.tensors) - 2]
                operator.inputs = [len(main.tensors) - 2, *operator.inputs[1:]]
                operators.append(reshape)
        operators.append(operator)
    main.operators = operators


def _opcode_index(model: Any, builtin: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
            return index
    flatbuffer.add_operator_code(model, builtin)
    return len(model.operatorCodes) - 1


def find_weights(body: Any, tensors: Mapping[str, Array]) -> dict[str, Weight]:
    """Tells which initializers of a loop's body are which TFLite constants, turned how.

    A loop's weights cannot be lifted out of it, so they are known by their values.
    """
    from onnx import numpy_helper

    found = {}
    for initializer in body.initializer:
        value = numpy_helper.to_array(initializer)
        if value.dtype != np.float32 or value.size < 2:
            continue
        for name, constant in tensors.items():
            turn = _turn_between(constant, value)
            if turn is not None:
                equals = [n for n, other in tensors.items() if np.array_equal(other, constant)]
                found[initializer.name] = Weight(name, (("transpose", turn),), tuple(equals))
                break
    return found


def _turn_between(before: Array, after: Array) -> tuple[int, ...] | None:
    """The transposition that makes ``after`` of ``before``, or None."""
    if sorted(before.shape) != sorted(after.shape):
        return None
    turns = permutations(range(before.ndim))
    return next((t for t in turns if np.array_equal(before.transpose(t), after)), None)


def put_back(
    graph: Any, inside: Mapping[str, Array], outside: Mapping[str, Array]
) -> tuple[dict[str, Weight], dict[str, Array]]:
    """Turns the stand-in inputs into initializers, with the layout changes done in advance.

    Args:
        graph: the ONNX graph.
        inside: weights by name.
        outside: weights whose initializers get a type and a shape, but no values.

    Returns:
        The weights that the initializers are, and the values of those without, by their names.
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
    first: dict[Weight, str] = {}  # one initializer for all who turned a weight the same way
    for name, weight in origin.items():
        if name in used:
            weights[first.setdefault(weight, name)] = weight
    for node in graph.node:
        for i, port in enumerate(node.input):
            if port in origin:
                node.input[i] = first[origin[port]]
    drop_unused_constants(graph)
    held: dict[str, Array] = {}
    for name, weight in weights.items():
        value = weight.turn(lifted[weight.tensor])
        if weight.tensor in outside:
            held[name] = value
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            graph.initializer.append(TensorProto(name=name, dims=value.shape, data_type=kind))
        else:
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return weights, held


def _phantom(shape: tuple[int, ...]) -> Array:
    """An array of a shape that takes no memory."""
    return np.broadcast_to(np.zeros((), np.int8), shape)


def _turned(node: Any, before: Array, known: Mapping[str, Array]) -> tuple[int, ...]:
    """The shape that a layout node gives."""
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
