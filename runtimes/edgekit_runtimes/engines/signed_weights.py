"""Unsigned 8-bit weights made signed, in the bytes of an ``.onnx`` file as it is opened.

Unsigned weights are right on every processor: signed ones saturate on x86 without VNNI. With VNNI
nothing saturates, and ONNX Runtime's fast kernels multiply unsigned activations by *signed* weights.
Taking 128 from both a weight and its zero point changes neither the number that they stand for nor
any sum of integer kernels.

Every byte keeps its place: 128 is taken from a byte by flipping its highest bit, a type's number is
as long as another's, and a zero point is exchanged, where it is read, for one whose name is as long.
The new zero points are appended: two serialized messages, one behind the other, are their union.
"""

import mmap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from edgekit_runtimes.formats.protobuf import field, fields, integer_field, placed_fields, varints

# The numbers of onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_TYPE = 1, 5, 11, 12, 13
_PORT_NAME = 1
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = (5, 10), (6, 11)
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_INTEGERS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 5, 8, 9
_TENSOR_OUTSIDE = (13, 14)
_UINT8, _INT8 = 2, 3

_DEQUANTIZE = "DequantizeLinear"
_DOMAINS = ("", "ai.onnx", "com.microsoft")
# The operators with integer kernels (ConvTranspose has none), and the fewest weights with which signed
# ones are no slower. The product of a single row with fewer is up to a tenth slower (measured with AMX,
# which is set up for each); how many rows there are, the file need not say.
_FEWEST = {"Conv": 1, "Gemm": 256 * 256, "MatMul": 256 * 256}
_HIGHEST_BIT = np.uint8(128)
_PRINTABLE = tuple(map(chr, range(33, 127)))  # many names are of one byte: edgekit writes numbers
_MOST = 2_000_000_000  # bytes: a message ends at 2 GiB


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file with signed weights."""

    content: bytes
    count: int
    """How many of its tensors are signed now."""


def with_signed_weights(path: Path) -> SignedFile | None:
    """The content of a file with its unsigned weights signed; None where it is to be opened as it is.

    Weights are the initializers of 8 bits that are read by a DequantizeLinear alone, and this by
    nothing but Conv, Gemm and MatMul as their second input, with dequantized unsigned activations as
    their first: what ONNX Runtime computes in integers. Small ones of Gemm and MatMul, for which it is
    no gain, and those of loops and branches stay as they are; so do files with weights in a file
    beside them, which ONNX Runtime finds by the path alone.
    """
    try:
        with path.open("rb") as file:
            # Pages are read when they are looked at, and copied when they are changed.
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return _signed(memoryview(content)) if len(content) < _MOST else None
    except (
        OSError,
        ValueError,
        IndexError,
        OverflowError,
    ):  # not there or damaged: ONNX Runtime says it better
        return None


@dataclass(frozen=True, slots=True)
class _Node:
    """A node; each input is a view of its name's place in the file."""

    kind: str
    inputs: list[memoryview]
    outputs: list[str]
    attributes: list[memoryview]

    def input_name(self, position: int) -> str:
        return _text(self.inputs[position]) if len(self.inputs) > position else ""

    def in_attributes(self, kinds: Sequence[int]) -> Iterator[memoryview]:
        for attribute in self.attributes:
            yield from (message for number, message in _messages(attribute) if number in kinds)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """An initializer of the main graph; ``kind`` and ``raw`` are views of their place in the file."""

    name: str
    kind: memoryview
    dims: list[int]
    raw: memoryview | None
    """Its bytes; None where they are not there, or stored as a list of integers."""

    integers: list[int]

    @property
    def is_unsigned(self) -> bool:
        return len(self.kind) == 1 and self.kind[0] == _UINT8

    def sign(self) -> None:
        """Takes 128 from its values, in place."""
        assert self.raw is not None
        values = np.frombuffer(self.raw, np.uint8)
        np.bitwise_xor(values, _HIGHEST_BIT, out=values)
        self.kind[0] = _INT8

    def signed_copy(self, name: str) -> bytes:
        """The message of the same tensor less 128, under another name."""
        unsigned = np.array(self.integers, np.uint8) if self.raw is None else self.raw
        signed = np.frombuffer(unsigned, np.uint8) ^ _HIGHEST_BIT
        return b"".join(
            (
                *(integer_field(_TENSOR_DIMS, size) for size in self.dims),
                integer_field(_TENSOR_TYPE, _INT8),
                field(_TENSOR_NAME, name.encode()),
                field(_TENSOR_RAW, signed.tobytes()),
            )
        )


