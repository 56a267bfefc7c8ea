"""Preprocessing inside the model, which an int8 input cannot carry.

An adapted Normalization layer subtracts a mean from each feature and divides it by a deviation. Its
input has one scale for all features: with areas of thousands beside ratios of hundredths, the small
ones all become 0 before they are normalized. So these operators stay in float, and the first int8
tensor is the one after them.
"""

from pathlib import Path

from edgekit_converters import flatbuffer

_ADD, _MUL, _SUB, _DIV = 0, 18, 41, 42  # of BuiltinOperator


def normalization(graph: Path) -> list[str]:
    """The tensors that a float graph makes of its inputs feature by feature, before anything else.

    Additions, products, differences and quotients with a vector of constants; a chain of them counts
    if one vector has more than one element.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    made = set(main.inputs)
    found: list[str] = []
    by_feature = False
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) not in (_ADD, _MUL, _SUB, _DIV):
            continue
        constants = [
            value
            for index in operator.inputs
            if (value := flatbuffer.constant(model, main.tensors[index])) is not None
        ]
        if len(constants) == 1 and made & set(operator.inputs):
            by_feature = by_feature or constants[0].size > 1
            made |= set(operator.outputs)
            found += [flatbuffer.name(main.tensors[index]) for index in operator.outputs]
    return found if by_feature else []
