"""Recognizing the loops that compute an RNN, a GRU or an LSTM.

TFLite has a WHILE for every recurrent layer. ONNX has an operator for each of these three, which
runs several times as fast as a Loop and which more devices support. How the converter lays out a
loop's body changes from version to version and layer to layer, so a body is not compared with a
pattern: its weights are put into the operator's formula, and if loop and formula give the same numbers
from a random state and a random sequence, the loop is that operator.

The formulas are those of the ONNX operators RNN, GRU (with ``linear_before_reset``, which Keras
calls ``reset_after``) and LSTM; the order of the gates in the weights is Keras'.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.interpreter import open_interpreter
from edgekit_converters.tflite.loops import Loop, Replay, find_loops, weight_products

GATES = {"RNN": (0,), "GRU": (0, 1, 2), "LSTM": (0, 3, 1, 2)}
"""Where the blocks of an ONNX operator's weights are in Keras' order: its LSTM has i, f, c, o."""

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
}
_KINDS = {(1, 1): "RNN", (3, 1): "GRU", (4, 2): "LSTM"}  # rows of weights a unit, and states
_TOLERANCE = 1e-4  # of the largest value


@dataclass(frozen=True, slots=True)
class Cell:
    """One loop as one ONNX operator.

    ``sequence``, ``states`` and ``listed`` are positions among the WHILE's operands: the input, of
    shape (steps, batch, features), of which it reads one step at a time; the state; and the outputs,
    of all steps (``every``) or of the last one only. ``listed`` is None where nothing reads them.
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

    @property
    def units(self) -> int:
        """The width of the state."""
        return int(self.weights[1].shape[1])

    def run(self, values: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Return the outputs of all steps, stacked, and the last state, from a WHILE's operands."""
        step, outputs = _STEPS[self.kind], []
        state = [values[position] for position in self.states]
        for x in values[self.sequence]:
            state = step(self, x, *state)
            outputs.append(state[0])
        return np.stack(outputs), state


def _rnn(cell: Cell, x: Array, h: Array) -> list[Array]:
    read, carried = _products(cell, x, h)
    return [_ACTIVATIONS[cell.activation](read + carried)]


def _gru(cell: Cell, x: Array, h: Array) -> list[Array]:
    (z, r, n), (hz, hr, hn) = (np.split(p, 3, axis=1) for p in _products(cell, x, h))
    update = _sigmoid(z + hz)
    candidate = _ACTIVATIONS[cell.activation](n + _sigmoid(r + hr) * hn)
    return [update * h + (1 - update) * candidate]


def _lstm(cell: Cell, x: Array, h: Array, c: Array) -> list[Array]:
    act = _ACTIVATIONS[cell.activation]
    i, f, candidate, o = np.split(sum(_products(cell, x, h)), 4, axis=1)
    c = _sigmoid(f) * c + _sigmoid(i) * act(candidate)
    return [_sigmoid(o) * act(c), c]


_STEPS: dict[str, Callable[..., list[Array]]] = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}


def _products(cell: Cell, x: Array, h: Array) -> tuple[Array, Array]:
    (w, r), (wb, rb) = cell.weights, cell.biases
    return x @ w.T + wb, h @ r.T + rb


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):  # far below zero it is zero
        return np.asarray(1 / (1 + np.exp(-x)))


@dataclass(frozen=True, slots=True)
class Cells:
    """The loops of a TFLite file that are one of the operators, by the index of their body.

    ``shapes`` are those of the main graph's tensors in a call: after a loop the file may lack them.
    """

    by_body: dict[int, Cell]
    shapes: tuple[tuple[int, ...], ...] = ()


def find_cells(graph: Path) -> Cells:
    """Recognize the loops of a TFLite file's main graph."""
    model = flatbuffer.read(graph)
    loops = find_loops(model)
    if not loops:
        return Cells({})
    interpreter = open_interpreter(graph)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    cells = {}
    for loop in loops:
        # On inputs of zeros: what counts are the constants, and the shapes of the rest.
        operands = [interpreter.get_tensor(index) for index in loop.inputs]
        cell = _recognise(graph, model, loop, operands)
        if cell is not None:
            cells[loop.body] = cell
    shapes = {d["index"]: d["shape"] for d in interpreter.get_tensor_details()}
    return Cells(
        cells, tuple(tuple(map(int, shapes[i])) for i in range(len(model.subgraphs[0].tensors)))
    )


