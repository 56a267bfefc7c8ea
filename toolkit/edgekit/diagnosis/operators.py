"""The operators of a file, and the type of the weights of each: read from the file, without running it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes.files import reader_of
from edgekit_runtimes.formats import onnx_file

_CHANGES_OF_TYPE = {"QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "Cast"}
_REAL_OR_8_BIT = {"float32", "float16", "int8", "uint8", "int4"}
_ONNX_TYPES = {1: "float32", 2: "uint8", 3: "int8", 10: "float16", 22: "int4"}
_INT4_TENSOR = 17  # of TFLite's TensorType


@dataclass(frozen=True, slots=True)
class Operators:
    """What a file computes with."""

    counts: Mapping[str, int]
    """How many there are of each kind, by the format's name; those inside loops too."""
    weights: Mapping[str, str]
    """By the name of what an operator makes: the type in which its weights are stored."""


def read_operators(path: Path) -> Operators:
    """Read the operators of a ``.tflite`` or ``.onnx`` file.

    Raises:
        ModelError: the file is of another kind, or damaged.
    """
    reader_of(path).verify(path)
    counts: Counter[str] = Counter()
    weights: dict[str, str] = {}
    for kind, made, stored in _READERS[path.suffix](path):
        counts[kind] += 1
        if stored:
            weights |= dict.fromkeys(made, stored)
    return Operators(dict(counts), weights)


_Operator = tuple[str, list[str], str]
"""Its kind, the names of what it makes, and the type of its weights; empty without weights."""


def _tflite(path: Path) -> Iterator[_Operator]:
    model = flatbuffer.read(path)
    for graph in model.subgraphs:
        stored = {
            i: _type(tensor)
            for i, tensor in enumerate(graph.tensors)
            if model.buffers[tensor.buffer].data is not None
            and len(model.buffers[tensor.buffer].data)
        }
        for operator in graph.operators:
            kind = flatbuffer.kind_name(model, operator)
            reads = [int(i) for i in operator.inputs if i in stored]
            made = [int(i) for i in operator.outputs]
            if kind in _CHANGES_OF_TYPE and reads:  # of weights: they stay what they are stored as
                stored |= dict.fromkeys(made, stored[reads[0]])
                yield kind, [], ""
                continue
            # The largest constant is the weights; a shape or a bias is smaller.
            largest = max(reads, key=lambda i: _size(graph.tensors[i]), default=-1)
            known = stored.get(largest, "")
            names = [flatbuffer.name(graph.tensors[i]) for i in made]
            yield kind, names, known if known in _REAL_OR_8_BIT else ""


def _type(tensor: Any) -> str:
    return "int4" if tensor.type == _INT4_TENSOR else flatbuffer.dtype(tensor.type)


def _size(tensor: Any) -> int:
    size = 1
    for n in flatbuffer.shape(tensor):
        size *= n
    return size


def _onnx(path: Path) -> Iterator[_Operator]:
    graph = onnx_file.read_graph(path)
    codes = onnx_file.read_constant_types(path)
    stored = {name: _ONNX_TYPES.get(code, "") for name, code in codes.items()}
    sizes = {name: _product(shape) for name, shape in graph.constants.items()}
    for node in graph.nodes:
        reads = [name for name in node.inputs if name in stored]
        if node.kind in _CHANGES_OF_TYPE and node.inputs and node.inputs[0] in stored:
            stored[node.outputs[0]] = stored[node.inputs[0]]
            sizes[node.outputs[0]] = sizes[node.inputs[0]]
            yield node.kind, [], ""
            continue
        if node.kind in _CHANGES_OF_TYPE:  # its constants are a scale and a zero point
            yield node.kind, [], ""
            continue
        largest = max(reads, key=lambda name: sizes[name], default="")
        yield node.kind, [node.label, *node.outputs], stored.get(largest, "")


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


_READERS: Mapping[str, Callable[[Path], Iterator[_Operator]]] = {".tflite": _tflite, ".onnx": _onnx}
