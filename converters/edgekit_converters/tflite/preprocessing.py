"""Preprocessing inside the model, which stays in float in quantized files.

An adapted Normalization layer subtracts a mean from each feature and divides it by a deviation. A
quantized input has one scale for all features: with areas of thousands beside ratios of hundredths, the
small ones would all become 0 before they are normalized. A Rescaling layer loses a little at each of
its steps, and LiteRT has no 16-bit kernels for its addition. In float these operators cost next to
nothing, and the first integer tensor is the one after them.
"""

from pathlib import Path

from edgekit_converters.tflite import flatbuffer

_ARITHMETIC = (0, 18, 41, 42)  # ADD, MUL, SUB and DIV of BuiltinOperator


def preprocessing(graph: Path) -> list[str]:
    """Return the tensors that a float graph computes from its inputs by arithmetic with constants."""
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    made = set(main.inputs)
    names: list[str] = []
    for operator in main.operators:
        is_float = main.tensors[operator.outputs[0]].type == flatbuffer.FLOAT32
        if not is_float or flatbuffer.opcode(model, operator) not in _ARITHMETIC:
            continue  # integers, such as an embedding's indices, are not quantized in any case
        constants = sum(
            flatbuffer.constant(model, main.tensors[index]) is not None for index in operator.inputs
        )
        if constants == 1 and made & set(operator.inputs):
            made |= set(operator.outputs)
            names += [flatbuffer.name(main.tensors[index]) for index in operator.outputs]
    return names
