"""Tensors and operators of any type for a TFLite graph, and the graph without what nothing needs."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import WHILE

FLOAT32, INT32, INT16, INT8 = 0, 2, 7, 9
LSTM, SLICE, REVERSE_V2, GATHER, LESS = 44, 65, 105, 36, 58

_TYPES = {"float32": FLOAT32, "int32": INT32, "int16": INT16, "int8": INT8}

Parameters = tuple[float, int]
"""Scale and zero point."""


def add_constant(model: Any, named: str, value: Array, quantized: Parameters | None = None) -> int:
    """Add a constant to the main graph; return its index."""
    from ai_edge_litert import schema_py_generated as schema

    index = add_tensor(model, named, value.shape, _TYPES[value.dtype.name], quantized)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
    model.subgraphs[0].tensors[index].buffer = len(model.buffers)
    model.buffers.append(buffer)
    return index


def add_tensor(
    model: Any,
    named: str,
    shape: Sequence[int],
    kind: int,
    quantized: Parameters | None = None,
    *,
    variable: bool = False,
) -> int:
    """Add a tensor to the main graph; return its index.

    Args:
        model: to add to.
        named: its name, which no other tensor has.
        shape: its shape.
        kind: its ``TensorType``.
        quantized: scale and zero point, where it holds integers that stand for real numbers.
        variable: whether its value lives from call to call.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape = named.encode(), np.array(shape, np.int32)
    tensor.type, tensor.buffer, tensor.isVariable = kind, 0, variable
    if quantized is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array([quantized[0]], np.float32)
        tensor.quantization.zeroPoint = np.array([quantized[1]], np.int64)
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    return len(tensors) - 1


def parameters(tensor: Any) -> Parameters:
    """Return scale and zero point of a tensor with one of each."""
    stored = tensor.quantization
    return float(stored.scale[0]), int(stored.zeroPoint[0])


def make_operator(
    model: Any, builtin: int, inputs: Iterable[int], outputs: Iterable[int], version: int = 1
) -> Any:
    """Return a new operator of this version or a later one, without options, which is in no graph yet."""
    from ai_edge_litert import schema_py_generated as schema

    codes = [
        number
        for number, code in enumerate(model.operatorCodes)
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin and code.version >= version
    ]
    if not codes:
        codes = [len(model.operatorCodes)]
        flatbuffer.add_operator_code(model, builtin).version = version
    operator = schema.OperatorT()
    operator.opcodeIndex = codes[0]
    operator.inputs, operator.outputs = list(map(int, inputs)), list(map(int, outputs))
    return operator


def make_slice(
    model: Any, named: str, source: int, begin: Sequence[int], size: Sequence[int], target: int
) -> Any:
    """Return a SLICE of a tensor into another, which is in no graph yet."""
    from ai_edge_litert import schema_py_generated as schema

    where = [
        add_constant(model, f"{named}/{part}", np.array(value, np.int32))
        for part, value in (("begin", begin), ("size", size))
    ]
    operator = make_operator(model, SLICE, [source, *where], [target], version=2)
    operator.builtinOptionsType = schema.BuiltinOptions.SliceOptions
    operator.builtinOptions = schema.SliceOptionsT()
    return operator


def prune(model: Any) -> None:
    """Drop operators whose results nothing reads, and the tensors, graphs and codes that only they needed."""
    main = model.subgraphs[0]
    state = {i for i, tensor in enumerate(main.tensors) if tensor.isVariable}
    while True:
        read = state.union(main.outputs, *(operator.inputs for operator in main.operators))
        kept = [operator for operator in main.operators if not read.isdisjoint(operator.outputs)]
        if len(kept) == len(main.operators):
            break
        main.operators = kept
    _drop_graphs(model)
    _drop_tensors(model)
    codes = sorted({operator.opcodeIndex for g in model.subgraphs for operator in g.operators})
    for graph in model.subgraphs:
        for operator in graph.operators:
            operator.opcodeIndex = codes.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[old] for old in codes]


def _drop_graphs(model: Any) -> None:
    """Drop the graphs of loops that are no more."""
    options = [
        operator.builtinOptions
        for operator in model.subgraphs[0].operators
        if flatbuffer.opcode(model, operator) == WHILE
    ]
    used = sorted({0, *(n for o in options for n in (o.condSubgraphIndex, o.bodySubgraphIndex))})
    for option in options:
        option.condSubgraphIndex = used.index(option.condSubgraphIndex)
        option.bodySubgraphIndex = used.index(option.bodySubgraphIndex)
    model.subgraphs = [model.subgraphs[old] for old in used]


def _drop_tensors(model: Any) -> None:
    """Drop the main graph's tensors that nothing refers to."""
    main = model.subgraphs[0]
    ends = [
        indices
        for operator in main.operators
        for indices in (operator.inputs, operator.outputs, operator.intermediates)
        if indices is not None
    ]
    used = sorted(
        {int(i) for indices in (*ends, main.inputs, main.outputs) for i in indices} - {-1}
    )
    place = {old: new for new, old in enumerate(used)} | {-1: -1}

    def moved(indices: Sequence[int] | None) -> Array | None:
        return None if indices is None else np.array([place[int(i)] for i in indices], np.int32)

    for operator in main.operators:
        operator.inputs, operator.outputs = moved(operator.inputs), moved(operator.outputs)
        operator.intermediates = moved(operator.intermediates)
    main.inputs, main.outputs = moved(main.inputs), moved(main.outputs)
    for signature in model.signatureDefs or []:
        for port in (*signature.inputs, *signature.outputs):
            port.tensorIndex = place[int(port.tensorIndex)]
    main.tensors = [main.tensors[old] for old in used]
