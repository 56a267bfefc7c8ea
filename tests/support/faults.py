"""Targets that compute one layer wrongly: each alters that layer's file, and a real runtime runs it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from edgekit.data.samples import Array
from edgekit.inference.parts import Answer, Runner, run_here
from edgekit_converters.onnx.edit import GraphEditor
from edgekit_converters.pieces import Part
from edgekit_converters.tflite import flatbuffer


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a target."""

    what: str
    file: str
    layer: str
    """The name of what the layer makes."""
    alter: Callable[..., None]
    """Of a TFLite model and an operator, or of a ``GraphEditor`` and a node."""
    words: str
    """Of the verdict."""
    least: int = 1
    """How many operators a part must have for the fault to be in it: of 2 it is one of fusion."""


def faulty(fault: Fault, device: str = "cpu") -> Runner:
    """A target with a fault: a real runtime, and a file that is altered in one operator."""
    right = run_here(device, apart=False)

    def run(
        suffix: str, parts: Sequence[Part], tensors: Mapping[str, Array], *, chained: bool
    ) -> list[Answer]:
        altered = [replace(part, content=alter(part.content)) for part in parts]
        return right(suffix, altered, tensors, chained=chained)

    def alter(content: bytes) -> bytes:
        return _tflite(content, fault) if fault.file.endswith(".tflite") else _onnx(content, fault)

    return run


def _tflite(content: bytes, fault: Fault) -> bytes:
    model = flatbuffer.read_packed(content)
    graph = model.subgraphs[0]
    for operator in list(graph.operators):
        if flatbuffer.name(graph.tensors[operator.outputs[0]]) != fault.layer:
            continue
        if len(graph.operators) >= fault.least:
            fault.alter(model, operator)
    return bytes(flatbuffer.packed(model))


def _onnx(content: bytes, fault: Fault) -> bytes:
    model = onnx.load_from_string(content)
    computed = [
        n for n in model.graph.node if n.op_type not in ("QuantizeLinear", "DequantizeLinear")
    ]
    for node in list(model.graph.node):
        if fault.layer in (node.name, *node.output) and len(computed) >= fault.least:
            graph = GraphEditor(model.graph)
            fault.alter(graph, node)
            graph.finish()
    return bytes(model.SerializeToString())


# TFLite


def option(name: str, value: int) -> Callable[[Any, Any], None]:
    """Another option of the operator."""

    def alter(model: Any, operator: Any) -> None:
        del model
        setattr(operator.builtinOptions, name, value)

    return alter


def out_quantization(*, shift: int = 0, factor: float = 1.0) -> Callable[[Any, Any], None]:
    """Another zero point or scale of what is made, of which nobody but the kernel knows."""

    def alter(model: Any, operator: Any) -> None:
        stored = model.subgraphs[0].tensors[operator.outputs[0]].quantization
        stored.zeroPoint = [int(stored.zeroPoint[0]) + shift]
        stored.scale = [float(stored.scale[0]) * factor]

    return alter


def one_scale(model: Any, operator: Any) -> None:
    """One scale of the weights for all channels."""
    stored = model.subgraphs[0].tensors[operator.inputs[1]].quantization
    stored.scale = [float(np.mean(stored.scale))] * len(stored.scale)


def weights(
    change: Callable[[Array], Array], places: Sequence[int] = (1,)
) -> Callable[[Any, Any], None]:
    """Other weights; of places 1 and 2 other biases too."""

    def alter(model: Any, operator: Any) -> None:
        for place in places:
            tensor = model.subgraphs[0].tensors[operator.inputs[place]]
            old = flatbuffer.constant(model, tensor)
            assert old is not None
            new = np.ascontiguousarray(change(old))
            assert new.shape == old.shape
            model.buffers[tensor.buffer].data = np.frombuffer(new.tobytes(), np.uint8)

    return alter


_PAD, _PADV2, _VALID = 34, 60, 1


def padded(before: int, after: int, value: int | None = None) -> Callable[[Any, Any], None]:
    """Padding that is done first: so much before and behind height and width, and by which number."""

    def alter(model: Any, operator: Any) -> None:
        graph = model.subgraphs[0]
        source = graph.tensors[operator.inputs[0]]
        shape = [int(n) for n in source.shape]
        widths = np.array([[0, 0], [before, after], [before, after], [0, 0]], np.int32)
        made = flatbuffer.add_tensor(
            model, "padded", [n + int(w.sum()) for n, w in zip(shape, widths, strict=True)]
        )
        graph.tensors[made].type = source.type
        graph.tensors[made].quantization = source.quantization
        by = flatbuffer.add_tensor(model, "widths", widths.shape, widths)
        graph.tensors[by].type = 2
        reads = [operator.inputs[0], by]
        if value is not None:
            number = flatbuffer.add_tensor(
                model, "number", [1], np.array([value], flatbuffer.dtype(source.type))
            )
            graph.tensors[number].type = source.type
            graph.tensors[number].quantization = source.quantization
            reads.append(number)
        kind = _PAD if value is None else _PADV2
        pad = flatbuffer.make_operator(model, kind, reads, [made])
        graph.operators.insert(graph.operators.index(operator), pad)
        operator.inputs = [made, *list(operator.inputs)[1:]]
        operator.builtinOptions.padding = _VALID

    return alter


