"""Recurrent layers as the ONNX operators RNN, GRU and LSTM."""

from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.onnx.edit import GraphEditor, NodeList, drop_unused_constants
from edgekit_converters.onnx.lifting import STAND_IN
from edgekit_converters.onnx.masks import all_outputs, counting_first, last_output
from edgekit_converters.onnx.recurrent_cells import GATES, Cell
from edgekit_converters.onnx.recurrent_match import Cells
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


def _operator(graph: Any, node: Any, cell: Cell) -> list[Any]:
    """Return the operator, and the nodes around it: for its axis of directions, and for a mask."""
    nodes = NodeList(graph, cell.body)
    sequence, *states = node.input[: 1 + len(cell.states)]
    ends, listed = node.output[: len(states)], next(iter(node.output[len(states) :]), "")
    read = {port for other in graph.node for port in other.input} | {o.name for o in graph.output}
    first, second = (nodes.constant(f"recurrent/axis_{n}", np.array([n], np.int64)) for n in (0, 1))
    masked = None
    if cell.mask is not None:
        masked = counting_first(nodes, cell, sequence, node.input[-1])
        sequence = masked.sequence

    operands = [sequence]
    for name, value in zip(cell.names, cell.weights, strict=True):
        operands.append(nodes.constant(name, Weight(name, _turns(cell, name)).turn(value)))
    biases = [Weight("", (("blocks", GATES[cell.kind]),)).turn(bias) for bias in cell.biases]
    operands.append(nodes.constant(f"{cell.body}/bias", np.concatenate(biases)[np.newaxis]))
    begins = not all(nodes.is_zero(state) for state in states)
    if masked or begins:
        operands.append(masked.lengths if masked else "")  # "": all sequences have full length
    if begins:
        operands += [nodes.add("Unsqueeze", [s, first], f"first_{s}") for s in states]

    last = listed in read and not cell.every
    wanted = [listed in read and cell.every, ends[0] in read or last, ends[-1] in read]
    made = [
        f"{cell.body}/{port}" if want else ""
        for port, want in zip(("every", "h", "c"), wanted[: 1 + len(states)], strict=False)
    ]
    if last and masked is None and ends[0] not in read:
        made[1] = listed  # the last output alone is the last state, with its axis of directions
    kept = made[: 1 + max((i for i, port in enumerate(made) if port), default=0)]
    nodes.add_named(cell.kind, operands, *kept, name=f"{cell.body}/{cell.kind}", **_options(cell))

    for port, end, begin in zip(made[1:], ends, states, strict=True):
        if end in read and masked:
            state = nodes.add("Squeeze", [port, first], f"{port.rpartition('/')[2]}_ran")
            nodes.add_named("Where", [masked.some, state, begin], end)
        elif end in read:
            nodes.add_named("Squeeze", [port, first], end)
    if last and masked:
        last_output(nodes, cell, masked, made[1], listed)
    elif last and made[1] != listed:
        nodes.add_named("Identity", [made[1]], listed)
    elif made[0]:
        outputs = listed if masked is None else f"{cell.body}/all_ran"
        nodes.add_named("Squeeze", [made[0], second], outputs)
        if masked:
            all_outputs(nodes, cell, masked, outputs, listed)
    return nodes.nodes


def _options(cell: Cell) -> dict[str, Any]:
    """Return the attributes of the operator."""
    options: dict[str, Any] = {"hidden_size": cell.units}
    if cell.kind == "GRU":
        options["linear_before_reset"] = 1
    if cell.activation != "Tanh":
        options["activations"] = {
            "RNN": [cell.activation],
            "GRU": ["Sigmoid", cell.activation],
            "LSTM": ["Sigmoid", cell.activation, cell.activation],
        }[cell.kind]
    return options
