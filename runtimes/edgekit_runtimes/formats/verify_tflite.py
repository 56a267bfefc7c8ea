"""A ``.tflite`` file checked before LiteRT sees it, which trusts what a file says.

First that nothing in it points outside (``flatbuffer_walk.py``), then that its parts fit each other:
tensors and buffers that are there, constants as large as their shapes, operators in an order in which
each value is computed before it is read. What only a kernel can know is left to ``rehearsal.py``.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeVar

import numpy as np

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.formats.flatbuffer_walk import Damaged, Table, Vector, Walk
from edgekit_runtimes.formats.tflite_schema import NEEDS_OPTIONS, OPTIONS_OF

T = TypeVar("T")

# The fields of the tables, by their place in tflite_schema.py.
_MODEL_CODES, _MODEL_GRAPHS, _MODEL_BUFFERS, _MODEL_METADATA, _MODEL_SIGNATURES = 1, 2, 4, 6, 7
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTIZATION, _VARIABLE, _SPARSITY = 0, 1, 2, 3, 4, 5, 6
_SCALES, _ZERO_POINTS, _DIMENSION = 2, 3, 6
_CODE, _INPUTS, _OUTPUTS, _OPTIONS, _INTERMEDIATES = 0, 1, 2, 3, 8
_DATA, _FAR_OFFSET, _FAR_SIZE = 0, 1, 2
_LARGE_OFFSET, _LARGE_SIZE = 9, 10
_SIGNATURE_INPUTS, _SIGNATURE_OUTPUTS, _SIGNATURE_GRAPH, _MAP_TENSOR = 0, 1, 4, 1

_BITS = {
    0: 32, 1: 16, 2: 32, 3: 8, 4: 64, 6: 8, 7: 16, 8: 64, 9: 8, 10: 64, 11: 128, 12: 64, 15: 32, 16: 16,
    17: 4, 18: 16, 19: 2, 20: 4, 21: 8, 22: 8,
}  # fmt: skip
"""Bits of a value of each type; texts, resources and variants have no fixed size."""
_RANGES = {
    3: (0, 255), 7: (-(2**15), 2**15 - 1), 9: (-128, 127), 16: (0, 2**16 - 1), 17: (-8, 7),
}  # fmt: skip
"""The least and the greatest value of small integer types."""
_TEXT, _RESOURCE, _VARIANT = 5, 13, 14
_MOST_DIMENSIONS = 8
_MOST_ELEMENTS = 2**40
_LARGE = 2**27
"""Bytes of inputs, or of a computed tensor, that a small file may ask for. A larger one may ask for more:"""
_INPUT_GROWTH, _TENSOR_GROWTH = 100, 1000
"""so many times what it has in constants, or in constants and inputs."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What the checks need of a tensor."""

    title: str
    constant: bool
    bytes: int
    has_value: bool
    """Before any operator runs: a constant, a variable, or of no elements."""


