"""The graph in an ``.onnx`` file: its nodes, and the shapes of its constants.

ONNX Runtime reports where each node runs, but not what it reads; and a device has no ``onnx``
package. Protocol Buffers' wire format is simple enough to read the few fields that matter. Their
numbers are those of ``onnx.proto``.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.formats.protobuf import field, fields, varints

QUANTIZATION_KEY = "edgekit.quantization"
"""The metadata entry with the scales of integer inputs and outputs; ONNX has no field for them."""

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_GRAPH_ENDS = (11, 12)  # inputs and outputs; the first field of each is its name
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_KIND, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME = 1
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME = 1, 2, 8
_INT32_DATA = 5
_TENSOR_VALUES = (4, _INT32_DATA, 9)  # between float_data and raw_data
_NAMES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 10: "float16"}
_TYPES = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the graph."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    """The names of those that are given."""

    @property
    def label(self) -> str:
        """What its layer is called: as what it makes, or, where that is a mere number, as the node.

        Files that edgekit quantizes have the name of a layer once, as its node's.
        """
        made = next(filter(None, self.outputs), "")
        return self.name if self.name and (made.isdigit() or not made) else made


@dataclass(frozen=True, slots=True)
class Graph:
    """The main graph of a file."""

    nodes: tuple[Node, ...]
    constants: dict[str, tuple[int, ...]]
    """The shapes of the initializers, by name."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def maker(self, tensor: str) -> Node | None:
        """The node that computes a tensor."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def weights(self, node: Node, position: int = 1) -> tuple[int, ...]:
        """The shape of a node's second input, or another, where it is constant, quantized or not."""
        tensor = node.inputs[position] if len(node.inputs) > position else ""
        while tensor not in self.constants and (made := self.maker(tensor)) and made.inputs:
            if made.kind not in ("DequantizeLinear", "Cast", "Mul", "Max"):
                return ()
            tensor = made.inputs[0]
        return self.constants.get(tensor, ())


