"""Model files that are whole as files, and whose parts do not fit: what no checksum and no parser sees."""

from collections.abc import Sequence
from typing import Any

from attack.mutations import Random, of_bytes

_NUMBERS = (0, 1, -1, 2, 3, 5, 8, 127, 128, 255, 1 << 15, 1 << 20, (1 << 31) - 1, -(1 << 31))
_FACTORS = (0.0, -1.0, 1e-30, 1e30, float("inf"), float("nan"), 0.5)
_OPERATORS = (
    "Add", "Mul", "Div", "Mod", "Gather", "Reshape", "Transpose", "Conv", "ConvTranspose", "MaxPool",
    "AveragePool", "MatMul", "Gemm", "Softmax", "Slice", "Split", "Concat", "Squeeze", "Unsqueeze", "Expand",
    "Tile", "Pad", "ReduceMean", "QuantizeLinear", "DequantizeLinear", "Resize", "TopK", "NonMaxSuppression",
    "LSTM", "GRU", "ScatterND", "GatherND", "OneHot", "Range", "ConstantOfShape", "Shape", "Einsum", "Upsample",
    "DepthToSpace", "SpaceToDepth", "Compress", "CumSum", "Trilu", "Where", "Clip", "Cast", "Bernoulli",
)  # fmt: skip


def of_tflite(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A good flatbuffer with other numbers in its tables; half of them with damaged bytes instead."""
    if random.random() < 0.5:
        return of_bytes(content, random, others)
    from ai_edge_litert import schema_py_generated as schema

    from edgekit_converters.tflite import flatbuffer

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for _ in range(random.choice((1, 1, 2, 3))):
        _change_tflite(model, random.choice(model.subgraphs), random)
    try:
        return bytes(flatbuffer.packed(model))
    except Exception:  # a number that its field cannot hold
        return of_bytes(content, random, others)


def _change_tflite(model: Any, graph: Any, random: Random) -> None:
    what = random.randrange(9)
    if what == 0:
        _change_index(graph, random.choice(("inputs", "outputs")), len(graph.tensors), random)
    elif what == 1:
        code = random.choice(model.operatorCodes)
        code.builtinCode = code.deprecatedBuiltinCode = random.randrange(127)
    elif what in (2, 3):
        operator = random.choice(graph.operators)
        _change_index(operator, random.choice(("inputs", "outputs")), len(graph.tensors), random)
    elif what == 4:
        operator = random.choice(graph.operators)
        names = [
            n for n, v in vars(operator.builtinOptions or model).items() if type(v) in (int, bool)
        ]
        if names:
            setattr(operator.builtinOptions or model, random.choice(names), random.choice(_NUMBERS))
    elif what == 5:
        tensor = random.choice(graph.tensors)
        if tensor.shape is not None and len(tensor.shape):
            tensor.shape = [int(n) for n in tensor.shape]
            tensor.shape[random.randrange(len(tensor.shape))] = random.choice(_NUMBERS)
    elif what == 6:
        tensor = random.choice(graph.tensors)
        tensor.type = random.randrange(20)
    elif what == 7:
        quantization = random.choice(graph.tensors).quantization
        if quantization is not None and quantization.scale is not None:
            quantization.scale = [float(s) * random.choice(_FACTORS) for s in quantization.scale]
            quantization.quantizedDimension = random.choice((0, 1, 3, 7, -1))
    else:
        buffer = random.choice(model.buffers)
        if buffer.data is not None and len(buffer.data):
            buffer.data = buffer.data[: random.randrange(len(buffer.data))]


def _change_index(holder: Any, name: str, count: int, random: Random) -> None:
    values = getattr(holder, name)
    if values is not None and len(values):
        changed = [int(value) for value in values]
        changed[random.randrange(len(changed))] = random.choice(
            (-1, count, random.randrange(count))
        )
        setattr(holder, name, changed)


def of_onnx(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A good ONNX file with other operators, tensors and attributes; half of them with damaged bytes."""
    if random.random() < 0.5:
        return of_bytes(content, random, others)
    import onnx

    model = onnx.load_from_string(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        _change_onnx(model.graph, random)
    return bytes(model.SerializeToString())


def _change_onnx(graph: Any, random: Random) -> None:
    what = random.randrange(7)
    node = random.choice(graph.node)
    names = [*(n for other in graph.node for n in (*other.input, *other.output)), ""]
    if what == 0:
        node.op_type = random.choice(_OPERATORS)
    elif what in (1, 2):
        ends = node.input if random.random() < 0.7 else node.output
        if len(ends):
            ends[random.randrange(len(ends))] = random.choice(names)
    elif what == 3 and len(node.attribute):
        attribute = random.choice(node.attribute)
        if len(attribute.ints):
            attribute.ints[random.randrange(len(attribute.ints))] = random.choice(_NUMBERS)
        else:
            attribute.i = random.choice(_NUMBERS)
    elif what == 4 and len(graph.initializer):
        tensor = random.choice(graph.initializer)
        if len(tensor.dims):
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(_NUMBERS)
        else:
            tensor.dims.append(random.choice(_NUMBERS))
    elif what == 5 and len(graph.initializer):
        random.choice(graph.initializer).data_type = random.randrange(24)
    elif len(graph.initializer):
        tensor = random.choice(graph.initializer)
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
