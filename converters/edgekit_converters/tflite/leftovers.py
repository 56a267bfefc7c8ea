"""The operators that compute in float32 in a quantized file, to be named to the user."""

from pathlib import Path
from typing import Any

from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import CAST, DEQUANTIZE, IF, QUANTIZE, SHAPE, WHILE

_NO_ARITHMETIC = {QUANTIZE, DEQUANTIZE, CAST, SHAPE}
_WITH_GRAPHS = {WHILE, IF}  # of loops, another note says what is in integers


def float_operators(quantized: Path, meant: frozenset[str] = frozenset()) -> list[str]:
    """Return the kind of each operator of a quantized file's main graph that computes in float32.

    >>> float_operators(Path("out/model_int8.tflite"))
    []

    Not of what is in float on purpose: type changes, the state of loops, and ``meant``.

    Args:
        quantized: a TFLite file.
        meant: names of tensors that are computed in float on purpose, from ``preprocessing``.
    """
    model = flatbuffer.read(quantized)
    main = model.subgraphs[0]
    in_loops = {
        index
        for operator in main.operators
        if flatbuffer.opcode(model, operator) in _WITH_GRAPHS
        for index in (*operator.inputs, *operator.outputs)
    }
    kinds = []
    for operator in main.operators:
        kind = flatbuffer.opcode(model, operator)
        if kind in _NO_ARITHMETIC | _WITH_GRAPHS:
            continue
        if any(flatbuffer.name(main.tensors[index]) in meant for index in operator.outputs):
            continue
        if in_loops & {*operator.inputs, *operator.outputs}:
            continue  # what a loop takes and gives is in float
        if any(
            _is_float(model, main.tensors[i])
            for i in (*operator.inputs, *operator.outputs)
            if i >= 0
        ):
            kinds.append(flatbuffer.kind_name(model, operator))
    return kinds


def _is_float(model: Any, tensor: Any) -> bool:
    """Return whether a tensor is computed, in float32."""
    return tensor.type == flatbuffer.FLOAT32 and flatbuffer.constant(model, tensor) is None
