"""LSTM operators in full integers, in a file that LiteRT Quantizer has quantized around them.

It leaves them, and REVERSE_V2, in float between a DEQUANTIZE and a QUANTIZE. Each is written again here, in
the order of the graph, with 8-bit weights, sequence and hidden state, a 16-bit cell state, and gates of 16 bits
with 12 of them behind the point.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.targets.fused_lstm import CELL, HIDDEN, lstm_options
from edgekit_converters.targets.graph_parts import (
    FLOAT32,
    INT8,
    INT16,
    LSTM,
    REVERSE_V2,
    Parameters,
    add_constant,
    add_tensor,
    make_operator,
    parameters,
    prune,
)
from edgekit_converters.targets.state_ranges import State
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import DEQUANTIZE, QUANTIZE

_WEIGHTS, _BIASES = range(1, 9), range(12, 16)  # among the operator's inputs
_GATE = 2.0**-12  # scale of a gate's sum
_CELL_BITS = range(-15, -8)  # the powers of two that a cell state's scale can be
_VERSION = 3  # of both operators, in integers


def output_range(state: State) -> tuple[np.float32, np.float32]:
    """Return the range of an LSTM's output: the zero point of its integers is 0.

    A state of zero bytes is zero then for every kernel, those too that begin with one by themselves.
    """
    return np.float32(-state.hidden * 128 / 127), np.float32(state.hidden)


@dataclass(slots=True)
class _Pass:
    """One way through the graph."""

    model: Any
    states: Iterator[State]
    """Of the LSTMs that are to come, in the order of the graph."""
    twins: dict[int, int] = field(default_factory=dict)
    """The integer tensor that stands for a float one."""
    same: dict[int, int] = field(default_factory=dict)
    """The tensor to read for one that is equal to it."""


def write_integers(model: Any, states: Iterable[State]) -> None:
    """Write the LSTM and REVERSE_V2 operators that are in float in integers.

    Args:
        model: from LiteRT Quantizer, with the ranges of ``output_range`` for the outputs.
        states: what was seen of each LSTM, in the order of the graph. Names do not tell: the quantizer gives
            an output of the model to another tensor.
    """
    main = model.subgraphs[0]
    this = _Pass(model, iter(states))
    operators: list[Any] = []
    for operator in main.operators:
        operator.inputs = [this.same.get(int(i), int(i)) for i in operator.inputs]
        operators += _rewritten(this, operator)
    main.operators = operators
    main.outputs = [this.same.get(int(i), int(i)) for i in main.outputs]
    prune(model)


def _rewritten(this: _Pass, operator: Any) -> Iterator[Any]:
    """Yield what stands for an operator; nothing where there is nothing left to compute."""
    main, kind = this.model.subgraphs[0], flatbuffer.opcode(this.model, operator)
    source, target = int(operator.inputs[0]), int(operator.outputs[0])
    if kind == QUANTIZE and source in this.twins:
        integers = this.twins[source]
        if parameters(main.tensors[integers]) == parameters(main.tensors[target]):
            if target in main.outputs:  # it has the name of the model's output
                main.tensors[integers].name, main.tensors[target].name = (
                    main.tensors[target].name,
                    main.tensors[integers].name,
                )
                _move_signature(this.model, target, integers)
            this.same[target] = integers
        else:
            operator.inputs = [integers]
            yield operator
        return
    in_float = main.tensors[target].type == FLOAT32
    if kind not in (LSTM, REVERSE_V2) or not in_float:
        yield operator
        return
    sequence = this.twins.get(source)
    if sequence is None:
        sequence = _integers_of(this.model, source)
    made = _lstm(this, operator, sequence) if kind == LSTM else _reverse(this, operator, sequence)
    this.twins[target] = int(made.outputs[0])
    yield made
    if _is_read_in_float(this.model, target):
        yield make_operator(this.model, DEQUANTIZE, made.outputs, [target])


def _move_signature(model: Any, old: int, new: int) -> None:
    for signature in model.signatureDefs or []:
        for port in signature.outputs:
            if port.tensorIndex == old:
                port.tensorIndex = new


def _integers_of(model: Any, tensor: int) -> int:
    """Return the integers that a float tensor was dequantized from."""
    for operator in model.subgraphs[0].operators:
        if tensor in operator.outputs and flatbuffer.opcode(model, operator) == DEQUANTIZE:
            return int(operator.inputs[0])
    name = flatbuffer.name(model.subgraphs[0].tensors[tensor])
    raise AssertionError(f"{name} is not dequantized")


def _is_read_in_float(model: Any, tensor: int) -> bool:
    main = model.subgraphs[0]
    return tensor in main.outputs or any(
        tensor in operator.inputs
        and flatbuffer.opcode(model, operator) not in (LSTM, REVERSE_V2, QUANTIZE)
        for operator in main.operators
    )


def _reverse(this: _Pass, operator: Any, source: int) -> Any:
    """Return a REVERSE_V2 of integers, whose scale stays."""
    output = _integer_output(
        this.model, operator, parameters(this.model.subgraphs[0].tensors[source])
    )
    inputs = [source, *operator.inputs[1:]]
    made = make_operator(this.model, REVERSE_V2, inputs, [output], _VERSION)
    made.builtinOptionsType, made.builtinOptions = (
        operator.builtinOptionsType,
        operator.builtinOptions,
    )
    return made


def _integer_output(model: Any, operator: Any, quantized: Parameters) -> int:
    tensor = model.subgraphs[0].tensors[operator.outputs[0]]
    named = f"{flatbuffer.name(tensor)}/int8"
    return add_tensor(model, named, flatbuffer.shape(tensor), INT8, quantized)


def _lstm(this: _Pass, operator: Any, sequence: int) -> Any:
    """Return an LSTM of integers, with its five intermediates, without which no runtime takes it."""
    from ai_edge_litert import schema_py_generated as schema

    model, main = this.model, this.model.subgraphs[0]
    named = flatbuffer.name(main.tensors[operator.outputs[0]])
    state = next(this.states)
    low, high = output_range(state)
    hidden = float(np.float32((high - low) / np.float32(255))), 0
    output = _integer_output(model, operator, hidden)
    scale, _ = parameters(main.tensors[sequence])
    inputs = [sequence, *map(int, operator.inputs[1:])]
    scales: dict[int, np.float32] = {}
    for position in _WEIGHTS:
        value = flatbuffer.constant(model, main.tensors[inputs[position]])
        assert value is not None
        inputs[position], scales[position] = _weight(model, f"{named}/weight_{position}", value)
    for position, weight in zip(_BIASES, _WEIGHTS, strict=False):
        value = flatbuffer.constant(model, main.tensors[inputs[position]])
        assert value is not None
        step = np.float32(scale) * scales[weight]
        integers = np.clip(np.rint(value.astype(np.float64) / step), -(2**31) + 1, 2**31 - 1)
        inputs[position] = add_constant(
            model, f"{named}/bias_{position}", integers.astype(np.int32), (float(step), 0)
        )
    shape = flatbuffer.shape(main.tensors[inputs[HIDDEN]])
    power = int(
        np.clip(np.ceil(np.log2(max(state.cell, 1e-9))) - 15, min(_CELL_BITS), max(_CELL_BITS))
    )
    inputs[HIDDEN] = add_tensor(model, f"{named}/state_h", shape, INT8, hidden, variable=True)
    inputs[CELL] = add_tensor(
        model, f"{named}/state_c", shape, INT16, (2.0**power, 0), variable=True
    )
    made = make_operator(model, LSTM, inputs, [output], _VERSION)
    made.intermediates = [
        *(add_tensor(model, f"{named}/gate_{n}", (0,), INT16, (_GATE, 0)) for n in range(4)),
        add_tensor(model, f"{named}/hidden", (0,), INT8, hidden),
    ]
    made.builtinOptionsType = schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions
    made.builtinOptions = lstm_options()
    return made


def _weight(model: Any, named: str, value: Array) -> tuple[int, np.float32]:
    """Add a matrix in symmetric 8-bit integers with one scale; return its index and the scale."""
    scale = np.float32(np.abs(value).max() / 127) or np.float32(1)
    integers = np.clip(np.rint(value / scale), -127, 127).astype(np.int8)
    return add_constant(model, named, integers, (float(scale), 0)), scale