def _signed(content: memoryview) -> SignedFile | None:
    parts = [part for graph in _messages_of(content, _MODEL_GRAPH) for part in _messages(graph)]
    written = [message for number, message in parts if number == _GRAPH_NODE]
    if not any(_DEQUANTIZE.encode() in bytes(node) for node in written):
        return None  # soon seen, in large float files too
    stored = [message for number, message in parts if number == _GRAPH_INITIALIZER]
    nodes = list(map(_node, written))
    inside = [tensor for node in nodes for tensor in _tensors_inside(node)]
    if any(
        number in _TENSOR_OUTSIDE for tensor in (*stored, *inside) for number, _ in fields(tensor)
    ):
        return None
    ports = {
        kind: {_port_name(message) for number, message in parts if number == kind}
        for kind in (_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_TYPE)
    }
    graph = _Graph(
        nodes,
        [_tensor(message) for message in stored],
        read_elsewhere={name for node in nodes for name in _names_inside(node)}
        | ports[_GRAPH_OUTPUT],
        typed=ports[_GRAPH_INPUT] | ports[_GRAPH_TYPE],
    )
    count, added = graph.sign()
    if not count:
        return None
    return SignedFile(b"".join((content, field(_MODEL_GRAPH, added))), count)


class _Graph:
    """The main graph, as far as weights need it."""

    def __init__(
        self,
        nodes: Sequence[_Node],
        tensors: Sequence[_Tensor],
        *,
        read_elsewhere: set[str],
        typed: set[str],
    ) -> None:
        """Takes what was read from the file.

        Args:
            nodes: of the main graph.
            tensors: its initializers.
            read_elsewhere: the tensors that are outputs, or appear in loops and branches.
            typed: the tensors whose type is written down once more.
        """
        self._tensors = {tensor.name: tensor for tensor in tensors}
        self._read_elsewhere, self._typed = read_elsewhere, typed
        self._makers = {name: node for node in nodes for name in node.outputs}
        self._readers: dict[str, list[tuple[_Node, int]]] = defaultdict(list)
        for node in nodes:
            for position in range(len(node.inputs)):
                self._readers[node.input_name(position)].append((node, position))
        self._taken = {*self._tensors, *self._makers, *self._readers, *read_elsewhere, *typed}

    def sign(self) -> tuple[int, bytes]:
        """Signs the weights in place; returns their number, and the initializers to append."""
        # All are found before the first is changed: a change hides what the next is known by.
        weights = [
            (tensor, readers)
            for tensor in self._tensors.values()
            if (readers := self._weight_readers(tensor))
        ]
        zero_points: dict[str, str] = {}
        added, count = b"", 0
        for tensor, readers in weights:
            for old in dict.fromkeys(reader.input_name(2) for reader in readers):
                if old not in zero_points and (new := self._free_name(len(old.encode()))):
                    zero_points[old] = new
                    added += field(_GRAPH_INITIALIZER, self._tensors[old].signed_copy(new))
            if not all(reader.input_name(2) in zero_points for reader in readers):
                continue
            tensor.sign()
            for reader in readers:
                reader.inputs[2][:] = zero_points[reader.input_name(2)].encode()
            count += 1
        return count, added

    def _weight_readers(self, tensor: _Tensor) -> list[_Node]:
        """The nodes that dequantize an unsigned weight; none where it has to stay as it is."""
        if not tensor.is_unsigned or not tensor.raw:
            return []
        if tensor.name in self._read_elsewhere or tensor.name in self._typed:
            return []
        readers = self._readers[tensor.name]
        size = len(tensor.raw)
        if not all(at == 0 and self._gives_weights(node, size) for node, at in readers):
            return []
        return [node for node, _ in readers]

    def _gives_weights(self, node: _Node, size: int) -> bool:
        if not self._dequantizes_unsigned(node) or node.outputs[0] in self._read_elsewhere:
            return False
        readers = self._readers[node.outputs[0]]
        return bool(readers) and all(
            at == 1
            and reader.kind in _FEWEST
            and size >= _FEWEST[reader.kind]
            and self._is_activation(reader.input_name(0))
            for reader, at in readers
        )

    def _is_activation(self, name: str) -> bool:
        maker = self._makers.get(name)
        if maker is None or maker.input_name(0) in self._tensors:
            return False
        return self._dequantizes_unsigned(maker)

    def _dequantizes_unsigned(self, node: _Node) -> bool:
        zero_point = self._tensors.get(node.input_name(2))
        return node.kind == _DEQUANTIZE and zero_point is not None and zero_point.is_unsigned

    def _free_name(self, length: int) -> str | None:
        """A name of so many bytes that no tensor has; None where they are used up."""
        for characters in product(_PRINTABLE, repeat=min(length, 3)):
            name = f"{''.join(characters):_>{length}}"
            if name not in self._taken:
                self._taken.add(name)
                return name
        return None


