"""Equalization: each channel between a convolution and a depthwise one fills the range of their tensor.

The convolution's weights of a channel are multiplied by a factor, and the depthwise convolution's are
divided by it. In float nothing changes; in integers a channel of small values is rounded as finely as
the widest, at no cost, because the weights of both have a scale a channel.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, Samples
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.calibration import runs_over

_CONV_2D, _DEPTHWISE_CONV_2D, _PAD = 3, 4, 34
_NONE, _RELU, _RELU6 = 0, 1, 3  # of ActivationFunctionType: f(ax) = a f(x) for 0 < a, if ax < 6
_MOST = 64.0  # a factor
_DEAD = 1e-4  # of the widest channel: a channel below it is noise
_FULL = 5.999  # a channel that reaches the 6 of RELU6
_ENOUGH = 60.0  # dB between the graph and the equalized one, on the samples


@dataclass(frozen=True, slots=True)
class _Pair:
    """A convolution, the tensor behind it, and the depthwise convolution that reads it."""

    tensor: int
    activation: int
    weight: int
    bias: int
    weight_axis: int
    next_weight: int


def equalized_constants(graph: Path, samples: Samples) -> dict[str, Array]:
    """Return the constants of a float graph that equalization changes, by tensor name.

    There are none where no channel gains.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    pairs = _pairs(model)
    if not pairs:
        return {}
    widest = _channel_extremes(graph, samples, [pair.tensor for pair in pairs])
    values: dict[int, Array] = {}

    def value(index: int) -> Array:
        if index not in values:
            present = flatbuffer.constant(model, main.tensors[index])
            assert present is not None
            return present
        return values[index]

    for pair in pairs:
        factors = _factors(widest[pair.tensor], pair.activation)
        if np.all(factors == 1):
            continue
        weight = value(pair.weight)
        along = [1] * weight.ndim
        along[pair.weight_axis] = -1
        values[pair.weight] = weight * factors.reshape(along)
        if pair.bias >= 0:
            values[pair.bias] = value(pair.bias) * factors
        values[pair.next_weight] = value(pair.next_weight) / factors
    return {flatbuffer.name(main.tensors[index]): value for index, value in values.items()}


def is_equal(graph: Path, other: Path, samples: Samples) -> bool:
    """Return whether two float graphs compute the same on the samples, but for rounding."""
    power: dict[str, float] = defaultdict(float)
    error: dict[str, float] = defaultdict(float)
    for first, second in zip(runs_over(graph, samples), runs_over(other, samples), strict=True):
        outputs = {d["name"]: d["index"] for d in second.get_output_details()}
        for detail in first.get_output_details():
            name = detail["name"]
            exact = np.asarray(first.get_tensor(detail["index"]), np.float64)
            got = second.get_tensor(outputs[name])
            power[name] += float(np.sum(exact**2))
            error[name] += float(np.sum((got - exact) ** 2))
    return all(error[name] <= power[name] * 10 ** (-_ENOUGH / 10) for name in power)


def _pairs(model: Any) -> list[_Pair]:
    """Return the pairs in which nothing else reads the tensors between, or shares the weights."""
    main = model.subgraphs[0]
    readers: dict[int, list[Any]] = defaultdict(list)
    for operator in main.operators:
        for index in operator.inputs:
            readers[index].append(operator)
    ends = set(main.outputs)

    def only_reader(index: int) -> Any | None:
        return readers[index][0] if len(readers[index]) == 1 and index not in ends else None

    def own(index: int) -> bool:
        constant = flatbuffer.constant(model, main.tensors[index])
        return constant is not None and len(readers[index]) == 1

    pairs = []
    for operator in main.operators:
        kind = flatbuffer.opcode(model, operator)
        if kind not in (_CONV_2D, _DEPTHWISE_CONV_2D):
            continue
        activation = int(operator.builtinOptions.fusedActivationFunction)
        tensor = operator.outputs[0]
        reader = only_reader(tensor)
        if reader is not None and flatbuffer.opcode(model, reader) == _PAD:  # with zeros
            reader = only_reader(reader.outputs[0])
        if activation not in (_NONE, _RELU, _RELU6) or reader is None:
            continue
        if flatbuffer.opcode(model, reader) != _DEPTHWISE_CONV_2D:
            continue
        weight, bias = operator.inputs[1], operator.inputs[2] if len(operator.inputs) > 2 else -1
        channels = flatbuffer.shape(main.tensors[tensor])[-1]
        next_weight = reader.inputs[1]
        if not own(weight) or not own(next_weight) or (bias >= 0 and not own(bias)):
            continue
        if flatbuffer.shape(main.tensors[next_weight])[-1] != channels:
            continue  # a depthwise convolution that makes more channels than it reads
        axis = 0 if kind == _CONV_2D else 3
        pairs.append(_Pair(tensor, activation, weight, bias, axis, next_weight))
    return pairs


def _channel_extremes(graph: Path, samples: Samples, tensors: list[int]) -> Mapping[int, Array]:
    """Return the largest magnitude of each channel of some tensors over the samples, by their indices."""
    widest: dict[int, Array] = {}
    for run in runs_over(graph, samples):
        for index in tensors:
            value = run.get_tensor(index)
            most = np.abs(value.reshape(-1, value.shape[-1])).max(axis=0)
            widest[index] = np.maximum(widest.get(index, most), most)
    return widest


def _factors(widest: Array, activation: int) -> Array:
    """Return what each channel is multiplied by: never less than 1, and 1 for dead channels."""
    top = float(widest.max())
    factors = np.minimum(top / np.maximum(widest, 1e-30), _MOST)
    alive = widest > top * _DEAD
    if activation == _RELU6:
        alive &= widest < _FULL
    return np.where(alive, factors, 1).astype(np.float32)
