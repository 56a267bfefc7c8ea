"""The main graph of a ``.tflite`` file, for runtimes that do not show it.

Read from the FlatBuffer without its library, which a device does not have. Field and
type numbers are those of ``schema.fbs`` in the LiteRT sources.
"""

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from edgekit_runtimes.base import ModelError, TensorSpec
from edgekit_runtimes.placement import macs

_MODEL_CODES, _MODEL_SUBGRAPHS = 1, 2
_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_BUFFER_DATA = 0
_METADATA_NAME, _METADATA_BUFFER = 0, 1
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_CODE_OLD, _CODE_NEW = 0, 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_QUANTIZATION = 0, 1, 3, 4
_TENSOR_VARIABLE = 5
_SCALE, _ZERO_POINT = 2, 3
_DEQUANTIZE = 6  # the operator's number
_TYPES = {
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


@dataclass(frozen=True, slots=True)
class Node:
    """An operator: its ``BuiltinOperator`` number, and the tensors that it reads and writes."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The main graph of a file."""

    tensors: tuple[TensorSpec, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    output_tensors: tuple[int, ...]
    """The outputs by their positions in ``tensors``."""
    nodes: tuple[Node, ...]


def read_graph(path: Path) -> Graph:
    """Reads the file's main graph.

    Raises:
        ModelError: the file is not TFLite, or is cut short.
    """
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ModelError(f"{path}: this is not a TFLite file.")
    try:
        model = _follow(content, 0)
        codes = [_code(content, table) for table in _tables(content, model, _MODEL_CODES)]
        graph = _tables(content, model, _MODEL_SUBGRAPHS)[0]
        tensors = tuple(_tensor(content, t) for t in _tables(content, graph, _GRAPH_TENSORS))
        nodes = tuple(
            Node(
                codes[_number(content, o, _OPERATOR_CODE, "<I")],
                _integers(content, o, _OPERATOR_INPUTS),
                _integers(content, o, _OPERATOR_OUTPUTS),
            )
            for o in _tables(content, graph, _GRAPH_OPERATORS)
        )
        return Graph(
            tensors,
            tuple(tensors[i] for i in _integers(content, graph, _GRAPH_INPUTS)),
            tuple(tensors[i] for i in _integers(content, graph, _GRAPH_OUTPUTS)),
            _integers(content, graph, _GRAPH_OUTPUTS),
            nodes,
        )
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: the file is cut short or damaged.") from error


def read_codes(path: Path) -> set[int]:
    """The ``BuiltinOperator`` numbers of a file's operators, without reading all of it.

    Raises:
        ModelError: the file is not TFLite, or is cut short.
    """
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty one
            raise ModelError(f"{path}: this is not a TFLite file.") from error
    try:
        if content[4:8] != b"TFL3":
            raise ModelError(f"{path}: this is not a TFLite file.")
        return {
            _code(content, table) for table in _tables(content, _follow(content, 0), _MODEL_CODES)
        }
    except (struct.error, IndexError) as error:
        raise ModelError(f"{path}: the file is cut short or damaged.") from error
    finally:
        content.close()


def has_variables(path: Path) -> bool:
    """Whether a tensor of a file keeps its value from call to call, as the state of a fused LSTM.

    Raises:
        ModelError: the file is not TFLite, or is cut short.
    """
    content = path.read_bytes()
    try:
        return any(
            _number(content, tensor, _TENSOR_VARIABLE, "<b")
            for graph in _tables(content, _follow(content, 0), _MODEL_SUBGRAPHS)
            for tensor in _tables(content, graph, _GRAPH_TENSORS)
        )
    except (struct.error, IndexError) as error:
        raise ModelError(f"{path}: the file is cut short or damaged.") from error


def read_ends(path: Path) -> dict[str, tuple[float | None, int]]:
    """Scale and zero point of the file's inputs and outputs by name; no scale where it is float32.

    Raises:
        ModelError: the file is not TFLite, or is cut short.
    """
    graph = read_graph(path)
    return {s.name: (s.scale, s.zero_point) for s in (*graph.inputs, *graph.outputs)}


def read_steps(path: Path) -> dict[str, float]:
    """The distance of two neighbouring values of each output that comes from an integer tensor, by name.

    Raises:
        ModelError: the file is not TFLite, or is cut short.
    """
    graph = read_graph(path)
    makers = {made: node for node in graph.nodes for made in node.outputs}
    steps = {}
    for index, spec in zip(graph.output_tensors, graph.outputs, strict=True):
        scale, node = spec.scale, makers.get(index)
        if scale is None and node and node.code == _DEQUANTIZE:
            scale = graph.tensors[node.inputs[0]].scale
        if scale is not None:
            steps[spec.name] = scale
    return steps


def read_metadata(path: Path, name: str) -> str | None:
    """A text of the file's metadata; None where it has none of that name.

    Raises:
        ModelError: the file is not TFLite, or is cut short.
    """
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ModelError(f"{path}: this is not a TFLite file.")
    try:
        model = _follow(content, 0)
        for entry in _tables(content, model, _MODEL_METADATA):
            if _bytes(content, entry, _METADATA_NAME) == name.encode():
                buffers = _tables(content, model, _MODEL_BUFFERS)
                at = _number(content, entry, _METADATA_BUFFER, "<I")
                return _bytes(content, buffers[at], _BUFFER_DATA).decode()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: the file is cut short or damaged.") from error
    return None


def read_types(path: Path) -> tuple[set[str], set[str]]:
    """The types of the quantized tensors that operators compute, and those of all other tensors.

    Of all graphs, those inside loops too.

    Raises:
        ModelError: the file is not TFLite, or is cut short.
    """
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ModelError(f"{path}: this is not a TFLite file.")
    computed, others = set[str](), set[str]()
    try:
        for graph in _tables(content, _follow(content, 0), _MODEL_SUBGRAPHS):
            made = {
                i
                for o in _tables(content, graph, _GRAPH_OPERATORS)
                for i in _integers(content, o, _OPERATOR_OUTPUTS)
            }
            for i, table in enumerate(_tables(content, graph, _GRAPH_TENSORS)):
                tensor = _tensor(content, table)
                if i in made and tensor.scale is not None:
                    computed.add(tensor.dtype)
                else:
                    others.add(tensor.dtype)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: the file is cut short or damaged.") from error
    return computed, others


def node_macs(kind: str, inputs: Sequence[Sequence[int]], out: Sequence[int]) -> int:
    """Multiply-accumulate operations of an operator, by the shapes of what it reads and writes.

    Weights are laid out (out, height, width, in), for depthwise convolutions (1, height, width,
    out), for dense layers (out, in).
    """
    if kind in ("CONV_2D", "FULLY_CONNECTED") and len(inputs) > 1:
        return macs(out, inputs[1], inputs[1][0])
    if kind == "DEPTHWISE_CONV_2D":
        return macs(out, inputs[1], inputs[1][-1])
    if kind == "TRANSPOSE_CONV":  # each input value meets every weight of its channel
        return macs(inputs[2], inputs[1], inputs[1][-1])
    if kind == "UNIDIRECTIONAL_SEQUENCE_LSTM" and len(inputs) > 8:  # each step, all eight matrices
        return prod(inputs[0][:2]) * sum(prod(weights) for weights in inputs[1:9])
    if kind == "BATCH_MATMUL" and inputs[0]:
        return macs(out, inputs[0][-1:], 1)
    return 0


def node_precision(kind: str, inputs: Sequence[str], out: str) -> str:
    """The type that an operator computes in, by the dtypes of what it reads and writes."""
    if kind == "DEQUANTIZE" and inputs:
        return inputs[0]
    if (
        kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
        and inputs[0] == out == "float32"
        and inputs[1] == "int8"
    ):
        return "int8 weights"
    return out


def _tensor(content: bytes, table: int) -> TensorSpec:
    quantization = _table(content, table, _TENSOR_QUANTIZATION)
    scale, zero_point = None, 0
    if quantization is not None:
        at, known = _vector(content, quantization, _SCALE)
        if known == 1:
            scale = float(struct.unpack_from("<f", content, at)[0])
            zeros, _ = _vector(content, quantization, _ZERO_POINT)
            zero_point = struct.unpack_from("<q", content, zeros)[0] if zeros else 0
    return TensorSpec(
        _bytes(content, table, _TENSOR_NAME).decode(),
        tuple(abs(n) for n in _integers(content, table, _TENSOR_SHAPE)),
        _TYPES.get(_number(content, table, _TENSOR_TYPE, "<b"), "?"),
        scale,
        zero_point,
    )


def _code(content: bytes | mmap.mmap, table: int) -> int:
    return max(_number(content, table, _CODE_OLD, "<b"), _number(content, table, _CODE_NEW, "<i"))


def _field(content: bytes | mmap.mmap, table: int, number: int) -> int | None:
    """Where a table's field stands; None where it is left out."""
    layout = table - struct.unpack_from("<i", content, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", content, layout)[0]:
        return None
    offset = struct.unpack_from("<H", content, layout + 4 + 2 * number)[0]
    return table + offset if offset else None


def _follow(content: bytes | mmap.mmap, at: int) -> int:
    return int(at + struct.unpack_from("<I", content, at)[0])


def _number(content: bytes | mmap.mmap, table: int, number: int, form: str) -> int:
    at = _field(content, table, number)
    return 0 if at is None else int(struct.unpack_from(form, content, at)[0])


def _table(content: bytes | mmap.mmap, table: int, number: int) -> int | None:
    at = _field(content, table, number)
    return None if at is None else _follow(content, at)


def _vector(content: bytes | mmap.mmap, table: int, number: int) -> tuple[int, int]:
    """Where a vector's first element stands, and how many there are."""
    at = _table(content, table, number)
    return (0, 0) if at is None else (at + 4, struct.unpack_from("<I", content, at)[0])


def _bytes(content: bytes | mmap.mmap, table: int, number: int) -> bytes:
    at, size = _vector(content, table, number)
    return content[at : at + size]


def _tables(content: bytes | mmap.mmap, table: int, number: int) -> list[int]:
    at, count = _vector(content, table, number)
    return [_follow(content, at + 4 * i) for i in range(count)]


def _integers(content: bytes | mmap.mmap, table: int, number: int) -> tuple[int, ...]:
    at, count = _vector(content, table, number)
    return struct.unpack_from(f"<{count}i", content, at)
