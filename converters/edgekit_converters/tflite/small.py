"""What a quantized TFLite file can do without: in a small one it outweighs the weights."""

from collections.abc import Collection
from itertools import count
from typing import Any

import numpy as np

from edgekit_converters.tflite import flatbuffer

_OF_FLOAT_FILE = (b"CONVERSION_METADATA", b"min_runtime_version")
"""How TFLiteConverter made the float file, and what that one needs: neither is true of this one."""

_SHORT = 4096
"""Bytes of a constant up to which an equal one is looked for, and its name is worth saving."""


def make_small(model: Any, layers: Collection[str]) -> None:
    """Take from a quantized ``ModelT`` what no runtime needs.

    Equal constants are stored once; tensors and operator codes that nothing uses any more go, and so do
    options that repeat an operand. What is no layer gets a number for a name: short constants, inputs once
    they are quantized, the steps that an operator was rewritten into.

    Args:
        model: it is changed.
        layers: the names of the float file's tensors.
    """
    model.metadata = [entry for entry in model.metadata or [] if entry.name not in _OF_FLOAT_FILE]
    model.description = model.subgraphs[0].name = None  # "MLIR Converted.", and "main"
    _drop_unused(model)
    stored: dict[bytes, int] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            # It tells a scalar from a tensor of unknown rank; any other has its shape for that.
            tensor.hasRank = tensor.hasRank and not flatbuffer.shape(tensor)
            value = model.buffers[tensor.buffer].data
            if value is not None and 0 < len(value) <= _SHORT:
                tensor.buffer = stored.setdefault(bytes(value), tensor.buffer)
        for operator in graph.operators:
            if (
                flatbuffer.opcode(model, operator) == flatbuffer.RESHAPE
                and len(operator.inputs) > 1
            ):
                operator.builtinOptions, operator.builtinOptionsType = None, 0
    _number_steps(model, set(layers))


def _number_steps(model: Any, layers: set[str]) -> None:
    main = model.subgraphs[0]
    kept = {*main.inputs, *main.outputs}
    for operator in main.operators:
        is_end = set(operator.outputs) & set(main.outputs)
        if is_end and flatbuffer.opcode(model, operator) == flatbuffer.DEQUANTIZE:
            kept.update(operator.inputs)  # an output too, and the one that reports show
    numbered = []
    for index, tensor in enumerate(main.tensors):
        value = model.buffers[tensor.buffer].data
        is_short = value is not None and 0 < len(value) <= _SHORT
        if index not in kept and (is_short or flatbuffer.name(tensor) not in layers):
            numbered.append(tensor)
    taken = {flatbuffer.name(t) for t in main.tensors} - {flatbuffer.name(t) for t in numbered}
    free = (str(n) for n in count(1) if str(n) not in taken)
    for tensor in numbered:
        tensor.name = next(free).encode()


def _drop_unused(model: Any) -> None:
    """Remove the tensors of the main graph, and the operator codes, that a rewritten operator had."""
    main = model.subgraphs[0]
    used = {*main.inputs, *main.outputs}
    for operator in main.operators:
        used.update(int(i) for i in (*operator.inputs, *operator.outputs) if i >= 0)
    place = {old: new for new, old in enumerate(sorted(used))} | {-1: -1}
    main.tensors = [main.tensors[old] for old in sorted(used)]
    for holder in (main, *main.operators):
        holder.inputs = np.array([place[int(i)] for i in holder.inputs], np.int32)
        holder.outputs = np.array([place[int(i)] for i in holder.outputs], np.int32)
    for signature in model.signatureDefs or []:
        for port in (*signature.inputs, *signature.outputs):
            port.tensorIndex = place[port.tensorIndex]
    flatbuffer.drop_unused_codes(model)