def read_graph(path: Path) -> Graph:
    """Reads the file's main graph; the graphs inside loops and branches are left out.

    Raises:
        ModelError: the file is not ONNX, or is cut short.
    """
    with _whole(path):
        return _graph(path)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Turns what reading a damaged file raises into an error that names it."""
    try:
        yield
    except (ValueError, IndexError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path}: the file is cut short or damaged.") from error


def _graph(path: Path) -> Graph:
    nodes: list[Node] = []
    constants: dict[str, tuple[int, ...]] = {}
    ends: dict[int, list[str]] = {kind: [] for kind in _GRAPH_ENDS}
    for number, graph in fields(memoryview(path.read_bytes())):
        if number != _MODEL_GRAPH or isinstance(graph, int):
            continue
        for kind, message in fields(graph):
            if isinstance(message, int):
                continue
            if kind == _GRAPH_NODE:
                nodes.append(_node(message))
            elif kind == _GRAPH_INITIALIZER:
                name, dims = _tensor(message)
                constants[name] = dims
            elif kind in ends:
                ends[kind] += [
                    bytes(v).decode()
                    for k, v in fields(message)
                    if k == 1 and not isinstance(v, int)
                ]
    inputs, outputs = ends.values()
    return Graph(
        tuple(nodes), constants, tuple(n for n in inputs if n not in constants), tuple(outputs)
    )


def read_types(path: Path) -> tuple[set[str], set[str]]:
    """The types that QuantizeLinear makes of computed tensors, and those of the constants.

    Raises:
        ModelError: the file is not ONNX, or is cut short.
    """
    with _whole(path):
        return _types(path)


def _types(path: Path) -> tuple[set[str], set[str]]:
    graph, scalars = read_graph(path), read_scalars(path)
    if not graph.nodes and not graph.outputs:
        raise ModelError(f"{path}: this is not an ONNX file.")
    computed = {
        scalars[node.inputs[2]].dtype.name
        if len(node.inputs) > 2 and node.inputs[2] in scalars
        else "uint8"
        for node in graph.nodes
        if node.kind == "QuantizeLinear" and node.inputs[0] not in graph.constants
    }
    if any(node.kind.startswith("QLinear") for node in graph.nodes):
        computed.add("uint8")
    constants = {_NAMES.get(code, "other") for code in _constant_types(path).values()}
    return computed, constants


def read_constant_types(path: Path) -> dict[str, int]:
    """The type of each initializer by name, as ``TensorProto.DataType`` numbers it.

    Raises:
        ModelError: the file is not ONNX, or is cut short.
    """
    with _whole(path):
        return _constant_types(path)


def _constant_types(path: Path) -> dict[str, int]:
    types = {}
    for number, part in fields(memoryview(path.read_bytes())):
        if number == _MODEL_GRAPH and not isinstance(part, int):
            for kind, message in fields(part):
                if kind == _GRAPH_INITIALIZER and not isinstance(message, int):
                    code = next((v for n, v in fields(message) if n == _TENSOR_TYPE), 0)
                    types[_tensor(message)[0]] = code if isinstance(code, int) else 0
    return types


def read_scalars(path: Path) -> dict[str, Any]:
    """The initializers of one element, as NumPy scalars; scales and zero points are among them.

    Raises:
        ModelError: the file is not ONNX, or is cut short.
    """
    with _whole(path):
        return _scalars(path)


def _scalars(path: Path) -> dict[str, Any]:
    scalars = {}
    for number, graph in fields(memoryview(path.read_bytes())):
        if number != _MODEL_GRAPH or isinstance(graph, int):
            continue
        for kind, message in fields(graph):
            if kind != _GRAPH_INITIALIZER or isinstance(message, int):
                continue
            name, dims = _tensor(message)
            if dims not in ((), (1,)):
                continue
            if (value := _scalar(message)) is not None:
                scalars[name] = value
    return scalars


def more_outputs(path: Path, tensors: Sequence[str]) -> bytes:
    """The bytes that, appended to the file, make further tensors its outputs."""
    there = set(read_graph(path).outputs)
    ports = b"".join(
        field(_GRAPH_ENDS[1], field(1, name.encode())) for name in tensors if name not in there
    )
    return field(_MODEL_GRAPH, ports)


def read_ends(path: Path) -> dict[str, tuple[float | None, int]]:
    """The names of the file's inputs and outputs, with scale and zero point where edgekit wrote them.

    Raises:
        ModelError: the file is not ONNX, or is cut short.
    """
    with _whole(path):
        return _ends(path)


def _ends(path: Path) -> dict[str, tuple[float | None, int]]:
    names: list[str] = []
    scales: dict[str, tuple[float, int]] = {}
    for number, message in fields(memoryview(path.read_bytes())):
        if isinstance(message, int):
            continue
        if number == _MODEL_GRAPH:
            for kind, port in fields(message):
                if kind in _GRAPH_ENDS and not isinstance(port, int):
                    names += [
                        bytes(v).decode()
                        for k, v in fields(port)
                        if k == 1 and not isinstance(v, int)
                    ]
        elif number == _MODEL_METADATA:
            texts = {k: bytes(v).decode() for k, v in fields(message) if not isinstance(v, int)}
            if texts.get(_ENTRY_KEY) == QUANTIZATION_KEY:
                scales = quantization(texts.get(_ENTRY_VALUE, "{}"))
    return {name: scales.get(name, (None, 0)) for name in names}


def read_metadata(path: Path, name: str) -> str | None:
    """A text of the file's metadata; None where it has none of that name.

    Raises:
        ModelError: the file is not ONNX, or is cut short.
    """
    with _whole(path):
        found = None
        for number, message in fields(memoryview(path.read_bytes())):
            if number == _MODEL_METADATA and not isinstance(message, int):
                texts = {k: bytes(v).decode() for k, v in fields(message) if not isinstance(v, int)}
                found = texts.get(_ENTRY_VALUE, "") if texts.get(_ENTRY_KEY) == name else found
        return found


def read_steps(path: Path) -> dict[str, float]:
    """The distance of two neighbouring values of each output that comes from an integer tensor, by name.

    Raises:
        ModelError: the file is not ONNX, or is cut short.
    """
    steps = {name: scale for name, (scale, _) in read_ends(path).items() if scale is not None}
    graph, scalars = read_graph(path), read_scalars(path)
    for name in graph.outputs:
        node = graph.maker(name)
        if node and node.kind == "DequantizeLinear" and node.inputs[1] in scalars:
            steps[name] = float(scalars[node.inputs[1]])
    return {name: steps[name] for name in graph.outputs if name in steps}


def quantization(entry: str) -> dict[str, tuple[float, int]]:
    """The content of the metadata entry ``QUANTIZATION_KEY``.

    Raises:
        ValueError: it is not what edgekit writes there.
    """
    import json  # a millisecond of the start of every script

    try:
        return {
            name: (float(q["scale"]), int(q["zero_point"])) for name, q in json.loads(entry).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its metadata entry {QUANTIZATION_KEY} is damaged: {error!r}") from error


def _node(message: memoryview) -> Node:
    texts: dict[int, list[str]] = {
        n: [] for n in (_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_KIND)
    }
    attributes: list[str] = []
    for number, value in fields(message):
        if isinstance(value, int):
            continue
        if number in texts:
            texts[number].append(bytes(value).decode())
        elif number == _NODE_ATTRIBUTE:
            name = next((v for k, v in fields(value) if k == _ATTRIBUTE_NAME), b"")
            attributes.append("" if isinstance(name, int) else bytes(name).decode())
    return Node(
        "".join(texts[_NODE_NAME]),
        "".join(texts[_NODE_KIND]),
        tuple(texts[_NODE_INPUT]),
        tuple(texts[_NODE_OUTPUT]),
        tuple(attributes),
    )


def _tensor(message: memoryview) -> tuple[str, tuple[int, ...]]:
    name, dims = "", list[int]()
    for number, value in fields(message):
        if number == _TENSOR_DIMS:
            dims += [value] if isinstance(value, int) else list(varints(value))
        elif number == _TENSOR_NAME and not isinstance(value, int):
            name = bytes(value).decode()
    return name, tuple(dims)


def _scalar(message: memoryview) -> Any:
    kind, content = 0, b""
    for number, value in fields(message):
        if number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number in _TENSOR_VALUES:
            integer = value if isinstance(value, int) else None
            if number == _INT32_DATA and not isinstance(value, int):
                integer = next(varints(value), None)  # packed
            # Negative integers are written in 64 bits; the low bytes come first.
            content = bytes(value) if integer is None else integer.to_bytes(10, "little")
    if kind not in _TYPES or not content:
        return None
    return np.frombuffer(content[: np.dtype(_TYPES[kind]).itemsize], _TYPES[kind])[0]
