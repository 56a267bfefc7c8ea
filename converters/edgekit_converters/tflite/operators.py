"""The operators of a float graph that a recipe can leave in float32."""

from dataclasses import dataclass
from pathlib import Path

from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import CAST, DEQUANTIZE, IF, QUANTIZE, SHAPE, WHILE

_NEVER_INTEGER = {QUANTIZE, DEQUANTIZE, CAST, SHAPE, WHILE, IF}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the main graph."""

    name: str
    """Of its first output, by which a recipe calls it."""
    tensors: frozenset[str]
    """The computed tensors that it reads and writes."""


def operators(graph: Path) -> tuple[Operator, ...]:
    """Return the operators of a float TFLite file that compute, in the order of the graph.

    >>> first, *_ = operators(Path("out/model_float32.tflite"))
    >>> first.name in first.tensors
    True
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    computed = []
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) in _NEVER_INTEGER or not len(operator.outputs):
            continue
        touched = [
            main.tensors[index]
            for index in (*operator.inputs, *operator.outputs)
            if index >= 0 and flatbuffer.constant(model, main.tensors[index]) is None
        ]
        computed.append(
            Operator(
                flatbuffer.name(main.tensors[operator.outputs[0]]),
                frozenset(map(flatbuffer.name, touched)),
            )
        )
    return tuple(computed)
