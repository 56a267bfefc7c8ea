"""The loops of LSTM layers as TFLite's one operator for them, in a float graph.

A loop already reads (steps, batch, features), so that transposes, reshapes and reversals around it stay. The
operator keeps its state from call to call: see ``with_resets``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.onnx.recurrent_cells import Cell
from edgekit_converters.targets.graph_parts import (
    FLOAT32,
    LSTM,
    add_constant,
    add_tensor,
    make_operator,
    make_slice,
    parameters,
    prune,
)
from edgekit_converters.targets.index_wrap import drop_index_wraps
from edgekit_converters.targets.unfusable import Loop, lstm_loops
from edgekit_converters.tflite import flatbuffer

HIDDEN, CELL = 18, 19
"""Which of the operator's inputs are its state."""

_TANH = 4  # of ActivationFunctionType
_GATES = "ifco"  # input, forget, cell, output: the operator's order, and Keras'
_STATE_TYPES = {0: np.float32, 7: np.int16, 9: np.int8}


@dataclass(frozen=True, slots=True)
class Fused:
    """A loop that became an operator."""

    body: str
    """The name of the loop's body."""
    output: str
    """The name of the operator's output: of all steps."""
    parts: tuple[str, ...]
    """The names of the tensors that are parts of it, such as its last step."""


def fuse(graph: Path, target: Path) -> list[Fused]:
    """Write a float TFLite file with an LSTM operator for each loop, and without wraps of indices.

    Args:
        graph: the file.
        target: the file to write. Its operators keep their state from call to call.

    Returns:
        What was fused, in the order of the graph.

    Raises:
        ConversionError: a loop cannot be the operator; it names the layer and says why.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    loops, cells = lstm_loops(graph, model)
    by_operator = {id(loop.operator): loop for loop in loops}
    fused: list[Fused] = []
    operators: list[Any] = []
    for operator in main.operators:
        loop = by_operator.get(id(operator))
        if loop is None:
            operators.append(operator)
            continue
        made = list(_operators(model, loop, cells.shapes))
        output, *parts = [flatbuffer.name(main.tensors[o.outputs[0]]) for o in made]
        fused.append(Fused(loop.cell.body, output, tuple(parts)))
        operators += made
    main.operators = operators
    drop_index_wraps(model)
    prune(model)
    flatbuffer.write(model, target)
    return fused


def lstm_options() -> Any:
    """Return the options of an operator whose sequence has its steps first."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction, options.timeMajor = _TANH, True
    return options


def with_resets(model: Any) -> None:
    """Have each LSTM operator begin with a state of zeros, in every call.

    A SLICE copies constant zeros into each state tensor, in front of the operator. Where runtimes offer a
    reset of their own, an application has to know of it; without one, the second sample's answer would
    depend on the first. A product with 0 would not do: a NaN stays one.
    """
    main = model.subgraphs[0]
    operators: list[Any] = []
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) == LSTM:
            operators += [_reset(model, operator.inputs[state]) for state in (HIDDEN, CELL)]
        operators.append(operator)
    main.operators = operators


def _reset(model: Any, state: int) -> Any:
    tensor = model.subgraphs[0].tensors[state]
    shape, named = flatbuffer.shape(tensor), f"{flatbuffer.name(tensor)}/zero"
    quantized = None if tensor.quantization is None else parameters(tensor)
    zero = 0 if quantized is None else quantized[1]
    zeros = np.full(shape, zero, _STATE_TYPES[tensor.type])
    source = add_constant(model, named, zeros, quantized)
    return make_slice(model, named, source, (0, 0), shape, state)


def _operators(model: Any, loop: Loop, shapes: tuple[tuple[int, ...], ...]) -> Iterator[Any]:
    """Yield the operators that compute what a loop does: the LSTM, and those that take parts of its output."""
    main, operator, cell = model.subgraphs[0], loop.operator, loop.cell
    read = {i for op in main.operators for i in op.inputs} | set(main.outputs)
    hidden = int(operator.outputs[cell.states[0]])
    listed = None if cell.listed is None else int(operator.outputs[cell.listed])
    listed = listed if listed in read else None
    sequence = int(operator.inputs[cell.sequence])
    (steps, batch, _), units = shapes[sequence], cell.units
    every = (steps, batch, units)
    if listed is not None and cell.every:
        output = listed
        main.tensors[output].shape = np.array(every, np.int32)
        main.tensors[output].shapeSignature = None
    else:
        output = add_tensor(model, f"{cell.body}/every", every, FLOAT32)
    yield _lstm(model, cell, sequence, output, batch)
    last = ((steps - 1, 0, 0), (1, batch, units))
    if listed is not None and not cell.every:
        main.tensors[listed].shape = np.array(last[1], np.int32)
        main.tensors[listed].shapeSignature = None
        yield make_slice(model, f"{cell.body}/last", output, *last, listed)
    if hidden in read:
        step = add_tensor(model, f"{cell.body}/hidden", last[1], FLOAT32)
        yield make_slice(model, f"{cell.body}/hidden", output, *last, step)
        shape = add_constant(model, f"{cell.body}/shape", np.array(last[1][1:], np.int32))
        yield make_operator(model, flatbuffer.RESHAPE, [step, shape], [hidden])


def _lstm(model: Any, cell: Cell, sequence: int, output: int, batch: int) -> Any:
    """Return the operator: of 24 inputs, most of which are left out, and without peepholes or projection."""
    from ai_edge_litert import schema_py_generated as schema

    operands: list[int] = []
    for kind, weight in zip("wr", cell.weights, strict=True):
        for gate, block in zip(_GATES, np.split(weight, 4), strict=True):
            value = np.ascontiguousarray(block, np.float32)
            operands.append(add_constant(model, f"{cell.body}/{kind}_{gate}", value))
    biases = [
        add_constant(model, f"{cell.body}/b_{gate}", np.ascontiguousarray(block, np.float32))
        for gate, block in zip(_GATES, np.split(cell.biases[0] + cell.biases[1], 4), strict=True)
    ]
    states = [
        add_tensor(model, f"{cell.body}/state_{name}", (batch, cell.units), FLOAT32, variable=True)
        for name in "hc"
    ]
    none = -1
    inputs = [sequence, *operands, *[none] * 3, *biases, *[none] * 2, *states, *[none] * 4]
    operator = make_operator(model, LSTM, inputs, [output])
    operator.builtinOptionsType = schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions
    operator.builtinOptions = lstm_options()
    return operator
