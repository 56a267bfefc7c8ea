"""The ONNX operators RNN, GRU and LSTM as formulas: one step of each, and how exact float32 is there.

The formulas are those of the ONNX operators RNN, GRU (with ``linear_before_reset``, which Keras
calls ``reset_after``) and LSTM; the order of the gates in the weights is Keras'.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit_converters.base import Array

GATES = {"RNN": (0,), "GRU": (0, 1, 2), "LSTM": (0, 3, 1, 2)}
"""Where the blocks of an ONNX operator's weights are in Keras' order: its LSTM has i, f, c, o."""

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
}
_ROUNDINGS = 64
"""Of float32 on the way to a gate, each of its largest operand: a dot product's, mostly."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One loop as one ONNX operator.

    ``sequence``, ``states``, ``listed`` and ``mask`` are positions among the WHILE's operands: the input,
    of shape (steps, batch, features), of which it reads one step at a time; the state; the outputs,
    of all steps (``every``) or of the last one only; and whether a step counts, of shape
    (steps, batch, 1). ``listed`` and ``mask`` are None where the loop has none.
    """

    kind: str
    activation: str
    body: str
    names: tuple[str, str]
    """Of the weights' tensors, in the loop's graph."""
    weights: tuple[Array, Array]
    """For the sequence, of shape (gates x units, features), and for the state."""
    biases: tuple[Array, Array]
    sequence: int
    states: tuple[int, ...]
    listed: int | None
    every: bool
    shape: tuple[int, int]
    """Of the sequence: its steps, and the batch."""
    mask: int | None = None
    zeroed: bool = False
    """Whether the output of a step that does not count is 0, not the output of the step before it."""

    @property
    def units(self) -> int:
        """The width of the state."""
        return int(self.weights[1].shape[1])


def step(cell: Cell, x: Array, state: Sequence[Array]) -> tuple[list[Array], float]:
    """Return the state after one step, and how far float32 may be from it.

    The tolerance grows with what the gates sum up: of weights a hundred times as large, the rounding is
    a hundred times as large too. ``state`` is h, or h and c.
    """
    (w, r), (wb, rb) = cell.weights, cell.biases
    h = state[0]
    after = _STEPS[cell.kind](cell, x @ w.T + wb, h @ r.T + rb, *state)
    summed = np.abs(x) @ np.abs(w.T) + np.abs(h) @ np.abs(r.T) + np.abs(wb) + np.abs(rb)
    largest = max(1.0, *(float(np.abs(value).max()) for value in (*state, *after)))
    rounding = _ROUNDINGS * float(np.finfo(np.float32).eps)
    return after, rounding * max(1.0, float(summed.max())) * largest


def _rnn(cell: Cell, read: Array, carried: Array, h: Array) -> list[Array]:  # noqa: ARG001
    return [ACTIVATIONS[cell.activation](read + carried)]


def _gru(cell: Cell, read: Array, carried: Array, h: Array) -> list[Array]:
    (z, r, n), (hz, hr, hn) = (np.split(p, 3, axis=1) for p in (read, carried))
    update = _sigmoid(z + hz)
    candidate = ACTIVATIONS[cell.activation](n + _sigmoid(r + hr) * hn)
    return [update * h + (1 - update) * candidate]


def _lstm(cell: Cell, read: Array, carried: Array, h: Array, c: Array) -> list[Array]:  # noqa: ARG001
    act = ACTIVATIONS[cell.activation]
    i, f, candidate, o = np.split(read + carried, 4, axis=1)
    c = _sigmoid(f) * c + _sigmoid(i) * act(candidate)
    return [_sigmoid(o) * act(c), c]


_STEPS: dict[str, Callable[..., list[Array]]] = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):  # far below zero it is zero
        return np.asarray(1 / (1 + np.exp(-x)))
