"""How large the states of LSTM layers become on samples, and whether their gates fit into 16 bits.

The formula is run on what each loop reads in the float graph, where a state does not outlive a call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit_converters.base import Array, ConversionError, Samples
from edgekit_converters.onnx.recurrent_cells import Cell
from edgekit_converters.targets.unfusable import UNROLL, layer_of, lstm_loops
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.calibration import runs_over

_LARGEST_SUM = 8.0  # of an int16 with 12 bits behind the point
_LARGEST_CELL = 64.0  # of a cell state whose tanh the operator computes
_GATE_ERROR = 1 / 64  # of a gate between 0 and 1: two steps of the output's 8 bits
_LEAST = 1e-3  # of an output, for a layer that is 0 on all samples


@dataclass(slots=True)
class State:
    """The largest magnitudes that were seen, and the largest error of a gate."""

    hidden: float = _LEAST
    cell: float = 0.0
    gate_error: float = 0.0


def state_ranges(graph: Path, samples: Samples) -> dict[str, State]:
    """Return what was seen of each LSTM, by the name of its loop's body.

    Args:
        graph: the float TFLite file with loops.
        samples: those that calibrate.

    Raises:
        ConversionError: a state or a gate does not fit; it names the layer.
    """
    model = flatbuffer.read(graph)
    loops, _ = lstm_loops(graph, model)
    seen = {loop.cell.body: State() for loop in loops}
    if not loops:
        return seen
    sequences = {loop.cell.body: int(loop.operator.inputs[loop.cell.sequence]) for loop in loops}
    for run in runs_over(graph, samples):
        for loop in loops:
            _see(seen[loop.cell.body], loop.cell, run.get_tensor(sequences[loop.cell.body]))
    _refuse(seen)
    return seen


def _see(state: State, cell: Cell, sequence: Array) -> None:
    """Run a cell over a sequence, of shape (steps, batch, features)."""
    w, r = (weight.astype(np.float64) for weight in cell.weights)
    bias = cell.biases[0].astype(np.float64) + cell.biases[1]
    h = c = np.zeros((sequence.shape[1], cell.units))
    for x in sequence.astype(np.float64):
        read, carried = x @ w.T + bias, h @ r.T
        gates = _gates(read + carried)
        held = _gates(_clip(_clip(read) + _clip(carried)))
        for gate, clipped in zip(gates, held, strict=True):
            state.gate_error = max(state.gate_error, float(np.abs(gate - clipped).max()))
        i, f, candidate, o = gates
        c = f * c + i * candidate
        h = o * np.tanh(c)
        state.cell = max(state.cell, float(np.abs(c).max()))
        state.hidden = max(state.hidden, float(np.abs(h).max()))


def _gates(sums: Array) -> tuple[Array, Array, Array, Array]:
    """Return the input gate, the forget gate, the candidate and the output gate."""
    i, f, candidate, o = np.split(sums, 4, axis=1)
    return _sigmoid(i), _sigmoid(f), np.tanh(candidate), _sigmoid(o)


def _clip(x: Array) -> Array:
    return np.clip(x, -_LARGEST_SUM, _LARGEST_SUM)


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _refuse(seen: Mapping[str, State]) -> None:
    for body, state in seen.items():
        if state.gate_error > _GATE_ERROR:
            raise ConversionError(
                f"the gates of {layer_of(body)!r} saturate on the calibration samples: its sums, of the "
                f"inputs and of the state, are held in 16 bits up to {_LARGEST_SUM:g} each, and beyond it a "
                f"gate is wrong by {state.gate_error:.2f}. Scale its inputs down. Or: {UNROLL}."
            )
        if state.cell > _LARGEST_CELL:
            raise ConversionError(
                f"the cell state of {layer_of(body)!r} reaches {state.cell:.0f} on the calibration samples, "
                f"and the operator holds {_LARGEST_CELL:g}. {UNROLL}."
            )
