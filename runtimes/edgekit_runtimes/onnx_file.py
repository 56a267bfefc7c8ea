"""The graph in an ``.onnx`` file: its nodes, and the shapes of its constants.

ONNX Runtime tells which node went where, but not what a node reads; and a device has no ``onnx``
package. Protocol Buffers' wire format is simple enough to read the few fields that matter. Their
numbers are those of ``onnx.proto``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

QUANTIZATION_KEY = "edgekit.quantization"
"""The metadata entry with the scales of integer inputs and outputs; ONNX has no place of its own."""

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_GRAPH_ENDS = (11, 12)  # inputs and outputs; the first field of each is its name
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_KIND = 1, 2, 3, 4
_TENSOR_DIMS, _TENSOR_NAME = 1, 8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the graph."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The main graph of a file."""

    nodes: tuple[Node, ...]
    constants: dict[str, tuple[int, ...]]
    """The shapes of the initializers, by name."""

    def maker(self, tensor: str) -> Node | None:
        """The node that computes a tensor."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def weights(self, node: Node) -> tuple[int, ...]:
        """The shape of a node's second input, where that is constant, quantized or not."""
        if len(node.inputs) < 2:
            return ()
        tensor = node.inputs[1]
        while tensor not in self.constants and (made := self.maker(tensor)) and made.inputs:
            if made.kind != "DequantizeLinear":
                return ()
            tensor = made.inputs[0]
        return self.constants.get(tensor, ())


def read_graph(path: Path) -> Graph:
    """Reads the file's main graph; the graphs inside loops and branches are left out."""
    nodes: list[Node] = []
    constants: dict[str, tuple[int, ...]] = {}
    for number, graph in _fields(memoryview(path.read_bytes())):
        if number != _MODEL_GRAPH or isinstance(graph, int):
            continue
        for kind, message in _fields(graph):
            if isinstance(message, int):
                continue
            if kind == _GRAPH_NODE:
                nodes.append(_node(message))
            elif kind == _GRAPH_INITIALIZER:
                name, dims = _tensor(message)
                constants[name] = dims
    return Graph(tuple(nodes), constants)


def read_ends(path: Path) -> dict[str, tuple[float | None, int]]:
    """The names of the file's inputs and outputs, with scale and zero point where edgekit wrote them."""
    names: list[str] = []
    scales: dict[str, tuple[float, int]] = {}
    for number, message in _fields(memoryview(path.read_bytes())):
        if isinstance(message, int):
            continue
        if number == _MODEL_GRAPH:
            for kind, port in _fields(message):
                if kind in _GRAPH_ENDS and not isinstance(port, int):
                    names += [bytes(v).decode() for k, v in _fields(port) if k == 1]
        elif number == _MODEL_METADATA:
            texts = {k: bytes(v).decode() for k, v in _fields(message) if not isinstance(v, int)}
            if texts.get(_ENTRY_KEY) == QUANTIZATION_KEY:
                scales = quantization(texts.get(_ENTRY_VALUE, "{}"))
    return {name: scales.get(name, (None, 0)) for name in names}


def quantization(entry: str) -> dict[str, tuple[float, int]]:
    """The content of the metadata entry ``QUANTIZATION_KEY``."""
    return {
        name: (float(q["scale"]), int(q["zero_point"])) for name, q in json.loads(entry).items()
    }


def _node(message: memoryview) -> Node:
    texts: dict[int, list[str]] = {
        n: [] for n in (_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_KIND)
    }
    for number, value in _fields(message):
        if number in texts and not isinstance(value, int):
            texts[number].append(bytes(value).decode())
    return Node(
        "".join(texts[_NODE_NAME]),
        "".join(texts[_NODE_KIND]),
        tuple(texts[_NODE_INPUT]),
        tuple(texts[_NODE_OUTPUT]),
    )


def _tensor(message: memoryview) -> tuple[str, tuple[int, ...]]:
    name, dims = "", list[int]()
    for number, value in _fields(message):
        if number == _TENSOR_DIMS:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == _TENSOR_NAME and not isinstance(value, int):
            name = bytes(value).decode()
    return name, tuple(dims)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and the integer or the bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
        elif wire == _BYTES:
            size, at = _varint(message, at)
            yield number, message[at : at + size]
            at += size
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}: this is no Protocol Buffers message")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varints(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value
