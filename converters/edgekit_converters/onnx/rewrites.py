"""Rewriting what tf2onnx makes of a graph: names as in the TFLite file, operators that runtimes know."""

import re
from collections.abc import Collection, Mapping
from math import pi, sqrt
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.onnx.edit import rename_values
from edgekit_converters.onnx.weights import Weight


def copy_unchanged_outputs(body: Any) -> None:
    """Put an Identity before the outputs of a loop's body that are its inputs: OpenVINO needs it."""
    from onnx import helper

    inputs = {value.name for value in body.input}
    for output in body.output:
        if output.name in inputs:
            made = f"{output.name}_on"
            body.node.append(helper.make_node("Identity", [output.name], [made]))
            output.name = made


def forget_scalar_shapes(graph: Any) -> None:
    """Remove the shapes of a loop's values that are declared as scalars.

    TFLite writes an unknown shape as a scalar's, and tf2onnx takes it over where one loop reads the
    output of another; ONNX Runtime then refuses the file.
    """
    for node in graph.node:
        for attribute in node.attribute:
            body = attribute.g if node.op_type == "Loop" else None
            for value in (*body.input[2:], *body.output[1:]) if body is not None else ():
                if not value.type.tensor_type.shape.dim:
                    value.type.tensor_type.ClearField("shape")


def expand_gelu(graph: Any) -> None:
    """Write GELU as elementary operators: tf2onnx does not know it, and ONNX has it from opset 20 on.

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


def expand_bucketize(graph: Any) -> None:
    """Write BUCKETIZE as comparisons: a value's bucket is how many boundaries it is not below."""
    from onnx import helper, numpy_helper

    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type != "TFL_BUCKETIZE":
            nodes.append(node)
            continue
        (y,) = node.output
        boundaries = next(list(a.floats) for a in node.attribute if a.name == "boundaries")
        names = {
            part: f"{y}/bucketize_{part}" for part in ("axis", "boundaries", "x", "above", "ones")
        }
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.array([-1], np.int64), names["axis"]),
                numpy_helper.from_array(np.array(boundaries, np.float32), names["boundaries"]),
            ]
        )
        nodes += [
            helper.make_node("Unsqueeze", [node.input[0], names["axis"]], [names["x"]]),
            helper.make_node("GreaterOrEqual", [names["x"], names["boundaries"]], [names["above"]]),
            helper.make_node("Cast", [names["above"]], [names["ones"]], to=6),  # int32
            helper.make_node("ReduceSum", [names["ones"], names["axis"]], [y], keepdims=0),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def merge_gemm(
    graph: Any, weights: Mapping[str, Weight], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Merge MatMul and the Add of its bias into one Gemm, whose output has the TFLite tensor's name.

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
        tensor = name if name in shapes else re.sub("[_/]linear$", "", name)
        shape = shapes.get(tensor)
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
            around = [f"{name}_{of}" for of in ("rows", "shape", "in", "out")]
            if not shapes.keys().isdisjoint(around):  # outputs may be called so
                around = [f"{name}/{of}" for of in ("rows", "shape", "in", "out")]
            rows, full, source, result = around
            for made, value in ((rows, [-1, depth[weight]]), (full, shape)):
                graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), made))
            nodes.insert(-1, helper.make_node("Reshape", [node.input[0], rows], [source]))
            nodes.append(helper.make_node("Reshape", [result, full], [name]))
        del node.input[:], node.output[:]
        node.input.extend([source, weight, bias])
        node.output.append(result)
        for other in users.get(end, []):
            for i, port in enumerate(other.input):
                other.input[i] = name if port == end else port
    del graph.node[:]
    graph.node.extend(nodes)


def name_linear_values(graph: Any, tensors: Collection[str]) -> None:
    """Rename values before a fused bias and activation: ``y_raw_output___12:0`` to ``y_linear``.

    Args:
        graph: the ONNX graph.
        tensors: the names of the TFLite tensors.
    """
    rename_values(
        graph,
        {
            port: linear_name(match[1], tensors)
            for node in graph.node
            for port in node.output
            if (match := re.fullmatch(r"(.*)_raw_output___\d+:0", port))
        },
    )


def linear_name(tensor: str, tensors: Collection[str]) -> str:
    """Return the name of a tensor's value before its activation; an output may have the first one."""
    name = f"{tensor}_linear"
    return f"{tensor}/linear" if name in tensors else name
