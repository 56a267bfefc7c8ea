"""The operators of a quantized TFLite file, paired with those of the float graph it was made from.

Both files have the same operators in the same order, except for the QUANTIZE and DEQUANTIZE where a
tensor changes its type. So every operand of the float graph has its counterpart, with its scale or its
integers: the ONNX file takes them over from here instead of computing them again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError
from edgekit_converters.tflite import flatbuffer

MAIN = ""
"""The main graph, where graphs are found by name."""

BIAS_INPUT = {3: 2, 4: 2, 9: 2, 67: 3}
"""Which input the bias is of an operator with weights, by ``BuiltinOperator``: CONV_2D,
DEPTHWISE_CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV. The weights are input 1."""
TO_PROBABILITIES = frozenset({14, 25})
"""LOGISTIC and SOFTMAX, which hide differences: their results are near 0 and 1."""

_INTEGER = {7, 9}  # int16, int8: what an activation can be quantized to


@dataclass(frozen=True, slots=True)
class Scale:
    """Quantization of an activation: value = ``scale`` x (integer - ``zero_point``), in 8 or 16 bits."""

    scale: float
    zero_point: int
    bits: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A quantized weight or bias: integers, with one scale, or one a channel along ``axis``."""

    values: Array
    scales: Array
    zero_point: int
    axis: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of the float graph, and its quantization.

    ``inputs`` and ``outputs`` are tensor names of the float graph. ``input_scales``, ``output_scales``
    and ``constants`` have an entry for each of them; None: not quantized.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: int
    """Its ``BuiltinOperator``."""
    activation: int
    """The ``ActivationFunctionType`` fused into it; 0: none."""
    input_scales: tuple[Scale | None, ...]
    output_scales: tuple[Scale | None, ...]
    constants: tuple[Constant | None, ...]


def real_values(values: Array, scale: Scale | None) -> Array:
    """Return the float values of an activation, which may be in integers."""
    if scale is None:
        return values
    steps = values.astype(np.float32) - np.float32(scale.zero_point)
    return np.asarray(steps * np.float32(scale.scale))


def real_constant(constant: Constant) -> Array:
    """Return the float values of a constant."""
    steps = constant.values.astype(np.float32) - np.float32(constant.zero_point)
    return np.asarray(steps * channel_scales(constant))


def channel_scales(constant: Constant) -> Array:
    """Return the scales of a constant, in its shape with the other axes of length 1."""
    shape = [1] * constant.values.ndim
    if len(constant.scales) > 1:
        shape[constant.axis] = -1
    return constant.scales.reshape(shape)


def read_operators(graph: Path, quantized: Path) -> dict[str, list[Operation]]:
    """Pair each operator of a float file with its counterpart in a quantized file.

    Returns:
        The operators of each graph, by its name: ``MAIN``, or that of a loop's body or condition.

    Raises:
        ConversionError: the two files are not of one graph.
    """
    floats, ints = flatbuffer.read(graph), flatbuffer.read(quantized)
    casts = {flatbuffer.QUANTIZE, flatbuffer.DEQUANTIZE}
    operations = {}
    for number, (ours, theirs) in enumerate(zip(floats.subgraphs, ints.subgraphs, strict=True)):
        kept = [op for op in theirs.operators if flatbuffer.opcode(ints, op) not in casts]
        if [flatbuffer.opcode(floats, op) for op in ours.operators] != [
            flatbuffer.opcode(ints, op) for op in kept
        ]:
            raise ConversionError(f"{quantized.name} does not hold the operators of {graph.name}.")
        name = flatbuffer.name(ours) if number else MAIN
        operations[name] = [
            Operation(
                inputs=tuple(_names(ours, plain.inputs)),
                outputs=tuple(_names(ours, plain.outputs)),
                kind=flatbuffer.opcode(floats, plain),
                activation=int(getattr(plain.builtinOptions, "fusedActivationFunction", 0) or 0),
                input_scales=tuple(_scale(ints, theirs, i) for i in integer.inputs),
                output_scales=tuple(_scale(ints, theirs, i) for i in integer.outputs),
                constants=tuple(_constant(ints, theirs, i) for i in integer.inputs),
            )
            for plain, integer in zip(ours.operators, kept, strict=True)
        ]
    return operations


def _names(graph: Any, indices: Any) -> list[str]:
    return [flatbuffer.name(graph.tensors[i]) if i >= 0 else "" for i in indices]


def _scale(model: Any, graph: Any, index: int) -> Scale | None:
    if index < 0:
        return None
    tensor = graph.tensors[index]
    stored = tensor.quantization
    if (
        tensor.type not in _INTEGER
        or stored is None
        or stored.scale is None
        or not len(stored.scale)
    ):
        return None
    if flatbuffer.constant(model, tensor) is not None:
        return None
    bits = 8 if tensor.type == 9 else 16
    return Scale(float(np.float32(stored.scale[0])), int(stored.zeroPoint[0]), bits)


def _constant(model: Any, graph: Any, index: int) -> Constant | None:
    if index < 0:
        return None
    tensor = graph.tensors[index]
    stored = tensor.quantization
    values = flatbuffer.constant(model, tensor)
    if values is None or stored is None or stored.scale is None or not len(stored.scale):
        return None
    scales = np.asarray(stored.scale, np.float32)
    return Constant(values, scales, int(stored.zeroPoint[0]), int(stored.quantizedDimension))
