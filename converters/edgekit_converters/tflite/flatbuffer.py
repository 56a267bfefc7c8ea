"""The TFLite file as Python objects: reading, writing, names and constants.

The format is the one of ``schema.fbs`` in the LiteRT sources; the classes generated from it
come with ai-edge-litert.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.tflite.packing import sharing_builder, with_shared_tables

_NUMPY_OF_TENSOR_TYPE: dict[int, str] = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
}
FLOAT32, INT8 = 0, 9

# Values of BuiltinOperator that this package asks about.
QUANTIZE, DEQUANTIZE, FULLY_CONNECTED, RESHAPE, CUSTOM, WHILE = 114, 6, 9, 22, 32, 119
SQUARED_DIFFERENCE, RSQRT, CAST, SHAPE, IF = 99, 76, 53, 77, 118
RELU, MUL, MAXIMUM, MINIMUM, REDUCE_MIN, REDUCE_MAX = 19, 18, 55, 57, 89, 82
PRELU, LEAKY_RELU, ABS, NEG, SQUARE, TILE, CONCATENATION = 54, 98, 101, 59, 92, 69, 2
ADD, SUB, BATCH_MATMUL, HARD_SWISH, SELECT, SELECT_V2 = 0, 41, 126, 117, 64, 123
ELU, EXP, CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV = 111, 47, 3, 4, 67
RELU6_FUSED = 3  # of ActivationFunctionType

_OPTIONS = {
    ADD: "Add",
    BATCH_MATMUL: "BatchMatMul",
    CONCATENATION: "Concatenation",
    FULLY_CONNECTED: "FullyConnected",
    MUL: "Mul",
    RESHAPE: "Reshape",
    SUB: "Sub",
}
"""What the schema calls the options of operators that are made here; QUANTIZE and MAXIMUM need none."""


def read(path: Path) -> Any:
    """Read a file as a ``ModelT``; its constants are views into one buffer, not copies."""
    return read_packed(path.read_bytes())


def read_packed(content: bytes) -> Any:
    """Read the bytes of a file, as ``read`` does."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # data kept behind the flatbuffer itself, as for files above 2 GB
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def write(model: Any, path: Path) -> None:
    """Write a ``ModelT`` as a file that a runtime opens."""
    path.write_bytes(packed(model))


def packed(model: Any) -> bytearray:
    """Return a ``ModelT`` as the bytes of a file, in which equal parts are stored once."""
    _slim(model)
    for code in model.operatorCodes:
        # Operators below 127 are in both fields (schema.fbs); LiteRT Quantizer fills only the new
        # one, and readers of the old one, as OpenVINO, take its QUANTIZE for an ADD.
        code.deprecatedBuiltinCode = min(code.builtinCode or code.deprecatedBuiltinCode, 127)
    constants = sum(len(b.data) for b in model.buffers if b.data is not None)
    builder = sharing_builder(constants + 1_048_576)
    builder.Finish(with_shared_tables(model).Pack(builder), b"TFL3")
    output: bytearray = builder.Output()
    return output


def _slim(model: Any) -> None:
    """Drops empty descriptions and buffers that nothing uses: a fifth of a small model's file."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    for tensor in tensors:
        data = model.buffers[tensor.buffer].data
        if data is None or len(data) == 0:
            tensor.buffer = 0  # the empty one, by the format's rule
        stored = tensor.quantization
        if stored is not None and (stored.scale is None or not len(stored.scale)):
            tensor.quantization = None
    notes = model.metadata or []
    used = sorted({0, *(holder.buffer for holder in (*tensors, *notes))})
    place = {old: new for new, old in enumerate(used)}
    for holder in (*tensors, *notes):
        holder.buffer = place[holder.buffer]
    model.buffers = [model.buffers[old] for old in used]
    model.metadataBuffer = None  # an older place for ``metadata``


def name(tensor: Any) -> str:
    """A tensor's or a graph's name as text."""
    return str(tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name)


def constant(model: Any, tensor: Any) -> Array | None:
    """The value of a constant tensor, or None for one that is computed."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0 or tensor.type not in _NUMPY_OF_TENSOR_TYPE:
        return None
    flat = np.frombuffer(np.ascontiguousarray(data), dtype=_NUMPY_OF_TENSOR_TYPE[tensor.type])
    return flat.reshape(shape(tensor))