def other_operator(builtin: int) -> Callable[[Any, Any], None]:
    """Another operator with the same options."""

    def alter(model: Any, operator: Any) -> None:
        kinds = [flatbuffer.opcode(model, other) for other in model.subgraphs[0].operators]
        if builtin not in kinds:
            flatbuffer.add_operator_code(model, builtin)
            operator.opcodeIndex = len(model.operatorCodes) - 1

    return alter


# ONNX


def attribute(name: str, value: Any) -> Callable[[GraphEditor, Any], None]:
    """Another attribute of the node."""

    def alter(graph: GraphEditor, node: Any) -> None:
        del graph
        kept = [a for a in node.attribute if a.name not in (name, "auto_pad")]
        node.ClearField("attribute")
        node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])

    return alter


def edge_padding(graph: GraphEditor, node: Any) -> None:
    """The nearest number instead of zeros."""
    widths = graph.constant("widths", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    node.input[0] = graph.node("Pad", [node.input[0], widths], attributes={"mode": "edge"})
    attribute("pads", [0, 0, 0, 0])(graph, node)


def saturating_sums(limit: float) -> Callable[[GraphEditor, Any], None]:
    """A sum of two halves of the input's channels, each cut off at a limit: an accumulator with few bits."""

    def alter(graph: GraphEditor, node: Any) -> None:
        kernel = value_of(graph, node.input[1])
        half = kernel.shape[1] // 2
        ends = [graph.constant(f"end{x}", np.array(x, np.float32)) for x in (-limit, limit)]
        axis = graph.constant("axis", np.array([1], np.int64))
        sums = []
        for number, (start, stop) in enumerate(((0, half), (half, kernel.shape[1]))):
            at = [graph.constant(f"at{n}", np.array([n], np.int64)) for n in (start, stop)]
            part = graph.node("Slice", [node.input[0], *at, axis])
            some = graph.constant(f"kernel{number}", np.ascontiguousarray(kernel[:, start:stop]))
            sums.append(graph.node("Clip", [graph.node("Conv", [part, some]), *ends]))
        total = graph.node("Add", sums)
        bias = value_of(graph, node.input[2]).reshape(1, -1, 1, 1)
        added = graph.node("Add", [total, graph.constant("bias_of_all", bias)])
        node.op_type = "Identity"
        node.ClearField("attribute")
        node.ClearField("input")
        node.input.append(added)

    return alter


def value_of(graph: GraphEditor, name: str) -> Array:
    """The value of an initializer."""
    return numpy_helper.to_array(next(i for i in graph.graph.initializer if i.name == name))


def changed_input(
    place: int, change: Callable[[Array], Array]
) -> Callable[[GraphEditor, Any], None]:
    """Another constant that the node reads."""

    def alter(graph: GraphEditor, node: Any) -> None:
        new = np.ascontiguousarray(change(value_of(graph, node.input[place])))
        node.input[place] = graph.constant(f"changed{place}", new)

    return alter


def dequantized(
    place: int, at: int, change: Callable[[Array], Array]
) -> Callable[[GraphEditor, Any], None]:
    """Another scale (1) or zero point (2) of what the node reads dequantized."""

    def alter(graph: GraphEditor, node: Any) -> None:
        pair = graph.producer[node.input[place]]
        assert pair.op_type == "DequantizeLinear"
        changed_input(at, change)(graph, pair)

    return alter


def quantized_with(at: int, change: Callable[[Array], Array]) -> Callable[[GraphEditor, Any], None]:
    """Another scale (1) or zero point (2) of what the node makes."""

    def alter(graph: GraphEditor, node: Any) -> None:
        (pair,) = graph.consumers[node.output[0]]
        assert pair.op_type == "QuantizeLinear"
        changed_input(at, change)(graph, pair)

    return alter


def other_kind(kind: str) -> Callable[[GraphEditor, Any], None]:
    """Another operator."""

    def alter(graph: GraphEditor, node: Any) -> None:
        del graph
        node.op_type = kind

    return alter
