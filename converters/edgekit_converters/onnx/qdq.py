"""The quantized ONNX file: the float twin with the TFLite file's scales and integer weights.

Quantization is written as pairs of QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses
with the operator between them. Activations and weights are unsigned: with signed weights the
kernels of x86 processors without VNNI add two products in 16 bits and saturate, silently. A TFLite
int8 value q becomes the uint8 value q + 128; every scale stays as it is, so that both files
compute the same numbers.
"""

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError, InterfaceType
from edgekit_converters.onnx.edit import GraphEditor
from edgekit_converters.onnx.graph import OnnxGraph, loop_bodies
from edgekit_converters.onnx.qdq_writer import QuantizationWriter
from edgekit_converters.onnx.recurrent import from_integers, recurrent
from edgekit_converters.onnx.weights import LAYOUT, Weight
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.quantized_operators import MAIN, Constant, Operation, Scale

_CARRIES = LAYOUT | {"MaxPool", "Slice", "Split", "DepthToSpace", "SpaceToDepth", "Tile", "Expand"}
"""Operators that only move or choose values: their output has their input's scale."""

_ACTIVATIONS = {"Relu", "Clip", "Tanh"}
"""What TFLite fuses into the operator before it, as tf2onnx writes them out."""

_LAST_STEP = {flatbuffer.SQUARED_DIFFERENCE: {"Mul"}, flatbuffer.RSQRT: {"Reciprocal"}}
"""TFLite operators that tf2onnx writes as two, and gives the tensor's name to the first."""

_WITH_WEIGHTS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def quantize_like(
    source: OnnxGraph,
    operations: Mapping[str, Sequence[Operation]],
    interface: InterfaceType = "float",
) -> Any:
    """The float ONNX model with every operation quantized as the TFLite file has it.

    Args:
        source: the float twin.
        operations: from ``read_operators``.
        interface: real inputs and outputs, or ``int8``: the graph then takes and gives uint8,
            the TFLite file's integers + 128, with their scales under ``METADATA_KEY``.

    Returns:
        An ``onnx.ModelProto``.

    Raises:
        ConversionError: the weights of a loop's operation are not where they should be.
    """
    import onnx

    model = copy.deepcopy(source.model)
    for number, body in enumerate(loop_bodies(model.graph), 1):
        inner = QuantizationWriter(GraphEditor(body), "float")
        _quantize(inner, operations[body.name], source.weights, in_loop=True)
        inner.graph.number(number)
        inner.describe(model)
    writer = QuantizationWriter(GraphEditor(model.graph), interface)
    _quantize_cells(writer, operations, source.weights)
    _quantize(writer, operations[MAIN], source.weights, in_loop=False)
    writer.describe(model)
    onnx.checker.check_model(model)
    return model


def _quantize_cells(
    writer: QuantizationWriter,
    operations: Mapping[str, Sequence[Operation]],
    weights: Mapping[str, Weight],
) -> None:
    """Gives recurrent operators the integer weights of the loops that they were.

    They compute in float: ONNX has none for integers.
    """
    constants = {
        name: constant
        for inside in operations.values()
        for operation in inside
        for name, constant in zip(operation.inputs, operation.constants, strict=True)
        if constant is not None
    }
    for node in recurrent(writer.graph.graph):
        for position, port in enumerate(node.input):
            weight = weights.get(port)
            if weight is not None and weight.tensor in constants:
                turned, _ = _turned(weight, constants[weight.tensor])
                node.input[position] = from_integers(writer.graph, turned.values, turned.scales)


def _quantize(
    writer: QuantizationWriter,
    operations: Sequence[Operation],
    weights: Mapping[str, Weight],
    *,
    in_loop: bool,
) -> None:
    """Quantizes one graph: the main one, or the body of a loop."""
    graph = writer.graph.graph
    places = _Places(writer.graph, operations)
    for operation in operations:
        node = places.node(operation)
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
        if (node := places.node(operation)) is not None
        for name, scale in zip(operation.inputs, operation.input_scales, strict=True)
        if scale is not None
        and (position := places.operand(node, name)) is not None
        and places.scales.get(node.input[position]) != scale
    ]
    for node in list(graph.node):
        for position, port in enumerate(node.input):
            if port in places.scales:
                node.input[position] = writer.pair(port, places.scales[port])
    for node, position, scale in changes:
        node.input[position] = writer.pair(node.input[position], scale)
    for output in graph.output:
        if output.name in places.scales:
            writer.end(output, places.scales[output.name])
    writer.graph.finish()


