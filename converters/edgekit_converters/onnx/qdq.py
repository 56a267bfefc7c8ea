"""The quantized ONNX file: the float graph with the TFLite file's scales and integer weights.

Quantization is written as pairs of QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses
with the operator between them. Activations and weights are unsigned: with signed weights the
kernels of x86 CPUs without VNNI add two products in 16 bits and saturate, silently. A TFLite
int8 value q becomes the uint8 value q + 128; every scale stays as it is, so that both files
compute the same numbers.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError, InterfaceType
from edgekit_converters.onnx.edit import GraphEditor
from edgekit_converters.onnx.graph import OnnxGraph, loop_bodies
from edgekit_converters.onnx.matching import Matching
from edgekit_converters.onnx.qdq_writer import QuantizationWriter
from edgekit_converters.onnx.recurrent import integer_weight, recurrent_nodes
from edgekit_converters.onnx.small import computed, make_small
from edgekit_converters.onnx.weights import Weight
from edgekit_converters.tflite.quantized_operators import MAIN, Constant, Operation

_QUANTIZED_BY_RUNTIME = {"Conv", "ConvTranspose", "Gemm"}
"""Those with weights that ONNX Runtime quantizes by itself, where all around them is quantized."""

_WITH_SIGNED_WEIGHTS = {"ConvTranspose"}
"""Those whose weights stay int8. OpenVINO (2026.3) leaves out the zero point of unsigned ones, and answers
wrongly without an error. In ONNX Runtime nothing can saturate: it has no integer kernel of ConvTranspose."""


def quantize_like(
    source: OnnxGraph,
    operations: Mapping[str, Sequence[Operation]],
    interface: InterfaceType = "float",
) -> Any:
    """Quantize every operation of a float ONNX model as in the TFLite file.

    Args:
        source: the float ONNX model.
        operations: from ``read_operators``.
        interface: the dtype of inputs and outputs. ``int8`` makes them uint8: the TFLite file's
            integers + 128, with their scales in the metadata under ``METADATA_KEY``.

    Returns:
        An ``onnx.ModelProto``.

    Raises:
        ConversionError: tf2onnx changed the weights of a loop.
    """
    import onnx

    @cache
    def shapes() -> dict[str, tuple[int, ...]]:
        inferred = onnx.shape_inference.infer_shapes(source.model).graph
        return {
            value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
            for value in (*inferred.input, *inferred.value_info)
        }

    def shape_of(value: str) -> tuple[int, ...]:
        return shapes().get(value, ())

    model = copy.deepcopy(source.model)
    for number, body in enumerate(loop_bodies(model.graph), 1):
        inner = QuantizationWriter(GraphEditor(body), "float")
        _quantize(inner, operations[body.name], source.weights, lambda value: (), in_loop=True)
        inner.graph.number(number)
        inner.describe(model)
    writer = QuantizationWriter(GraphEditor(model.graph), interface)
    _quantize_cells(writer, operations, source.weights)
    _quantize(writer, operations[MAIN], source.weights, shape_of, in_loop=False)
    writer.describe(model)
    make_small(model, computed(source.model))
    onnx.checker.check_model(model)
    return model


def _quantize_cells(
    writer: QuantizationWriter,
    operations: Mapping[str, Sequence[Operation]],
    weights: Mapping[str, Weight],
) -> None:
    """Store the weights of recurrent operators in the integers of the TFLite file's loops.

    They compute in float: ONNX has no integer ones.
    """
    constants = {
        name: constant
        for inside in operations.values()
        for operation in inside
        for name, constant in zip(operation.inputs, operation.constants, strict=True)
        if constant is not None
    }
    for node in recurrent_nodes(writer.graph.graph):
        for position, port in enumerate(node.input):
            weight = weights.get(port)
            if weight is not None and weight.tensor in constants:
                turned, _ = _turned(weight, constants[weight.tensor])
                node.input[position] = integer_weight(writer.graph, turned.values, turned.scales)


def _quantize(
    writer: QuantizationWriter,
    operations: Sequence[Operation],
    weights: Mapping[str, Weight],
    shape_of: Callable[[str], tuple[int, ...]],
    *,
    in_loop: bool,
) -> None:
    """Quantize one graph: the main one, or the body of a loop.

    ``shape_of`` gives a value's shape, or none where it isn't known.
    """
    graph = writer.graph.graph
    matching = Matching(writer.graph, operations)
    for operation in operations:
        node = matching.node(operation)
        if node is None:
            continue
        for name, constant in zip(operation.inputs, operation.constants, strict=True):
            if constant is not None:
                placed = _place_constant(writer, node, name, constant, weights)
                if not placed and in_loop:
                    raise ConversionError(f"{name}: tf2onnx changed this weight of a loop.")
    changes = [  # where TFLite changes a scale between two operators, with a QUANTIZE
        (node, position, scale)
        for operation in operations
        if (node := matching.node(operation)) is not None
        for name, scale in zip(operation.inputs, operation.input_scales, strict=True)
        if scale is not None
        and (position := matching.operand(node, name)) is not None
        and matching.scales.get(node.input[position]) != scale
    ]
    values = {initializer.name: tuple(initializer.dims) for initializer in graph.initializer}
    moved = {id(node) for node in graph.node if matching.is_between_moves(node)}
    for node in list(graph.node):
        in_float = node.op_type in _QUANTIZED_BY_RUNTIME and node.input[1] in values
        for position, port in enumerate(node.input):
            if port not in matching.scales or id(node) in moved:
                continue
            along = None if position or not in_float else _along(node, values, shape_of)
            if along:
                node.input[0] = writer.pair_along(port, matching.scales[port], *along)
            else:
                node.input[position] = writer.pair(port, matching.scales[port])
    for node, position, scale in changes:
        node.input[position] = writer.pair(node.input[position], scale)
    for output in graph.output:
        if output.name in matching.scales:
            writer.end(output, matching.scales[output.name])
    writer.graph.finish()


def _along(
    node: Any, values: Mapping[str, tuple[int, ...]], shape_of: Callable[[str], tuple[int, ...]]
) -> tuple[int, int] | None:
    """Return an axis of the first operand of a node with weights that is longer than 1, and its length.

    It is the one of its channels, where there are several; else the shortest.
    """
    weight = values[node.input[1]]
    numbers = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "Conv":
        channels = weight[1] * numbers.get("group", 1)
    else:
        channels = weight[1 if numbers.get("transB") else 0]
    if channels > 1:
        return 1, channels
    sizes = [(size, axis) for axis, size in enumerate(shape_of(node.input[0])) if size > 1]
    return min(sizes)[::-1] if sizes else None


def _place_constant(
    writer: QuantizationWriter,
    node: Any,
    tensor: str,
    constant: Constant,
    weights: Mapping[str, Weight],
) -> bool:
    """Replace the node's float constant by the TFLite file's integers; return whether it has it."""
    for position, port in enumerate(node.input):
        weight = weights.get(port)
        if weight is not None and tensor in (weight.tensor, *weight.equals):
            turned, axis = _turned(weight, constant)
            signed = node.op_type in _WITH_SIGNED_WEIGHTS
            node.input[position] = writer.constant(port, turned.values, turned, axis, signed=signed)
            return True
    return False


def _turned(weight: Weight, constant: Constant) -> tuple[Constant, int | None]:
    """Return a constant after the layout changes of its weight, and the axis of its scales."""
    values, scales, axis = weight.turn(constant.values), constant.scales, None
    if len(scales) > 1:
        axis, order = _channels(weight, constant)
        scales = scales[order]
    return replace(constant, values=values, scales=scales), axis


def _channels(weight: Weight, constant: Constant) -> tuple[int, Array]:
    """Return the axis of the channels after the layout changes, and their order along it."""
    shape = constant.values.shape
    ruler = np.arange(shape[constant.axis], dtype=np.int32)
    ruler = ruler.reshape([-1 if i == constant.axis else 1 for i in range(len(shape))])
    turned = weight.turn(np.broadcast_to(ruler, shape))
    for axis, size in enumerate(turned.shape):
        if size > 1 and np.any(np.take(turned, 0, axis) != np.take(turned, 1, axis)):
            return axis, np.moveaxis(turned, axis, 0).reshape(size, -1)[:, 0]
    raise AssertionError(f"{weight.tensor} lost its channels in {turned.shape}")
