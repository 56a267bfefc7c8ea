"""Operators cut out of a TFLite file, as a file of their own: to be run, timed or compared alone."""

import copy
from collections.abc import Collection
from typing import Any

import numpy as np

from edgekit_converters.base import ConversionError
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import IF, WHILE

_RESOURCE, _VARIANT = 13, 14  # of TensorType: handles, which mean nothing in another file
_WITH_GRAPHS = {WHILE, IF}


def cut(model: Any, operators: Collection[int], *, fused: bool = True) -> bytes:
    """Return a TFLite file of some operators of a file's main graph.

    Its inputs are the tensors that they read and others make, or that are inputs of the graph; its
    outputs those that they make and others read, or that are outputs, or that nothing reads. Both keep
    their names, types and quantization, and stand in the order in which they are first read or made.

    >>> from pathlib import Path
    >>> model = flatbuffer.read(Path("out/model_float32.tflite"))
    >>> first = flatbuffer.read_packed(cut(model, [0]))
    >>> [flatbuffer.kind_name(first, operator) for operator in first.subgraphs[0].operators]
    ['CONV_2D']

    Args:
        model: from ``flatbuffer.read``; it stays as it is.
        operators: by their places in the graph.
        fused: whether operators keep the activation that is fused into them.

    Raises:
        ConversionError: an operator works on a variable of the whole file.
    """
    from ai_edge_litert import schema_py_generated as schema

    main = model.subgraphs[0]
    taken = [main.operators[place] for place in sorted(set(operators))]
    _check(model, taken)
    made = _indices(taken, "outputs")
    others = [op for place, op in enumerate(main.operators) if place not in operators]
    given = {*main.inputs, *_indices(others, "outputs")}
    wanted = {*main.outputs, *_indices(others, "inputs")}
    read = _indices(taken, "inputs")
    inputs = [i for i in read if i in given and i not in made]
    outputs = [i for i in made if i in wanted or i not in read]

    graph = schema.SubGraphT()
    used = sorted({*read, *made})
    place_of = {old: new for new, old in enumerate(used)} | {-1: -1}
    graph.name, graph.tensors = main.name, [copy.copy(main.tensors[i]) for i in used]
    graph.inputs, graph.outputs = ([place_of[i] for i in ends] for ends in (inputs, outputs))
    graph.operators = [copy.copy(operator) for operator in taken]
    for operator in graph.operators:
        operator.inputs = [place_of[int(i)] for i in operator.inputs]
        operator.outputs = [place_of[int(i)] for i in operator.outputs]
        if operator.intermediates is not None and len(operator.intermediates):
            operator.intermediates = []
        if not fused and hasattr(operator.builtinOptions, "fusedActivationFunction"):
            operator.builtinOptions = copy.copy(operator.builtinOptions)
            operator.builtinOptions.fusedActivationFunction = 0

    alone = schema.ModelT()
    alone.version, alone.buffers = model.version, model.buffers
    alone.subgraphs = [graph]
    if any(flatbuffer.opcode(model, operator) in _WITH_GRAPHS for operator in taken):
        alone.subgraphs += [_copied(inside) for inside in model.subgraphs[1:]]
    _take_codes(model, alone)
    return bytes(flatbuffer.packed(alone))


def _check(model: Any, operators: list[Any]) -> None:
    tensors = model.subgraphs[0].tensors
    for operator in operators:
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and tensors[index].type in (_RESOURCE, _VARIANT):
                raise ConversionError(
                    f"{flatbuffer.kind_name(model, operator)} works on a variable of the whole file "
                    f"({flatbuffer.name(tensors[index])}): it cannot be cut out of it."
                )


def _indices(operators: list[Any], side: str) -> list[int]:
    """Return the tensors that operators read or make, each once, in their order."""
    found = (int(i) for operator in operators for i in getattr(operator, side))
    return [i for i in dict.fromkeys(found) if i >= 0]


def _copied(graph: Any) -> Any:
    """Return a graph whose tensors and operators can be changed without changing those of the file."""
    copied = copy.copy(graph)
    copied.tensors = [copy.copy(tensor) for tensor in graph.tensors]
    copied.operators = [copy.copy(operator) for operator in graph.operators]
    return copied


def _take_codes(model: Any, alone: Any) -> None:
    """Give a file the operator codes that it needs, and no others."""
    operators = [operator for graph in alone.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    alone.operatorCodes = [copy.copy(model.operatorCodes[index]) for index in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def crossing(elements: int, *, to_int8: bool) -> bytes:
    """Return a file of one operator that quantizes, or dequantizes, so many numbers."""
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    buffer = schema.BufferT()
    model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, [buffer], [], [graph]
    graph.tensors, graph.operators, graph.name = [], [], b"main"
    for name in ("real", "integer"):
        flatbuffer.add_tensor(model, name, [1, elements])
    stored = schema.QuantizationParametersT()
    stored.scale, stored.zeroPoint = np.array([0.02], np.float32), np.array([3], np.int64)
    graph.tensors[1].type, graph.tensors[1].quantization = flatbuffer.INT8, stored
    ends = (0, 1) if to_int8 else (1, 0)
    graph.inputs, graph.outputs = [ends[0]], [ends[1]]
    kind = flatbuffer.QUANTIZE if to_int8 else flatbuffer.DEQUANTIZE
    graph.operators.append(flatbuffer.make_operator(model, kind, [ends[0]], [ends[1]]))
    return bytes(flatbuffer.packed(model))