def shape(tensor: Any) -> tuple[int, ...]:
    """A tensor's shape; a scalar's is empty."""
    return () if tensor.shape is None else tuple(int(n) for n in tensor.shape)


def dtype(kind: int) -> str:
    """Return the numpy type of a ``TensorType``; bytes for those that numpy has none for."""
    return _NUMPY_OF_TENSOR_TYPE.get(kind, "uint8")


def opcode(model: Any, operator: Any) -> int:
    """Return the operator's ``BuiltinOperator`` number, from the older or the newer field."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def kind_name(model: Any, operator: Any) -> str:
    """Return the name of the operator's kind, as ``PRELU``; a custom operator's own name."""
    from ai_edge_litert import schema_py_generated as schema

    number = opcode(model, operator)
    if number == CUSTOM:
        custom = model.operatorCodes[operator.opcodeIndex].customCode or b"CUSTOM"
        return str(custom.decode() if isinstance(custom, bytes) else custom)
    kinds = vars(schema.BuiltinOperator).items()
    return next((name for name, value in kinds if value == number), str(number))


def add_operator_code(model: Any, builtin: int) -> Any:
    """Add an entry to the file's operator codes, as the last one, and return it."""
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    return code


def drop_unused_codes(model: Any) -> None:
    """Remove the operator codes that no operator has."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({int(operator.opcodeIndex) for operator in operators})
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def make_operator(model: Any, builtin: int, inputs: Sequence[int], outputs: Sequence[int]) -> Any:
    """Return a new operator with default options, which is not in a graph yet."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    if builtin not in kinds:
        add_operator_code(model, builtin)
        kinds.append(builtin)
    operator = schema.OperatorT()
    operator.opcodeIndex = kinds.index(builtin)
    operator.inputs, operator.outputs = list(inputs), list(outputs)
    if kind := _OPTIONS.get(builtin):
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
        operator.builtinOptions = getattr(schema, f"{kind}OptionsT")()
    return operator


