"""A float TFLite file as a TensorFlow function that rounds as its quantized file does.

Rounding is straight-through: gradients pass as if nothing had been rounded, except where a value is cut
off.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.executor import OPERATORS, activate
from edgekit_converters.tflite.quantized_operators import (
    MAIN,
    Operation,
    Scale,
    read_operators,
    real_constant,
)

_MOVES = frozenset({2, 17, 22, 34, 39, 43, 45, 49, 55, 57, 65, 70, 82, 89})
"""Operators, by ``BuiltinOperator``, that only move or choose values: what was rounded stays so."""


@dataclass(frozen=True, slots=True)
class Network:
    """What ``forward`` needs to know of a file and its quantized one."""

    inputs: Mapping[str, str]
    """The numpy type of each, by name."""
    outputs: tuple[str, ...]
    operations: Sequence[Operation]
    options: Sequence[Any]
    """Of the operators, as in the file."""
    constants: Mapping[str, Array]
    activation_bytes: int
    """Of all tensors that are computed, for a batch as in the file."""
    unknown: tuple[str, ...]
    """The kinds of operators that are not in ``OPERATORS``."""


def read_network(graph: Path, quantized: Path) -> Network:
    """Read a float file, and the scales of its quantized file.

    Raises:
        ConversionError: the two files are not of one graph.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    constants = {
        flatbuffer.name(tensor): value
        for tensor in main.tensors
        if (value := flatbuffer.constant(model, tensor)) is not None
    }
    made = [main.tensors[index] for operator in main.operators for index in operator.outputs]
    return Network(
        {
            flatbuffer.name(t): flatbuffer.dtype(t.type)
            for t in (main.tensors[i] for i in main.inputs)
        },
        tuple(flatbuffer.name(main.tensors[i]) for i in main.outputs),
        read_operators(graph, quantized)[MAIN],
        [operator.builtinOptions for operator in main.operators],
        constants,
        sum(4 * int(np.prod(flatbuffer.shape(tensor))) for tensor in made),
        tuple(
            sorted(
                {
                    flatbuffer.kind_name(model, operator)
                    for operator in main.operators
                    if flatbuffer.opcode(model, operator) not in OPERATORS
                }
            )
        ),
    )


def forward(
    network: Network,
    given: Mapping[str, Any],
    wanted: Collection[str],
    *,
    rounded: bool,
    constants: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Compute some tensors of a network.

    Args:
        network: from ``read_network``.
        given: tensors by the names of the inputs; any number of samples along the first axis.
        wanted: the names of tensors.
        rounded: whether constants and results are rounded as in the quantized file.
        constants: other values of constants, which are taken as they are.
    """
    values, at = dict(given), dict[str, Scale | None]()
    own = constants or {}
    last = {n: place for place, op in enumerate(network.operations) for n in op.inputs}
    kept: dict[str, Any] = {}
    for place, (operation, options) in enumerate(
        zip(network.operations, network.options, strict=True)
    ):
        operands: list[Any] = []
        for position, name in enumerate(operation.inputs):
            if name in values:
                value = values[name]
                scale = operation.input_scales[position]
                if rounded and scale is not None and scale != at.get(name):
                    value = _rounded(value, scale)
            elif name in own:
                value = own[name]
            else:
                value = network.constants.get(name)
                stored = operation.constants[position]
                if rounded and stored is not None:
                    value = real_constant(stored)
            operands.append(value)
        results = OPERATORS[operation.kind](options, operands)
        for name, result, scale in zip(
            operation.outputs,
            results if isinstance(results, list) else [results],
            operation.output_scales,
            strict=True,
        ):
            if operation.activation:
                result = activate(operation.activation, result)
            moved = operation.kind in _MOVES and all(
                scale == s
                for s, n in zip(operation.input_scales, operation.inputs, strict=True)
                if n in values
            )
            if rounded and scale is not None and not moved:
                result = _rounded(result, scale)
            values[name], at[name] = result, scale
            if name in wanted:
                kept[name] = result
        for name in operation.inputs:
            if last.get(name) == place:
                values.pop(name, None)
    return kept


def _rounded(value: Any, scale: Scale) -> Any:
    import tensorflow as tf

    half = 2 ** (scale.bits - 1)
    low, high = ((end - scale.zero_point) * scale.scale for end in (-half, half - 1))
    return tf.quantization.fake_quant_with_min_max_args(value, low, high, num_bits=scale.bits)
