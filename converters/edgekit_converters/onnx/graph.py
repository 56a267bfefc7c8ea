"""The float graph as ONNX: the twin of the TFLite file, with the same tensor names.

tf2onnx reads the float TFLite file, without its weights (see ``lifting``); what it does to the
names, and what it merges, is undone, so that one table of ranges serves both files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError
from edgekit_converters.onnx.edit import rename_values
from edgekit_converters.onnx.recurrent import write_cells
from edgekit_converters.onnx.recurrent_match import Cells, find_cells
from edgekit_converters.onnx.weights import Weight, find_weights, lift_weights, put_back
from edgekit_converters.tflite import flatbuffer

DEFAULT_OPSET = 17
OPSETS = range(13, 19)
"""Per-channel QuantizeLinear begins with 13; tf2onnx ends with 18."""

PRODUCER = "edgekit"


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A float ONNX model, and which of its initializers came from which TFLite tensor."""

    model: Any
    weights: Mapping[str, Weight]
    held: Mapping[str, Array] = field(default_factory=dict)
    """The values of initializers too large to stand in the model: they go into a file beside it."""


def to_onnx(
    graph: Path,
    scratch: Path,
    opset: int = DEFAULT_OPSET,
    held: Mapping[str, Array] | None = None,
) -> OnnxGraph:
    """Reads the float TFLite file as an ONNX model.

    Args:
        graph: the float TFLite file.
        scratch: a folder for the file without weights.
        opset: one of ``OPSETS``.
        held: weights that the file takes as inputs, by name, from ``write_float_graph``.

    Raises:
        ConversionError: tf2onnx has no translation for an operator.
    """
    import onnx

    if opset not in OPSETS:
        raise ConversionError(f"opset {opset}: choose {OPSETS[0]} to {OPSETS[-1]}.")
    bare = scratch / "without_weights.tflite"
    cells = Cells({}) if held else find_cells(graph)  # held: a loop reads its weights from outside
    lifted, ends, shapes = lift_weights(graph, bare, cells)
    try:
        model = _translate(bare, opset)
    except Exception as error:  # tf2onnx raises ValueError, KeyError, AttributeError, ...
        raise ConversionError(f"tf2onnx cannot translate this graph: {error}") from error
    finally:
        bare.unlink(missing_ok=True)
    _open_loop_shapes(model.graph)
    _spell_out_gelu(model.graph)
    _name_before_output(model.graph)
    weights, outside = put_back(model.graph, lifted, held or {})
    _dense_as_gemm(model.graph, weights, shapes)
    weights.update(write_cells(model.graph, cells))
    _tidy_loops(model.graph, graph, weights)
    if [o.name for o in model.graph.output] != ends:
        raise ConversionError(f"tf2onnx renamed the outputs {ends}.")
    model.producer_name = PRODUCER
    model.ir_version = min(model.ir_version, 10)  # what onnxruntime 1.17 and later open
    if not outside:  # else the file is checked, once it is there
        onnx.checker.check_model(model)
    return OnnxGraph(model, weights, outside)


def _translate(bare: Path, opset: int) -> Any:
    from tf2onnx import optimizer, tfonnx

    # It would merge a dense layer with any addition that follows, and lose the tensor between
    # them, which has a scale of its own. ``_dense_as_gemm`` merges the bias alone.
    tfonnx.rewrite_gemm = lambda graph, operators: operators
    translated = tfonnx.process_tf_graph(None, opset=opset, tflite_path=str(bare))
    return optimizer.optimize_graph(translated).make_model(PRODUCER)


def loop_bodies(graph: Any) -> list[Any]:
    """The bodies of a graph's loops; each has the name of the TFLite graph that it was."""
    return [
        attribute.g
        for node in graph.node
        if node.op_type == "Loop"
        for attribute in node.attribute
        if attribute.HasField("g")
    ]


def _tidy_loops(graph: Any, source: Path, weights: dict[str, Weight]) -> None:
    """Does in the bodies of loops what is done in the main graph, and finds their weights.

    tf2onnx puts the name of a loop's graph before the names of its inputs.
    """
    model = flatbuffer.read(source)
    bodies = loop_bodies(graph)
    for inside in model.subgraphs[1:]:
        name = flatbuffer.name(inside)
        prefix = f"{name}_"
        for body in bodies:
            ports = [
                value.name for value in body.input if value.name.startswith(f"{prefix}{name}/")
            ]
            if not ports:
                continue
            body.name = name
            rename_values(body, {port: port.removeprefix(prefix) for port in ports})
            _name_before_output(body)
            _hand_on_by_identity(body)
            constants = {
                flatbuffer.name(tensor): value
                for tensor in inside.tensors
                if (value := flatbuffer.constant(model, tensor)) is not None
            }
            found = find_weights(body, constants)
            weights.update(found)
            shapes = {flatbuffer.name(t): flatbuffer.shape(t) for t in inside.tensors}
            _dense_as_gemm(body, found, shapes)


