"""Writing a TFLite file with its equal parts once: scales, options, short vectors, names."""

import copy
from typing import Any

from edgekit_converters.base import Array

_SHORT = 4096
"""Bytes of a vector up to which an equal one is shared."""


def sharing_builder(size: int) -> Any:
    """Return a ``flatbuffers.Builder`` that writes equal texts and short vectors once.

    Args:
        size: to begin with, in bytes. Near the final one it spares doubling the buffer again and again.
    """
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        """Shapes, zero points, the operands of operators; the name of an input and of its port."""

        def CreateNumpyVector(self, x: Array) -> int:  # noqa: N802
            if x.nbytes > _SHORT:
                return int(super().CreateNumpyVector(x))
            key = (x.dtype.str, x.tobytes())
            if key not in written:
                written[key] = int(super().CreateNumpyVector(x))
            return written[key]

        def CreateString(self, s: str | bytes, *encoding: str) -> int:  # noqa: N802
            key = ("text", s.encode(*encoding) if isinstance(s, str) else s)
            if key not in written:
                written[key] = int(super().CreateString(key[1]))
            return written[key]

    written: dict[tuple[str, bytes], int] = {}
    return Builder(size)


def with_shared_tables(model: Any) -> Any:
    """Return a copy of a ``ModelT`` that packs the quantization of equal scales, and equal options, once."""
    written: dict[Any, int] = {}
    made = copy.copy(model)
    made.subgraphs = [copy.copy(graph) for graph in model.subgraphs]
    for graph in made.subgraphs:
        graph.tensors = [_shared(tensor, "quantization", written) for tensor in graph.tensors]
        graph.operators = [
            _shared(operator, "builtinOptions", written) for operator in graph.operators or []
        ]
    return made


def _shared(holder: Any, field: str, written: dict[Any, int]) -> Any:
    table = getattr(holder, field)
    if table is None:
        return holder
    made = copy.copy(holder)
    setattr(made, field, _Once(table, written))
    return made


class _Once:
    """A table that is written when its first equal is, as the generated classes call it."""

    def __init__(self, table: Any, written: dict[Any, int]) -> None:
        self._table, self._written = table, written

    def Pack(self, builder: Any) -> int:  # noqa: N802
        key = _content(self._table)
        if key not in self._written:
            self._written[key] = int(self._table.Pack(builder))
        return self._written[key]


def _content(value: Any) -> Any:
    """Return what tells two values apart, where both are of the generated classes, or in them."""
    if hasattr(value, "tobytes"):
        return (value.dtype.str, value.tobytes())
    if hasattr(value, "Pack"):
        return (type(value), *((name, _content(part)) for name, part in vars(value).items()))
    return tuple(map(_content, value)) if isinstance(value, list) else value
