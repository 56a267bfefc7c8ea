"""Matching the TFLite file's operators and tensors with the nodes and values of the ONNX graph."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from edgekit_converters.onnx.edit import GraphEditor
from edgekit_converters.onnx.rewrites import linear_name
from edgekit_converters.onnx.weights import LAYOUT
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.quantized_operators import Operation, Scale

_CARRIES = LAYOUT | {"MaxPool", "Slice", "Split", "DepthToSpace", "SpaceToDepth", "Tile", "Expand"}
"""Operators that only move or choose values: their output has their input's scale."""

_ACTIVATIONS = {"Relu", "Clip", "Tanh"}
"""Activations that TFLite fuses into the operator before them, and that are nodes in ONNX."""

_LAST_STEP = {flatbuffer.SQUARED_DIFFERENCE: {"Mul"}, flatbuffer.RSQRT: {"Reciprocal"}}
"""TFLite operators that tf2onnx writes as two, and gives the tensor's name to the first."""

_WITH_WEIGHTS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


class Matching:
    """The ONNX nodes of TFLite operators, and the ONNX values and scales of TFLite tensors."""

    def __init__(self, graph: GraphEditor, operations: Sequence[Operation]) -> None:
        self.graph = graph
        self.tensors = {name for operation in operations for name in operation.outputs}
        self.values: dict[str, str] = {name: name for name in graph.inputs}
        for operation in operations:
            for name in operation.outputs:
                value = self._last_value(name, operation)
                if value is not None:
                    self.values[name] = value
        self._floats = {
            self.values[name]
            for operation in operations
            for name, scale in zip(operation.outputs, operation.output_scales, strict=True)
            if scale is None and name in self.values
        }
        """Values that TFLite does not quantize, some of which a recipe keeps in float."""
        self.scales = self._scales(operations)
        self._spread()

    def node(self, operation: Operation) -> Any | None:
        """Return the ONNX node that computes a TFLite operator."""
        producer = self.graph.producer
        name = operation.outputs[0]
        node = producer.get(linear_name(name, self.tensors)) or producer.get(name)
        while node is not None and node.op_type in LAYOUT | _ACTIVATIONS:
            above = producer.get(node.input[0])
            if above is None or above.op_type not in LAYOUT | _WITH_WEIGHTS:
                break
            node = above
        return node

    def operand(self, node: Any, tensor: str) -> int | None:
        """Return which input of the node is the TFLite tensor, perhaps after a change of layout."""
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

    def is_between_moves(self, node: Any) -> bool:
        """Return whether a node moves what another one moved before it, all at one scale.

        Quantizing it once more between the two changes no value. Runtimes that move integers find the
        pairs before and behind them.
        """
        if node.op_type not in LAYOUT or node.input[0] not in self.scales:
            return False
        above = self.graph.producer.get(node.input[0])
        if above is None or above.op_type not in LAYOUT | {"Pad"}:
            return False
        scale = self.scales[node.input[0]]
        return all(self.scales.get(end) == scale for end in (above.input[0], *node.output))

    def _last_value(self, tensor: str, operation: Operation) -> str | None:
        """Return the ONNX value of a TFLite tensor: an earlier step towards it may have its name."""
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
        """Propagate scales through nodes that only move values: forwards, then backwards."""
        nodes = self.graph.graph.node
        for node in nodes:
            if node.op_type in _CARRIES and node.input[0] in self.scales:
                for port in node.output:
                    if port not in self._floats:
                        self.scales.setdefault(port, self.scales[node.input[0]])
        for node in reversed(nodes):
            source = node.input[0] if node.input else ""
            if (
                node.op_type in LAYOUT
                and node.output[0] in self.scales
                and source in self.graph.producer
                and source not in self._floats
                and len(self.graph.consumers[source]) == 1
            ):
                self.scales.setdefault(source, self.scales[node.output[0]])