def _hand_on_by_identity(body: Any) -> None:
    """Puts an Identity before a body's outputs that are its inputs: OpenVINO cannot do without."""
    from onnx import helper

    inputs = {value.name for value in body.input}
    for output in body.output:
        if output.name in inputs:
            made = f"{output.name}_on"
            body.node.append(helper.make_node("Identity", [output.name], [made]))
            output.name = made


def _open_loop_shapes(graph: Any) -> None:
    """Forgets the shapes of a loop's values that claim to be scalars.

    TFLite writes an unknown shape as a scalar's, and tf2onnx believes it where one loop reads what
    another has made; ONNX Runtime then refuses the file.
    """
    for node in graph.node:
        for attribute in node.attribute:
            body = attribute.g if node.op_type == "Loop" else None
            for value in (*body.input[2:], *body.output[1:]) if body is not None else ():
                if not value.type.tensor_type.shape.dim:
                    value.type.tensor_type.ClearField("shape")


def _spell_out_gelu(graph: Any) -> None:
    """Writes GELU out in operators: tf2onnx does not know TFLite's, nor ONNX its own before 20.

    Hendrycks and Gimpel (2016): x/2 (1 + erf(x/sqrt 2)), or with the tanh that approximates it.
    """
    from onnx import helper, numpy_helper

    nodes: list[Any] = []
    constants: dict[str, Array] = {}
    for node in graph.node:
        if node.op_type != "TFL_GELU":
            nodes.append(node)
            continue
        x, y = node.input[0], node.output[0]
        approximate = any(a.name == "approximate" and a.i for a in node.attribute)
        steps: list[tuple[str, list[str | float]]] = (
            [
                ("Mul", [x, x]),
                ("Mul", ["", 0.044715]),
                ("Add", ["", 1.0]),
                ("Mul", ["", x]),  # x + 0.044715 x^3
                ("Mul", ["", sqrt(2 / pi)]),
                ("Tanh", [""]),
            ]
            if approximate
            else [("Mul", [x, sqrt(0.5)]), ("Erf", [""])]
        )
        steps += [("Add", ["", 1.0]), ("Mul", ["", x]), ("Mul", ["", 0.5])]
        before = ""
        for number, (kind, operands) in enumerate(steps):
            ports = []
            for operand in operands:
                if isinstance(operand, float):
                    name = f"{y}/gelu_constant_{operand:g}"
                    constants[name] = np.array(operand, np.float32)
                    ports.append(name)
                else:
                    ports.append(operand or before)
            before = y if number == len(steps) - 1 else f"{y}/gelu_{number}"
            nodes.append(helper.make_node(kind, ports, [before]))
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items())
    del graph.node[:]
    graph.node.extend(nodes)


def _dense_as_gemm(
    graph: Any, weights: Mapping[str, Weight], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Writes MatMul and the Add of its bias as one Gemm, which keeps the TFLite tensor's name.

    Only a Gemm has an integer bias. On inputs of other ranks it stands between two reshapes.
    """
    from onnx import helper, numpy_helper

    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for port in node.input:
            users.setdefault(port, []).append(node)
    depth = {i.name: i.dims[0] for i in graph.initializer if len(i.dims) == 2}
    nodes, merged = [], set()
    for node in graph.node:
        if id(node) in merged:
            continue
        nodes.append(node)
        following = users.get(node.output[0], []) if node.op_type == "MatMul" else []
        if len(following) != 1 or following[0].op_type != "Add" or node.input[1] not in depth:
            continue
        add, name, weight = following[0], node.output[0], node.input[1]
        bias = add.input[1] if add.input[0] == name else add.input[0]
        shape = shapes.get(name.removesuffix("_linear"))
        if shape is None or bias not in weights or bias in depth:
            continue
        merged.add(id(add))
        end = add.output[0]
        if any(output.name == end for output in graph.output):
            name = end
        source, result = node.input[0], name
        node.op_type, node.name = "Gemm", f"{name}/Gemm"
        del node.attribute[:]
        if len(shape) != 2:
            for made, value in ((f"{name}_rows", [-1, depth[weight]]), (f"{name}_shape", shape)):
                graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), made))
            source, result = f"{name}_in", f"{name}_out"
            nodes.insert(-1, helper.make_node("Reshape", [node.input[0], f"{name}_rows"], [source]))
            nodes.append(helper.make_node("Reshape", [result, f"{name}_shape"], [name]))
        del node.input[:], node.output[:]
        node.input.extend([source, weight, bias])
        node.output.append(result)
        for other in users.get(end, []):
            for i, port in enumerate(other.input):
                other.input[i] = name if port == end else port
    del graph.node[:]
    graph.node.extend(nodes)


def _name_before_output(graph: Any) -> None:
    """Calls the value before an output's bias and activation ``name_linear``.

    tf2onnx calls it ``name_raw_output___12:0``.
    """
    rename_values(
        graph,
        {
            port: f"{found[1]}_linear"
            for node in graph.node
            for port in node.output
            if (found := re.fullmatch(r"(.*)_raw_output___\d+:0", port))
        },
    )