class _Places:
    """Where in the ONNX graph the TFLite file's operators and tensors are."""

    def __init__(self, graph: GraphEditor, operations: Sequence[Operation]) -> None:
        self.graph = graph
        self.values: dict[str, str] = {name: name for name in graph.inputs}
        for operation in operations:
            for name in operation.outputs:
                value = self._last_value(name, operation)
                if value is not None:
                    self.values[name] = value
        self.scales = self._scales(operations)
        self._spread()

    def node(self, operation: Operation) -> Any | None:
        """The ONNX node that computes a TFLite operator."""
        producer = self.graph.producer
        name = operation.outputs[0]
        node = producer.get(f"{name}_linear") or producer.get(name)
        while node is not None and node.op_type in LAYOUT | _ACTIVATIONS:
            above = producer.get(node.input[0])
            if above is None or above.op_type not in LAYOUT | _WITH_WEIGHTS:
                break
            node = above
        return node

    def operand(self, node: Any, tensor: str) -> int | None:
        """Which input of the node is the TFLite tensor, perhaps after a change of layout."""
        value = self.values.get(tensor)
        for position, port in enumerate(node.input):
            while port != value and port in self.graph.producer:
                above = self.graph.producer[port]
                if above.op_type not in LAYOUT:
                    break
                port = above.input[0]
            if value is not None and port == value:
                return position
        return None

    def _last_value(self, tensor: str, operation: Operation) -> str | None:
        """The ONNX value of a TFLite tensor: its name may be on an earlier step towards it."""
        if tensor in self.graph.outputs:
            return tensor
        if tensor not in self.graph.producer:
            return None
        wanted = _ACTIVATIONS if operation.activation else _LAST_STEP.get(operation.kind)
        value = tensor
        while wanted:
            following = {id(node): node for node in self.graph.consumers[value]}
            node = next(iter(following.values())) if len(following) == 1 else None
            if node is None or node.op_type not in LAYOUT | wanted:
                break
            value = node.output[0]
            if node.op_type in wanted:
                break
        return value

    def _scales(self, operations: Sequence[Operation]) -> dict[str, Scale]:
        scales: dict[str, Scale] = {}
        read: dict[str, set[Scale | None]] = defaultdict(set)
        for operation in operations:
            for name, scale in zip(operation.outputs, operation.output_scales, strict=True):
                if scale is not None and name in self.values:
                    scales[self.values[name]] = scale
            for name, scale in zip(operation.inputs, operation.input_scales, strict=True):
                read[name].add(scale)
        for name in self.graph.inputs:  # takes the scale that all its readers agree on
            if len(read[name]) == 1 and (scale := next(iter(read[name]))) is not None:
                scales[name] = scale
        return scales

    def _spread(self) -> None:
        """Hands scales on through nodes that only move values: forwards, then backwards."""
        nodes = self.graph.graph.node
        for node in nodes:
            if node.op_type in _CARRIES and node.input[0] in self.scales:
                for port in node.output:
                    self.scales.setdefault(port, self.scales[node.input[0]])
        for node in reversed(nodes):
            source = node.input[0] if node.input else ""
            if (
                node.op_type in LAYOUT
                and node.output[0] in self.scales
                and source in self.graph.producer
                and len(self.graph.consumers[source]) == 1
            ):
                self.scales.setdefault(source, self.scales[node.output[0]])


def _place_constant(
    writer: QuantizationWriter,
    node: Any,
    tensor: str,
    constant: Constant,
    weights: Mapping[str, Weight],
) -> bool:
    """Replaces the node's real constant by the integers of the TFLite file, turned alike."""
    for position, port in enumerate(node.input):
        weight = weights.get(port)
        if weight is not None and tensor in (weight.tensor, *weight.equals):
            turned, axis = _turned(weight, constant)
            node.input[position] = writer.constant(port, turned.values, turned, axis)
            return True
    return False


def _turned(weight: Weight, constant: Constant) -> tuple[Constant, int | None]:
    """A TFLite constant after the layout changes of the float one, and the axis of its scales."""
    values, scales, axis = weight.turn(constant.values), constant.scales, None
    if len(scales) > 1:
        axis, order = _channels(weight, constant)
        scales = scales[order]
    return replace(constant, values=values, scales=scales), axis


def _channels(weight: Weight, constant: Constant) -> tuple[int, Array]:
    """The axis of the channels after the layout changes, and which channel is now where."""
    shape = constant.values.shape
    ruler = np.arange(shape[constant.axis], dtype=np.int32)
    ruler = ruler.reshape([-1 if i == constant.axis else 1 for i in range(len(shape))])
    turned = weight.turn(np.broadcast_to(ruler, shape))
    for axis, size in enumerate(turned.shape):
        if size > 1 and np.any(np.take(turned, 0, axis) != np.take(turned, 1, axis)):
            return axis, np.moveaxis(turned, axis, 0).reshape(size, -1)[:, 0]
    raise AssertionError(f"{weight.tensor} lost its channels in {turned.shape}")
