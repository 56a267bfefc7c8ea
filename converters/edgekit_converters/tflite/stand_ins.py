"""Operators that LiteRT Quantizer does not know, shown to it as ones that it knows.

It has a rule for each kind of operator, by which it chooses scales. What it has no rule for stays in
float, even where TFLite has an integer kernel, as for PRELU. So the quantizer gets a graph in which such
an operator is of another kind, with the same operands and the rule that fits, and afterwards the
operator gets its own kind back. The quantizer runs none of them, and reads none of their options.
"""

from pathlib import Path
from typing import Any

from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import (
    DEQUANTIZE,
    ELU,
    EXP,
    LEAKY_RELU,
    MAXIMUM,
    MINIMUM,
    MUL,
    PRELU,
    QUANTIZE,
    REDUCE_MAX,
    REDUCE_MIN,
    RELU,
)

_STAND_INS: dict[int, tuple[int, frozenset[int]]] = {
    # input and output have scales of their own
    PRELU: (MUL, frozenset({8})),
    LEAKY_RELU: (RELU, frozenset({8, 16})),
    ELU: (RELU, frozenset({8})),
    EXP: (RELU, frozenset({8})),
    MINIMUM: (MAXIMUM, frozenset({8, 16})),  # operands have the scale of the output
    REDUCE_MAX: (REDUCE_MIN, frozenset({8, 16})),  # the output has the scale of the input
}
"""By ``BuiltinOperator``: the kind that it is shown as, and the bits of activations in which TFLite
(``tflite/kernels``) has an integer kernel for it and the quantizer a rule for its stand-in."""


def with_stand_ins(graph: Path, bits: int) -> bytes | None:
    """Return a float TFLite file with stand-ins, for activations of ``bits``; None where it needs none."""
    model = flatbuffer.read(graph)
    places: dict[int, int] = {}
    for operator in model.subgraphs[0].operators:
        kind = flatbuffer.opcode(model, operator)
        stand_in, able = _STAND_INS.get(kind, (kind, frozenset[int]()))
        if bits not in able:
            continue
        if stand_in not in places:
            flatbuffer.add_operator_code(model, stand_in)
            places[stand_in] = len(model.operatorCodes) - 1
        operator.opcodeIndex = places[stand_in]
    return bytes(flatbuffer.packed(model)) if places else None


def restore(graph: Path, quantized: Any) -> None:
    """Give the operators of a quantized file the kinds that they have in ``graph`` back.

    The quantizer keeps the order of operators, and inserts QUANTIZE and DEQUANTIZE.
    """
    model = flatbuffer.read(graph)
    casts = {QUANTIZE, DEQUANTIZE}
    kept = [
        operator
        for operator in quantized.subgraphs[0].operators
        if flatbuffer.opcode(quantized, operator) not in casts
    ]
    for plain, integer in zip(model.subgraphs[0].operators, kept, strict=True):
        integer.opcodeIndex = plain.opcodeIndex  # the quantizer adds its own codes behind these