def _recognise(graph: Path, model: Any, loop: Loop, operands: list[Array]) -> Cell | None:
    main, body = model.subgraphs[0], model.subgraphs[loop.body]
    floats = [i for i, value in enumerate(operands) if value.dtype == np.float32]
    # A loop returns an operand that it only reads as it came.
    unchanged = [i for i in floats if body.outputs[i] == body.inputs[i] and operands[i].ndim == 3]
    listed = [i for i in floats if operands[i].ndim == 3 and i not in unchanged]
    states = [i for i in floats if operands[i].ndim == 2]
    counters = [
        i for i, value in enumerate(operands) if value.dtype == np.int32 and value.ndim == 0
    ]
    if len(unchanged) != 1 or len(listed) > 1 or not states:
        return None
    if len(operands) != len(counters) + len(states) + len(listed) + 1:  # a mask is one more
        return None
    read = {i for op in main.operators for i in op.inputs} | set(main.outputs)
    if read & {loop.outputs[i] for i in counters}:
        return None

    random = np.random.default_rng(0)
    for i in (*unchanged, *states):
        operands[i] = random.normal(0, 0.5, operands[i].shape).astype(np.float32)
    wanted = Replay(graph, loop).run(operands)
    for cell in _hypotheses(model, loop, operands, unchanged[0], listed, states):
        outputs, state = cell.run(operands)
        got = dict(zip(cell.states, state, strict=True))
        if cell.listed is not None:
            got[cell.listed] = outputs if cell.every else outputs[-1:]
        if all(_same(value, wanted[position]) for position, value in got.items()):
            return cell
    return None


def _hypotheses(
    model: Any,
    loop: Loop,
    operands: Sequence[Array],
    sequence: int,
    listed: list[int],
    states: list[int],
) -> Iterator[Cell]:
    """Yield every operator that the loop can be, by the shapes of its weights."""
    body = model.subgraphs[loop.body]
    tensors = [body.tensors[operator.inputs[1]] for operator in weight_products(model, loop)]
    if len(tensors) != 2:
        return
    units, features = operands[states[0]].shape[-1], operands[sequence].shape[-1]
    for read, carried in permutations(tensors):
        w, r = flatbuffer.constant(model, read), flatbuffer.constant(model, carried)
        assert w is not None and r is not None  # ``weight_products`` have constants
        rows, left = divmod(len(r), units)
        kind = _KINDS.get((rows, len(states)))
        if left or kind is None or (w.shape, r.shape) != ((len(r), features), (len(r), units)):
            continue
        every = any(len(operands[i]) == len(operands[sequence]) for i in listed)
        for biases, activation, order in product(
            _biases(model, body, tensors, len(r)), _ACTIVATIONS, permutations(states)
        ):
            yield Cell(
                kind, activation, flatbuffer.name(body),
                (flatbuffer.name(read), flatbuffer.name(carried)),
                (w, r), biases, sequence, tuple(order), next(iter(listed), None), every,
            )  # fmt: skip


def _biases(
    model: Any, body: Any, weights: Sequence[Any], size: int
) -> Iterator[tuple[Array, Array]]:
    """Yield the ways to assign the constants that can be a bias to the two products."""
    none = np.zeros(size, np.float32)
    candidates = [
        value.reshape(size)
        for tensor in body.tensors
        if all(tensor is not weight for weight in weights)
        and tensor.type == flatbuffer.FLOAT32
        and (value := flatbuffer.constant(model, tensor)) is not None
        and value.size == size
    ]
    yield from permutations([*candidates[:2], *[none] * (2 - len(candidates[:2]))])
    if len(candidates) == 1:  # both are this one
        yield candidates[0], candidates[0]


def _same(got: Array, wanted: Array) -> bool:
    most = np.abs(wanted).max(initial=0.0)
    return bool(
        got.shape == wanted.shape
        and np.isfinite(most)
        and np.all(np.abs(got - wanted) <= _TOLERANCE * most)
    )