def add_tensor(model: Any, wanted: str, shape: Sequence[int], value: Array | None = None) -> int:
    """Add a float32 tensor to the main graph, constant where it has a value; return its index."""
    from ai_edge_litert import schema_py_generated as schema

    taken = {name(tensor) for graph in model.subgraphs for tensor in graph.tensors}
    tensor = schema.TensorT()
    tensor.name, tensor.shape = _free(wanted, taken).encode(), np.array(shape, np.int32)
    tensor.type, tensor.buffer = FLOAT32, 0  # the empty buffer, by the format's rule
    if value is not None:
        tensor.buffer = len(model.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        model.buffers.append(buffer)
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def add_reshape(model: Any, source: int, named: str, shape: Sequence[int]) -> Any:
    """Return a RESHAPE of a tensor of the main graph, into a new tensor; the caller places it."""
    from ai_edge_litert import schema_py_generated as schema

    main, new = model.subgraphs[0], np.array(shape, np.int32)
    made, size, buffer = schema.TensorT(), schema.TensorT(), schema.BufferT()
    made.name, made.shape, made.buffer = named.encode(), new, 0
    made.type = main.tensors[source].type
    size.name, size.shape, size.type = f"{named}_shape".encode(), [len(new)], 2
    size.buffer, buffer.data = len(model.buffers), new.view(np.uint8)
    model.buffers.append(buffer)
    main.tensors += [made, size]
    last = len(main.tensors) - 1
    reshape = make_operator(model, RESHAPE, [source, last], [last - 1])
    reshape.builtinOptions.newShape = new
    return reshape


def order_ends(model: Any) -> None:
    """Put the graph's inputs and outputs into the alphabetical order of its signature's names.

    A file without a signature is in the order of the function that it was made from.
    """
    if not model.signatureDefs:
        return
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    for ends in ("inputs", "outputs"):
        ports = sorted(getattr(signature, ends), key=lambda port: bytes(port.name))
        setattr(graph, ends, [port.tensorIndex for port in ports])


def separate_ends(model: Any) -> None:
    """Give each output a tensor of its own, by a copy where it is an input or another output too.

    A tensor has one name, and a file's inputs and outputs are told apart by theirs.
    """
    graph = model.subgraphs[0]
    ends = [*graph.inputs, *graph.outputs]
    if len(set(ends)) == len(ends):
        return
    taken, outputs = set(graph.inputs), []
    for index in graph.outputs:
        if index in taken:
            made = add_reshape(
                model, index, f"copy_{len(graph.tensors)}", graph.tensors[index].shape
            )
            graph.operators.append(made)
            index = made.outputs[0]
        taken.add(index)
        outputs.append(index)
    graph.outputs = outputs


def rename_ends(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Give inputs and outputs the names a user knows, and every other tensor a distinct one.

    The TFLite converter calls them ``serving_default_x:0`` and ``StatefulPartitionedCall:0``, may
    repeat a name, and leaves no signature when it converts a function. Ranges and the ONNX graph
    find tensors by name, so each name must be unique.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    ends = dict(zip(graph.inputs, inputs, strict=True))
    for index, wanted in zip(graph.outputs, outputs, strict=True):
        ends.setdefault(index, wanted)  # an output that is an input keeps the input's name
    taken = set(ends.values()).union(name(t) for g in model.subgraphs[1:] for t in g.tensors)
    scope = _scope([name(t) for t in graph.tensors])
    for index, tensor in enumerate(graph.tensors):
        if index in ends:
            tensor.name = ends[index].encode()
            continue
        # A fused operator's tensor is called after all of them, joined by semicolons; some have no name.
        parts = [part for part in name(tensor).split(";") if part]
        plain = parts[-1].removeprefix(scope) if parts else f"tensor_{index}"
        tensor.name = _free(plain, taken).encode()

    def ports(indices: Sequence[int], names: Sequence[str]) -> list[Any]:
        made = []
        for index, port in zip(indices, names, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = port.encode(), int(index)
            made.append(entry)
        return made

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = ports(graph.inputs, inputs)
    signature.outputs = ports(graph.outputs, outputs)
    model.signatureDefs = [signature]


def name_loops(model: Any) -> None:
    """Give the graphs of loops, and the tensors in them, short names that are unique in the file.

    ``model_1/lstm_1/while/body/_1/model_1/lstm_1/while/lstm_cell_1/MatMul`` becomes
    ``lstm_1/while/lstm_cell_1/MatMul``, in the graph ``lstm_1/while``.
    """
    scope = _scope([name(t) for t in model.subgraphs[0].tensors])
    taken: set[str] = set()
    for graph in model.subgraphs[1:]:
        called = name(graph)
        layer = called.removeprefix(scope).partition("/while/")[0]
        kind = "while_condition" if called.endswith("_cond") else "while"
        graph.name = _free(f"{layer}/{kind}", taken).encode()
        for index, tensor in enumerate(graph.tensors):
            parts = [part for part in name(tensor).split(";") if part] or [f"tensor_{index}"]
            plain = parts[-1].rpartition("/while/")[2].removeprefix(scope)
            tensor.name = _free(f"{name(graph)}/{plain}", taken).encode()


def number_loops(model: Any) -> None:
    """Name the tensors in loops by numbers: in a small model names outweigh the weights."""
    for number, graph in enumerate(model.subgraphs[1:], 1):
        for index, tensor in enumerate(graph.tensors):
            tensor.name = f"{number}/{index}".encode()


def _free(plain: str, taken: set[str]) -> str:
    """Return the name, or the next one that is free, and add it to ``taken``."""
    unique, count = plain, 1
    while unique in taken:
        unique, count = f"{plain}_{count}", count + 1
    taken.add(unique)
    return unique


def _scope(names: Sequence[str]) -> str:
    """Return the model's name, ``functional_2_1/``, where every layer's name begins with it."""
    firsts = {part.split("/", 1)[0] for n in names for part in n.split(";") if "/" in part}
    return f"{firsts.pop()}/" if len(firsts) == 1 else ""
