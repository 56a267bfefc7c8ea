"""What a quantized TFLite file decided, held against the float graph it was made from.

Both files hold the same operators in the same order, but for the QUANTIZE and DEQUANTIZE that
mark where a tensor changes its type. So each operator's operands can be paired off: this is how
the ONNX twin learns every scale and every integer weight, instead of computing its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError
from edgekit_converters.tflite import flatbuffer

MAIN = ""
"""What stands for the name of a file's main graph."""

_INTEGER = {7, 9}  # int16, int8: what an activation can be quantized to


@dataclass(frozen=True, slots=True)
class Scale:
    """Real value = ``scale`` x (integer - ``zero_point``), of an activation of 8 or 16 bits."""

    scale: float
    zero_point: int
    bits: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A quantized weight or bias: integers, one scale or one for each channel along an axis."""

    values: Array
    scales: Array
    zero_point: int
    axis: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of the float graph, and how the quantized file runs it.

    ``kind`` is its ``BuiltinOperator`` and ``activation`` the one fused into it, 0 for none.
    ``inputs`` and ``outputs`` are tensor names of the float graph; ``scales`` and ``constants``
    say, for the input at a position, how it is quantized there (None: it stays real).
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: int
    activation: int
    input_scales: tuple[Scale | None, ...]
    output_scales: tuple[Scale | None, ...]
    constants: tuple[Constant | None, ...]


def read_quantization(graph: Path, quantized: Path) -> dict[str, list[Operation]]:
    """Pairs each operator of the float file's graphs with its quantized self, by the graph's name.

    The main graph's name is ``MAIN``; the others are those of loops.

    Raises:
        ConversionError: the two files are not of one graph.
    """
    floats, ints = flatbuffer.read(graph), flatbuffer.read(quantized)
    marks = {flatbuffer.QUANTIZE, flatbuffer.DEQUANTIZE}
    found = {}
    for number, (ours, theirs) in enumerate(zip(floats.subgraphs, ints.subgraphs, strict=True)):
        kept = [op for op in theirs.operators if flatbuffer.opcode(ints, op) not in marks]
        if [flatbuffer.opcode(floats, op) for op in ours.operators] != [
            flatbuffer.opcode(ints, op) for op in kept
        ]:
            raise ConversionError(f"{quantized.name} does not hold the operators of {graph.name}.")
        name = flatbuffer.name(ours) if number else MAIN
        found[name] = [
            Operation(
                inputs=tuple(_names(ours, real.inputs)),
                outputs=tuple(_names(ours, real.outputs)),
                kind=flatbuffer.opcode(floats, real),
                activation=int(getattr(real.builtinOptions, "fusedActivationFunction", 0) or 0),
                input_scales=tuple(_scale(ints, theirs, i) for i in whole.inputs),
                output_scales=tuple(_scale(ints, theirs, i) for i in whole.outputs),
                constants=tuple(_constant(ints, theirs, i) for i in whole.inputs),
            )
            for real, whole in zip(ours.operators, kept, strict=True)
        ]
    return found


def _names(graph: Any, indices: Any) -> list[str]:
    return [flatbuffer.name(graph.tensors[i]) if i >= 0 else "" for i in indices]


def _scale(model: Any, graph: Any, index: int) -> Scale | None:
    if index < 0:
        return None
    tensor = graph.tensors[index]
    found = tensor.quantization
    if tensor.type not in _INTEGER or found is None or found.scale is None or not len(found.scale):
        return None
    if flatbuffer.constant(model, tensor) is not None:
        return None
    bits = 8 if tensor.type == 9 else 16
    return Scale(float(np.float32(found.scale[0])), int(found.zeroPoint[0]), bits)


def _constant(model: Any, graph: Any, index: int) -> Constant | None:
    if index < 0:
        return None
    tensor = graph.tensors[index]
    found = tensor.quantization
    values = flatbuffer.constant(model, tensor)
    if values is None or found is None or found.scale is None or not len(found.scale):
        return None
    scales = np.asarray(found.scale, np.float32)
    return Constant(values, scales, int(found.zeroPoint[0]), int(found.quantizedDimension))
