"""Recurrent layers as the ONNX operators RNN, GRU and LSTM."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.onnx.edit import GraphEditor, drop_unused_constants
from edgekit_converters.onnx.lifting import STAND_IN
from edgekit_converters.onnx.recurrent_match import GATES, Cell, Cells
from edgekit_converters.onnx.weights import Weight


def write_cells(graph: Any, cells: Cells) -> dict[str, Weight]:
    """Replace the stand-ins of ``lift_weights`` by operators; return the TFLite tensors of their weights."""
    nodes: list[Any] = []
    weights: dict[str, Weight] = {}
    for node in graph.node:
        _, is_stand_in, number = node.op_type.partition(STAND_IN)
        if not is_stand_in:
            nodes.append(node)
            continue
        cell = cells.by_body[int(number)]
        nodes += _operator(graph, node, cell)
        for name in cell.names:
            weights[name] = Weight(name, _turns(cell, name))
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused_constants(graph)
    return weights


def recurrent_nodes(graph: Any) -> list[Any]:
    """Return the RNN, GRU and LSTM nodes of a graph."""
    return [node for node in graph.node if node.op_type in GATES]


def integer_weight(graph: GraphEditor, values: Array, scales: Array) -> str:
    """Add a weight of a recurrent operator that is stored in integers; return its float32 value's name.

    It is a Cast and a Mul, which ONNX Runtime computes once, as it opens the file; a DequantizeLinear
    it would compute in each call. The Max after them changes no value: OpenVINO (2026.3) makes an
    integer LSTM, with wrong outputs, of one whose operands it sees dequantized, and does not open such
    a GRU; it does not see through a Max.

    Args:
        graph: to add to.
        values: int8, of shape (1, rows, width).
        scales: one for each row.
    """
    from onnx import TensorProto

    cast = graph.node(
        "Cast", [graph.shared(np.ascontiguousarray(values))], attributes={"to": TensorProto.FLOAT}
    )
    rows = scales.astype(np.float32).reshape(1, -1, 1)
    scaled = graph.node("Mul", [cast, graph.shared(rows)])
    return graph.node("Max", [scaled, graph.shared(np.array(np.finfo(np.float32).min))])


def _turns(cell: Cell, name: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the changes from a TFLite weight, (gates x units, width), to ONNX's (1, gates x units, width)."""
    value = cell.weights[cell.names.index(name)]
    return (("blocks", GATES[cell.kind]), ("reshape", (1, *value.shape)))


def _operator(graph: Any, node: Any, cell: Cell) -> Iterable[Any]:
    """Yield the operator, and the nodes that add and remove its axis of directions."""
    from onnx import helper, numpy_helper

    sequence, *states = node.input
    ends, listed = node.output[: len(states)], next(iter(node.output[len(states) :]), "")

    def constant(name: str, value: Array) -> str:
        if all(initializer.name != name for initializer in graph.initializer):
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def is_zero(name: str) -> bool:
        initializer = next((i for i in graph.initializer if i.name == name), None)
        return initializer is not None and not np.any(numpy_helper.to_array(initializer))

    operands = [sequence]
    for name, value in zip(cell.names, cell.weights, strict=True):
        operands.append(constant(name, Weight(name, _turns(cell, name)).turn(value)))
    biases = [Weight("", (("blocks", GATES[cell.kind]),)).turn(bias) for bias in cell.biases]
    operands.append(constant(f"{cell.body}/bias", np.concatenate(biases)[np.newaxis]))

    first, second = (constant(f"axis_{n}", np.array([n], np.int64)) for n in (0, 1))
    if not all(is_zero(state) for state in states):
        operands.append("")  # sequence_lens: all sequences have full length
        for state in states:
            operands.append(f"{cell.body}/first_{state}")
            yield helper.make_node("Unsqueeze", [state, first], [operands[-1]])
    read = {port for other in graph.node for port in other.input} | {o.name for o in graph.output}
    made, after = [""], []
    for port, end in zip(("h", "c"), ends, strict=False):
        made.append(f"{cell.body}/{port}" if end in read else "")
        if end in read:
            after.append(helper.make_node("Squeeze", [made[-1], first], [end]))
    if listed in read and cell.every:
        made[0] = f"{cell.body}/every"
        after.append(helper.make_node("Squeeze", [made[0], second], [listed]))
    elif listed in read:  # the last output alone is the last state, with its axis of directions
        made[1] = made[1] or listed
        if made[1] != listed:
            after.append(helper.make_node("Identity", [made[1]], [listed]))
    attributes: dict[str, Any] = {"hidden_size": cell.units}
    if cell.kind == "GRU":
        attributes["linear_before_reset"] = 1
    if cell.activation != "Tanh":
        attributes["activations"] = {
            "RNN": [cell.activation],
            "GRU": ["Sigmoid", cell.activation],
            "LSTM": ["Sigmoid", cell.activation, cell.activation],
        }[cell.kind]
    while made and not made[-1]:
        made.pop()
    yield helper.make_node(cell.kind, operands, made, name=f"{cell.body}/{cell.kind}", **attributes)
    yield from after