def _node(message: memoryview) -> _Node:
    texts: dict[int, list[memoryview]] = defaultdict(list)
    for number, value in _messages(message):
        texts[number].append(value)
    kind, domain = ("".join(map(_text, texts[n])) for n in (_NODE_KIND, _NODE_DOMAIN))
    outputs = [_text(name) for name in texts[_NODE_OUTPUT]]
    kind = kind if domain in _DOMAINS else ""
    return _Node(kind, texts[_NODE_INPUT], outputs, texts[_NODE_ATTRIBUTE])


def _tensor(message: memoryview) -> _Tensor:
    name, kind, raw = "", message[:0], None
    dims, integers = list[int](), list[int]()
    for number, value, at in placed_fields(message):
        if number in (_TENSOR_DIMS, _TENSOR_INTEGERS):
            values = dims if number == _TENSOR_DIMS else integers
            values += [value] if isinstance(value, int) else list(varints(value))
        elif number == _TENSOR_TYPE:
            kind = message[at : at + 1]
        elif number == _TENSOR_NAME and not isinstance(value, int):
            name = _text(value)
        elif number == _TENSOR_RAW and not isinstance(value, int):
            raw = value
    return _Tensor(name, kind, dims, raw, integers)


def _names_inside(node: _Node) -> Iterator[str]:
    """The tensors that appear in a node's loops and branches, at any depth."""
    for graph in node.in_attributes(_ATTRIBUTE_GRAPHS):
        for number, message in _messages(graph):
            if number == _GRAPH_NODE:
                inner = _node(message)
                yield from map(_text, inner.inputs)
                yield from inner.outputs
                yield from _names_inside(inner)
            elif number == _GRAPH_INITIALIZER:
                yield _tensor(message).name
            elif number in (_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_TYPE):
                yield _port_name(message)


def _tensors_inside(node: _Node) -> Iterator[memoryview]:
    """The constants in a node's attributes, loops and branches, at any depth."""
    yield from node.in_attributes(_ATTRIBUTE_TENSORS)
    for graph in node.in_attributes(_ATTRIBUTE_GRAPHS):
        for number, message in _messages(graph):
            if number == _GRAPH_NODE:
                yield from _tensors_inside(_node(message))
            elif number == _GRAPH_INITIALIZER:
                yield message


def _port_name(message: memoryview) -> str:
    return "".join(map(_text, _messages_of(message, _PORT_NAME)))


def _messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields that are no integers."""
    for number, value in fields(message):
        if not isinstance(value, int):
            yield number, value


def _messages_of(message: memoryview, kind: int) -> Iterator[memoryview]:
    return (value for number, value in _messages(message) if number == kind)


def _text(content: memoryview) -> str:
    return bytes(content).decode()