def verify_tflite(path: Path) -> None:
    """Check that LiteRT can follow all of a file, and that its parts fit each other.

    Raises:
        ModelError: something in it does not; the message says what.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty one
            raise ModelError(f"{path}: this is not a TFLite file.") from error
    try:
        _Model(Walk(content), len(content)).check()
    except Damaged as error:
        if content[4:8] != b"TFL3":
            raise ModelError(f"{path}: this is not a TFLite file.") from error
        raise ModelError(f"{path}: the file is cut short or damaged: {error}.") from error


class _Model:
    """The checks on one file."""

    def __init__(self, walk: Walk, size: int) -> None:
        self._walk = walk
        self._size = size
        model = walk.model()
        self._codes = model[_MODEL_CODES] or []
        self._graphs = model[_MODEL_GRAPHS] or []
        self._buffers = model[_MODEL_BUFFERS] or []
        self._metadata = model[_MODEL_METADATA] or []
        self._signatures = model[_MODEL_SIGNATURES] or []
        self._bytes: list[int | None] = []

    def check(self) -> None:
        if not self._graphs:
            raise Damaged("it has no graph")
        self._bytes = [self._buffer_size(buffer) for buffer in self._buffers]
        for _, buffer in self._metadata:
            _at(self._buffers, buffer or 0, "an entry of the metadata", "buffer")
        for graph in self._graphs:
            self._graph(graph)
        for signature in self._signatures:
            graph = _at(self._graphs, signature[_SIGNATURE_GRAPH] or 0, "a signature", "graph")
            tensors = graph[_GRAPH_TENSORS] or []
            for side in (_SIGNATURE_INPUTS, _SIGNATURE_OUTPUTS):
                for entry in signature[side] or []:
                    _at(tensors, entry[_MAP_TENSOR] or 0, "a signature", "tensor")

    def _buffer_size(self, buffer: Table) -> int:
        data: Vector | None = buffer[_DATA]
        if data is not None and data.length:
            return data.length
        offset, size = buffer[_FAR_OFFSET] or 0, buffer[_FAR_SIZE] or 0
        if offset > 1:  # behind the FlatBuffer, in files past 2 GB
            if size < 0 or offset + size > self._size:
                raise Damaged("a buffer ends outside the file")
            return int(size)
        return 0

    def _graph(self, graph: Table) -> None:
        tensors = [self._tensor(t) for t in graph[_GRAPH_TENSORS] or []]
        inputs = self._indices(graph[_GRAPH_INPUTS], tensors, "the graph's inputs")
        outputs = self._indices(graph[_GRAPH_OUTPUTS], tensors, "the graph's outputs")
        ready = {i for i, t in enumerate(tensors) if t.has_value} | set(inputs)
        for i in inputs:
            if tensors[i].constant:
                raise Damaged(f"{tensors[i].title} is an input and a constant")
        given = sum(tensors[i].bytes for i in set(inputs))
        for i, tensor in enumerate(tensors):
            allowed = _INPUT_GROWTH * self._size
            if i not in inputs:
                allowed = _TENSOR_GROWTH * (self._size + given)
            if tensor.bytes > max(_LARGE, allowed) and not tensor.constant:
                raise Damaged(f"{tensor.title} claims {tensor.bytes / 2**20:,.0f} MiB")
        written = set[int]()
        for number, operator in enumerate(graph[_GRAPH_OPERATORS] or []):
            who = f"operator {number}"
            code = _at(self._codes, operator[_CODE] or 0, who, "operator code")
            _check_options(code, operator[_OPTIONS], who)
            if (offset := operator[_LARGE_OFFSET] or 0) > 1:
                size = operator[_LARGE_SIZE] or 0
                if size < 0 or offset + size > self._size:
                    raise Damaged(f"{who}: its options end outside the file")
            for i in self._indices(operator[_INPUTS], tensors, who, optional=True):
                if i >= 0 and i not in ready:
                    raise Damaged(f"{who} reads {tensors[i].title}, which nothing computes before")
            self._indices(operator[_INTERMEDIATES], tensors, who, optional=True)
            for i in self._indices(operator[_OUTPUTS], tensors, who):
                if tensors[i].constant or i in written or i in inputs:
                    raise Damaged(f"{who} writes {tensors[i].title}, which has its value already")
                written.add(i)
                ready.add(i)
        for i in outputs:
            if i not in ready:
                raise Damaged(f"{tensors[i].title} is an output, and nothing computes it")

    def _indices(
        self, vector: Vector | None, tensors: Sequence[_Tensor], who: str, *, optional: bool = False
    ) -> list[int]:
        indices = self._walk.integers(vector)
        for i in indices:
            if not (-1 if optional else 0) <= i < len(tensors):
                raise Damaged(f"{who}: there is no tensor {i}")
        return indices

    def _tensor(self, table: Table) -> _Tensor:
        title = f"tensor {table[_NAME] or ''!r}"
        shape = self._walk.integers(table[_SHAPE])
        kind = table[_TYPE] or 0
        if kind not in _BITS and kind not in (_TEXT, _RESOURCE, _VARIANT):
            raise Damaged(f"{title}: there is no type {kind}")
        if len(shape) > _MOST_DIMENSIONS or any(n < 0 for n in shape):
            raise Damaged(f"{title}: its shape is {shape[: _MOST_DIMENSIONS + 1]}")
        elements = prod(shape)
        if elements > _MOST_ELEMENTS:
            raise Damaged(f"{title}: its shape {shape} is too large")
        number = table[_BUFFER] or 0
        size = _at(self._bytes, number, title, "buffer") or 0
        if size and kind == _TEXT:
            self._texts(self._buffers[number], title)
        elif size and kind in _BITS and table[_SPARSITY] is None:
            wanted = (elements * _BITS[kind] + 7) // 8
            if size != wanted:
                raise Damaged(f"{title}: its shape {shape} needs {wanted} bytes, and it has {size}")
        if table[_QUANTIZATION] is not None:
            self._quantization(table[_QUANTIZATION], shape, kind, title)
        memory = elements * _BITS.get(kind, 0) // 8
        return _Tensor(title, size > 0, memory, bool(size > 0 or table[_VARIABLE] or not elements))

    def _quantization(self, table: Table, shape: Sequence[int], kind: int, title: str) -> None:
        scales = self._walk.array(table[_SCALES])
        zeros = self._walk.array(table[_ZERO_POINTS])
        if not len(scales):
            return
        scales = scales.view("<f4")
        if not np.isfinite(scales).all() or (scales < 0).any():
            raise Damaged(f"{title}: a scale is negative or no number")
        if len(zeros) not in (0, len(scales)):
            raise Damaged(f"{title}: {len(scales)} scales and {len(zeros)} zero points")
        low, high = _RANGES.get(kind, (-(2**31), 2**31 - 1))
        if len(zeros) and not low <= zeros.min() <= zeros.max() <= high:
            raise Damaged(f"{title}: a zero point lies outside {low} to {high}")
        if len(scales) > 1:
            dimension = table[_DIMENSION] or 0
            if not 0 <= dimension < len(shape) or shape[dimension] != len(scales):
                raise Damaged(
                    f"{title}: {len(scales)} scales along dimension {dimension} of {list(shape)}"
                )

    def _texts(self, buffer: Table, title: str) -> None:
        """LiteRT's layout: how many, where each begins and where the last one ends, and all of them."""
        data = self._walk.array(buffer[_DATA])
        count = int(data[:4].view("<i4")[0]) if len(data) >= 8 else -1
        if count < 0 or len(data) < 4 * (count + 2):
            raise Damaged(f"{title}: its texts are damaged")
        starts = data[4 : 4 * (count + 2)].view("<i4")
        if starts[0] < 4 * (count + 2) or starts[-1] > len(data) or (np.diff(starts) < 0).any():
            raise Damaged(f"{title}: its texts are damaged")


def _check_options(code: Table, given: int | None, who: str) -> None:
    kind = max(code[0] or 0, code[3] or 0)  # files of before 2021 have only the first
    expected = OPTIONS_OF.get(kind)
    if given and expected and given != expected:
        raise Damaged(f"{who} of kind {kind} has the options of another kind")
    if not given and kind in NEEDS_OPTIONS:
        raise Damaged(f"{who} of kind {kind} has no options")


def _at(things: Sequence[T], number: int, who: str, noun: str) -> T:
    if not 0 <= number < len(things):
        raise Damaged(f"{who}: there is no {noun} {number}")
    return things[number]
