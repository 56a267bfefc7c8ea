"""Which recurrent layers TensorFlow Lite Micro has no operator for, and what to do about each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit_converters.base import ConversionError
from edgekit_converters.onnx.recurrent_cells import Cell
from edgekit_converters.onnx.recurrent_match import Cells, find_cells
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import WHILE

UNROLL = "Build it with unroll=True: its steps then stand in the file one behind the other"
"""What to do about a recurrent layer that is no operator."""

_TITLES = {"RNN": "SimpleRNN", "GRU": "GRU"}


@dataclass(frozen=True, slots=True)
class Loop:
    """A WHILE of the main graph that is an LSTM."""

    operator: Any
    cell: Cell


def layer_of(body: str) -> str:
    """Return the name of the layer whose loop has a body of this name."""
    return body.partition("/while")[0]


def lstm_loops(graph: Path, model: Any) -> tuple[list[Loop], Cells]:
    """Return the loops of a float TFLite file, which are all LSTMs that can be one operator.

    Args:
        graph: the file.
        model: what it holds.

    Raises:
        ConversionError: one of them cannot; it names the layer and says why.
    """
    main = model.subgraphs[0]
    whiles = [op for op in main.operators if flatbuffer.opcode(model, op) == WHILE]
    if not whiles:
        return [], Cells({})
    cells = find_cells(graph)
    reasons = []
    loops = []
    for operator in whiles:
        body = operator.builtinOptions.bodySubgraphIndex
        layer = layer_of(flatbuffer.name(model.subgraphs[body]))
        cell = cells.by_body.get(body)
        if cell is None:
            reasons.append(f"the loop of {layer!r} is no LSTM. {UNROLL}.")
            continue
        why = list(_obstacles(model, operator, cell))
        reasons += [f"{layer!r} {reason}" for reason in why]
        loops.append(Loop(operator, cell))
    if reasons:
        raise ConversionError(
            "TensorFlow Lite Micro has one recurrent operator, an LSTM without options. "
            + " ".join(reasons)
        )
    return loops, cells


def _obstacles(model: Any, operator: Any, cell: Cell) -> Iterator[str]:
    """Yield why a recognized cell cannot be the operator, and what to do."""
    main = model.subgraphs[0]
    read = {i for op in main.operators for i in op.inputs} | set(main.outputs)
    if cell.kind != "LSTM":
        yield f"is a {_TITLES[cell.kind]}. {UNROLL}, or make it an LSTM."
        return
    if cell.activation != "Tanh":
        yield f"has the activation {cell.activation}. Build it with tanh, or with unroll=True."
    if cell.mask is not None:
        yield "gets a mask. Build the model without Masking and mask_zero, or with unroll=True."
    if operator.outputs[cell.states[1]] in read:
        yield f"has its cell state read. {UNROLL}, or read its output only."
    starts = [operator.inputs[position] for position in cell.states]
    values = [flatbuffer.constant(model, main.tensors[index]) for index in starts]
    if any(value is None or value.any() for value in values):
        yield f"starts from a state that is not zero. {UNROLL}."
