"""Embeddings without the wrap of their indices.

Keras writes LESS, ADD and SELECT in front of the GATHER of an Embedding, so that an index below 0 counts
from the end. TensorFlow Lite Micro has no kernel for SELECT. Words have no negative numbers.
"""

from typing import Any

from edgekit_converters.targets.graph_parts import GATHER, LESS
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import ADD, SELECT, SELECT_V2


def drop_index_wraps(model: Any) -> int:
    """Point each GATHER of a main graph at its index itself; return how many were wrapped.

    The operators that nothing reads then are still there.
    """
    main = model.subgraphs[0]
    maker = {int(i): operator for operator in main.operators for i in operator.outputs}
    dropped = 0
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) != GATHER:
            continue
        index = _unwrapped(model, maker, operator)
        if index is not None:
            operator.inputs = [operator.inputs[0], index, *operator.inputs[2:]]
            dropped += 1
    return dropped


def _unwrapped(model: Any, maker: dict[int, Any], gather: Any) -> int | None:
    """Return the index that is wrapped into select(index < 0, index + rows, index); else None."""
    main = model.subgraphs[0]
    rows = flatbuffer.shape(main.tensors[gather.inputs[0]])[0]
    select = maker.get(int(gather.inputs[1]))
    if select is None or flatbuffer.opcode(model, select) not in (SELECT, SELECT_V2):
        return None
    below, added = (maker.get(int(i)) for i in select.inputs[:2])
    index = int(select.inputs[2])
    for operator, kind, other in ((below, LESS, 0), (added, ADD, rows)):
        if operator is None or flatbuffer.opcode(model, operator) != kind:
            return None
        constant = flatbuffer.constant(model, main.tensors[operator.inputs[1]])
        if int(operator.inputs[0]) != index or constant is None or set(constant.flat) != {other}:
            return None
    return index
