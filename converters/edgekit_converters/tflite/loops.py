"""The loops of recurrent layers: finding them, and running one again step by step.

In TFLite a recurrent layer is a WHILE operator with two more graphs, a condition and a body. In int8
the body's matrix products, which hold the weights, are computed in integers; its gates and its state
stay in float32. No tool calibrates inside a loop, so each one is run again here, from the values that
the main graph gave it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.interpreter import open_interpreter

_PRODUCTS = (3, 4, 9, 67)  # CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, TRANSPOSE_CONV
_WITH_GRAPHS = (flatbuffer.WHILE, flatbuffer.IF)
_MOST_STEPS = 100_000  # against a loop whose condition never turns false


@dataclass(frozen=True, slots=True)
class Loop:
    """A WHILE of the main graph: its operands' indices there, and the indices of its two graphs."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    condition: int
    body: int


def find_loops(model: Any) -> list[Loop]:
    """Return the loops of a TFLite file's main graph, except those with a loop or an IF in them."""
    loops = []
    for operator in model.subgraphs[0].operators:
        if flatbuffer.opcode(model, operator) == flatbuffer.WHILE:
            options = operator.builtinOptions
            loop = Loop(
                tuple(operator.inputs),
                tuple(operator.outputs),
                options.condSubgraphIndex,
                options.bodySubgraphIndex,
            )
            body = model.subgraphs[loop.body]
            if not any(flatbuffer.opcode(model, op) in _WITH_GRAPHS for op in body.operators):
                loops.append(loop)
    return loops


def count_loops(graph: Path) -> int:
    """Return how many WHILEs, which recurrent layers become, a TFLite file has."""
    model = flatbuffer.read(graph)
    return sum(
        flatbuffer.opcode(model, operator) == flatbuffer.WHILE
        for operator in model.subgraphs[0].operators
    )


def weight_products(model: Any, loop: Loop) -> list[Any]:
    """Return the operators of a loop's body that multiply by constant weights."""
    body = model.subgraphs[loop.body]
    return [
        operator
        for operator in body.operators
        if flatbuffer.opcode(model, operator) in _PRODUCTS
        and flatbuffer.constant(model, body.tensors[operator.inputs[1]]) is not None
    ]


class Replay:
    """A loop that can be run again, showing the operands and results of its matrix products."""

    def __init__(self, graph: Path, loop: Loop) -> None:
        model = flatbuffer.read(graph)
        body = model.subgraphs[loop.body]
        self.inputs = loop.inputs
        self._watched = {
            int(index): flatbuffer.name(body.tensors[index])
            for operator in weight_products(model, loop)
            for index in (operator.inputs[0], operator.outputs[0])
        }
        self._condition, self._body = (
            _Graph(graph, number) for number in (loop.condition, loop.body)
        )

    def run(
        self, state: Sequence[Array], see: Callable[[str, Array], None] = lambda name, value: None
    ) -> Sequence[Array]:
        """Run the loop from ``state``, the values of its operands; return the state in which it ends.

        Each step, ``see`` is called with the name and value of every watched tensor.
        """
        for _ in range(_MOST_STEPS):
            if not self.goes_on(state):
                break
            state = self.step(state)
            for index, name in self._watched.items():
                see(name, self._body.interpreter.get_tensor(index))
        return state

    def goes_on(self, state: Sequence[Array]) -> bool:
        """Return the loop's condition."""
        return bool(self._condition(state)[0].item())

    def step(self, state: Sequence[Array]) -> Sequence[Array]:
        """Return the loop's operands after one more step."""
        return self._body(state)


class _Graph:
    """One graph of a TFLite file, as a function of arrays."""

    def __init__(self, file: Path, number: int) -> None:
        model = flatbuffer.read(file)
        model.subgraphs, model.signatureDefs = [model.subgraphs[number]], []
        self.interpreter = open_interpreter(bytes(flatbuffer.packed(model)))
        self._inputs = [d["index"] for d in self.interpreter.get_input_details()]
        self._outputs = [d["index"] for d in self.interpreter.get_output_details()]
        self._shapes: list[tuple[int, ...]] = []

    def __call__(self, arguments: Sequence[Array]) -> list[Array]:
        shapes = [np.shape(argument) for argument in arguments]
        if shapes != self._shapes:  # in the file an unknown shape is a scalar's
            for index, shape in zip(self._inputs, shapes, strict=True):
                self.interpreter.resize_tensor_input(index, shape)
            self.interpreter.allocate_tensors()
            self._shapes = shapes
        for index, argument in zip(self._inputs, arguments, strict=True):
            self.interpreter.set_tensor(index, argument)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in self._outputs]
