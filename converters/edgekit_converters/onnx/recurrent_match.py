"""Recognizing the loops that compute an RNN, a GRU or an LSTM.

TFLite has a WHILE for every recurrent layer. ONNX has an operator for each of these three, which
runs several times as fast as a Loop and which more devices support. What each operand and constant of
the loop is, its graph says: which product reads the sequence and which the state, which bias is added
to which product, what is only chosen by a mask. How the converter lays out the rest of the body changes
from version to version and layer to layer, so that is not compared with a pattern: the constants are put
into the operator's formula, and if loop and formula give the same numbers, step for step from random
states and a random sequence, the loop is that operator.

Each step begins from a state of its own. From the state before, the differences of two roundings would
grow from step to step where weights are large, as trained ones are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.onnx.recurrent_cells import ACTIVATIONS, Cell, step
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import ADD, SELECT, SELECT_V2
from edgekit_converters.tflite.interpreter import open_interpreter
from edgekit_converters.tflite.loops import Loop, Replay, find_loops, weight_products

_KINDS = {(1, 1): "RNN", (3, 1): "GRU", (4, 2): "LSTM"}  # rows of weights a unit, and states


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
    # A loop returns an operand that it only reads as it came.
    constant = [i for i in range(len(operands)) if body.outputs[i] == body.inputs[i]]
    sequences = [i for i in constant if _is_float(operands[i], 3)]
    masks = [i for i in constant if operands[i].dtype == np.bool_]
    listed = [i for i in range(len(operands)) if _is_float(operands[i], 3) and i not in constant]
    states = [i for i in range(len(operands)) if _is_float(operands[i], 2) and i not in constant]
    counters = [i for i, v in enumerate(operands) if v.dtype == np.int32 and v.ndim == 0]
    if len(sequences) != 1 or len(masks) > 1 or len(listed) > 1:
        return None
    if {*sequences, *masks, *listed, *states, *counters} != set(range(len(operands))):
        return None
    previous = [i for i in states if _only_chosen(model, body, body.inputs[i])]
    read = {i for op in main.operators for i in op.inputs} | set(main.outputs)
    if read & {loop.outputs[i] for i in (*sequences, *masks, *previous, *counters)}:
        return None
    if len(previous) > len(masks) or any(np.any(operands[i]) for i in previous):
        return None
    if masks and operands[masks[0]].shape != (*operands[sequences[0]].shape[:2], 1):
        return None
    kept = [i for i in states if i not in previous]
    cell = _by_structure(model, loop, operands, sequences[0], kept)
    if cell is None:
        return None
    cell = replace(
        cell,
        listed=next(iter(listed), None),
        every=any(len(operands[i]) == len(operands[sequences[0]]) for i in listed),
        mask=next(iter(masks), None),
    )
    counts = np.random.default_rng(1).random(operands[masks[0]].shape) < 0.5 if masks else None
    replay = Replay(graph, loop)
    runs = [
        _run(cell, replay, operands, mask)
        for mask in ((None,) if counts is None else (counts, ~counts))
    ]
    return next((c for c in _variants(cell) if all(run and _agrees(c, run) for run in runs)), None)


def _is_float(value: Array, dimensions: int) -> bool:
    return value.dtype == np.float32 and value.ndim == dimensions


def _only_chosen(model: Any, body: Any, tensor: int) -> bool:
    """Return whether a tensor is read, if at all, only where a mask chooses between it and another.

    That is the output of the step before: a state is read by arithmetic too.
    """
    return all(
        flatbuffer.opcode(model, operator) in (SELECT, SELECT_V2)
        for operator in body.operators
        if tensor in operator.inputs
    )


def _by_structure(
    model: Any, loop: Loop, operands: Sequence[Array], sequence: int, states: Sequence[int]
) -> Cell | None:
    """Return the operator that the loop can be, by what its products read and what is added to them."""
    body = model.subgraphs[loop.body]
    products = weight_products(model, loop)
    above = _Above(body)
    reading = [p for p in products if body.inputs[sequence] in above(p.inputs[0])]
    carrying = [p for p in products if p not in reading]
    if (len(reading), len(carrying)) != (1, 1):
        return None
    read, carried = reading[0], carrying[0]
    first = [i for i in states if body.inputs[i] in above(carried.inputs[0])]
    if len(first) != 1:
        return None
    w, r = (_constant(model, body, product.inputs[1]) for product in (read, carried))
    assert w is not None and r is not None  # ``weight_products`` have constants
    units, features = operands[first[0]].shape[-1], operands[sequence].shape[-1]
    rows, left = divmod(len(r), units)
    kind = _KINDS.get((rows, len(states)))
    if left or kind is None or (w.shape, r.shape) != ((len(r), features), (len(r), units)):
        return None
    names = [flatbuffer.name(body.tensors[product.inputs[1]]) for product in (read, carried)]
    return Cell(
        kind=kind,
        activation="Tanh",
        body=flatbuffer.name(body),
        names=(names[0], names[1]),
        weights=(w, r),
        biases=_biases(model, body, read, carried),
        sequence=sequence,
        states=(*first, *(i for i in states if i not in first)),
        listed=None,
        every=False,
        shape=(operands[sequence].shape[0], operands[sequence].shape[1]),
    )


class _Above:
    """What each tensor of a graph is computed from: the indices of all tensors above it, and its own."""

    def __init__(self, graph: Any) -> None:
        self._found: dict[int, frozenset[int]] = {}
        for operator in graph.operators:  # in an order in which they can run
            above = frozenset[int]().union(*(self(index) for index in operator.inputs))
            for index in operator.outputs:
                self._found[index] = above | {index}

    def __call__(self, tensor: int) -> frozenset[int]:
        return self._found.get(tensor, frozenset({tensor}))


def _biases(model: Any, body: Any, read: Any, carried: Any) -> tuple[Array, Array]:
    """Return what the loop adds to the product of the sequence, and to that of the state.

    What is added to their sum is as well added to the first.
    """
    rows = flatbuffer.shape(body.tensors[read.inputs[1]])[0]
    totals = [np.zeros(rows, np.float32), np.zeros(rows, np.float32)]
    above = _Above(body)
    for operator in body.operators:
        adds = operator in (read, carried) or flatbuffer.opcode(model, operator) == ADD
        for index in operator.inputs if adds else ():
            value = _constant(model, body, index)
            if value is None or value.dtype != np.float32 or value.size != rows:
                continue
            below = above(operator.outputs[0])
            totals[0 if read.outputs[0] in below else 1] += value.reshape(rows)
    return totals[0], totals[1]


def _constant(model: Any, body: Any, index: int) -> Array | None:
    return flatbuffer.constant(model, body.tensors[index]) if index >= 0 else None


def _variants(cell: Cell) -> Iterator[Cell]:
    """Yield the cell with each of the activations, and of the outputs of masked steps."""
    for activation in ACTIVATIONS:
        for zeroed in (False, True) if cell.mask is not None else (False,):
            yield replace(cell, activation=activation, zeroed=zeroed)


@dataclass(frozen=True, slots=True)
class _Run:
    """A loop on random numbers, each step from a random state: what it read, and what came of it.

    ``before`` and ``after`` have the states of each step, stacked, in the order of ``Cell.states``;
    ``listed`` has the outputs.
    """

    sequence: Array
    mask: Array | None
    before: list[Array]
    after: list[Array]
    listed: Array | None


def _run(cell: Cell, replay: Replay, operands: Sequence[Array], mask: Array | None) -> _Run | None:
    """Run the loop once; None where it takes more steps than the sequence has, or fewer."""
    random = np.random.default_rng(0)
    # Wide enough to tell activations apart, and no wider: saturated gates are all alike.
    x_width, width = (
        1 / max(float(np.median(np.linalg.norm(weight, axis=1))), 1e-6) for weight in cell.weights
    )
    x = random.normal(0, x_width, operands[cell.sequence].shape).astype(np.float32)
    shape = (len(x), x.shape[1], cell.units)
    before = [random.normal(0, min(width, 0.5), shape).astype(np.float32) for _ in cell.states]
    after = [np.empty_like(state) for state in before]
    values = list(operands)
    values[cell.sequence] = x
    if cell.mask is not None and mask is not None:
        values[cell.mask] = mask
    for number in range(len(x)):
        if not replay.goes_on(values):
            return None
        for position, state in zip(cell.states, before, strict=True):
            values[position] = state[number]
        values = list(replay.step(values))
        for position, state in zip(cell.states, after, strict=True):
            if values[position].shape != shape[1:]:
                return None
            state[number] = values[position]
    if replay.goes_on(values):
        return None
    return _Run(x, mask, before, after, None if cell.listed is None else values[cell.listed])


def _agrees(cell: Cell, run: _Run) -> bool:
    """Return whether the operator's formula gives the numbers of the loop."""
    flat = [state.reshape(-1, cell.units).astype(np.float64) for state in run.before]
    x = run.sequence.reshape(-1, run.sequence.shape[-1]).astype(np.float64)
    results, tolerance = step(cell, x, flat)
    stepped = [result.reshape(run.before[0].shape) for result in results]
    after, outputs = stepped, stepped[0]
    if run.mask is not None:
        after = [np.where(run.mask, new, old) for new, old in zip(stepped, run.before, strict=True)]
        outputs = _masked(outputs, run.mask, zeroed=cell.zeroed)
    near = all(_near(got, wanted, tolerance) for got, wanted in zip(run.after, after, strict=True))
    if run.listed is None:
        return near
    return near and _near(run.listed, outputs if cell.every else outputs[-1:], tolerance)


def _masked(outputs: Array, mask: Array, *, zeroed: bool) -> Array:
    """Return the outputs of all steps, where those that do not count repeat the one before or are 0."""
    outputs = np.where(mask, outputs, 0)
    if not zeroed:
        for number in range(1, len(outputs)):
            outputs[number] = np.where(mask[number], outputs[number], outputs[number - 1])
    return outputs


def _near(got: Array, wanted: Array, tolerance: float) -> bool:
    return got.shape == wanted.shape and bool(np.all(np.abs(got - wanted) <= tolerance))
