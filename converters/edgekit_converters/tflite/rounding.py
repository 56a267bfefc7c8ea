"""Trained rounding: integer weights chosen so that the int8 file as a whole stays close to the float one.

Rounded to nearest, each weight is as close as can be, and the sum of their errors is not. Here gradient
descent moves weights and biases of the int8 file until its outputs, and what its blocks hand on, are
those of the float model on the calibration samples. It needs no labels.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, Samples
from edgekit_converters.tflite.calibration import runs_over
from edgekit_converters.tflite.corrected import Corrected
from edgekit_converters.tflite.network import Network, forward, read_network
from edgekit_converters.tflite.quantized_operators import (
    BIAS_INPUT,
    TO_PROBABILITIES,
    Constant,
    channel_scales,
)

_ENOUGH = 200  # samples
_BATCH = 32
_MEMORY = 128_000_000  # bytes of a batch's activations; training takes a few times that
_LEARNING_RATE = 0.02  # in steps of the integers
_BLOCK_ENDS = {0, 40}  # ADD and MEAN: what a block hands on
_CLOSE = 1e-3  # relative error of the TensorFlow function, beyond which it is another model


def trained_rounding(
    graph: Path,
    quantized: Path,
    samples: Samples,
    steps: int,
    *,
    seed: int = 0,
    start: Mapping[str, Array] | None = None,
    progress: Callable[[int, int], None] = lambda done, steps: None,
) -> Corrected:
    """Return weights and biases for the recipe of a quantized file, trained for ``steps`` steps.

    >>> import numpy as np
    >>> samples = [{"image": image} for image in np.load("samples.npz")["image"][:40]]
    >>> files = Path("out/model_float32.tflite"), Path("out/model_int8.tflite")
    >>> len(trained_rounding(*files, samples, steps=2).weight_ranges)
    4

    On one machine the same arguments give the same values. Each step takes some three times as long as the
    float model on a batch.

    Args:
        graph: the float TFLite file, which is imitated.
        quantized: the file that was made from it, for the scales, which stay as they are. Operators that are
            float there keep their weights.
        samples: for training; the first 200 are taken.
        steps: of gradient descent, with a batch of samples each.
        seed: of the order of the samples.
        start: other constants to begin with, as from ``corrected_biases``.
        progress: called with the number of steps done, and of all, after each.

    Returns:
        The constants, and the ranges with which the quantizer keeps their integers; or none and the reason,
        where an operator is unknown.

    Raises:
        ConversionError: the two files are not of one graph.
    """
    network = read_network(graph, quantized)
    if network.unknown:
        kinds = ", ".join(network.unknown)
        return Corrected(note=f"the rounding is not trained: no gradient is known of {kinds}")
    data = _stacked(network, samples)
    try:
        if not _is_close(network, graph, data):
            return Corrected(note="the rounding is not trained: TensorFlow computes other outputs")
        values = _trained(network, data, steps, seed, start or {}, progress)
    except (ValueError, TypeError, NotImplementedError, _tensorflow_error()) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        return Corrected(note=f"the rounding is not trained: TensorFlow refuses: {reason}")
    ranges = {n: channel_scales(c) * np.float32(127) for n, c in _weights(network).items()}
    return Corrected({**(start or {}), **values}, ranges)


def _tensorflow_error() -> type[Exception]:
    import tensorflow as tf

    error: type[Exception] = tf.errors.OpError
    return error


def _trained(
    network: Network,
    data: Mapping[str, Array],
    steps: int,
    seed: int,
    start: Mapping[str, Array],
    progress: Callable[[int, int], None],
) -> dict[str, Array]:
    import tensorflow as tf

    begin = {**network.constants, **start}
    units = {name: channel_scales(constant) for name, constant in _weights(network).items()}
    biases = _biases(network)
    variables = {n: tf.Variable(begin[n] / u) for n, u in {**units, **biases}.items()}

    def constants() -> dict[str, Any]:
        rounded = {
            n: tf.clip_by_value(_straight_through(variables[n]), -127.0, 127.0) * unit
            for n, unit in units.items()
        }
        return rounded | {name: variables[name] * unit for name, unit in biases.items()}

    compared = _compared(network)
    rates = _LEARNING_RATE * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
    moments = [
        (tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables.values()
    ]

    def step(batch: Mapping[str, Any], rate: Any, number: Any) -> None:
        right = forward(network, batch, compared, rounded=False)
        with tf.GradientTape() as tape:
            got = forward(network, batch, compared, rounded=True, constants=constants())
            loss = sum(weight * _distance(got[n], right[n]) for n, weight in compared.items())
        gradients = tape.gradient(loss, list(variables.values()))
        for variable, (first, second), gradient in zip(
            variables.values(), moments, gradients, strict=True
        ):
            if gradient is not None:
                _adam(variable, first, second, gradient, rate, number)

    compiled = tf.function(step)
    size = max(4, min(_BATCH, _MEMORY // max(1, network.activation_bytes)))
    order = _batches(len(next(iter(data.values()))), size, seed)
    for number, places in enumerate(islice(order, steps)):
        batch = {name: tf.constant(value[places]) for name, value in data.items()}
        compiled(batch, tf.constant(rates[number], tf.float32), tf.constant(number + 1.0))
        progress(number + 1, steps)
    return {name: np.asarray(value) for name, value in constants().items()}


def _straight_through(value: Any) -> Any:
    import tensorflow as tf

    return value + tf.stop_gradient(tf.round(value) - value)


def _distance(got: Any, right: Any) -> Any:
    import tensorflow as tf

    power = tf.reduce_mean(tf.square(right)) + 1e-9
    return tf.reduce_mean(tf.square(got - right)) / power


def _adam(variable: Any, first: Any, second: Any, gradient: Any, rate: Any, number: Any) -> None:
    import tensorflow as tf

    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=first.handle,
        v=second.handle,
        beta1_power=0.9**number,
        beta2_power=0.999**number,
        lr=rate,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-7,
        grad=gradient,
    )


def _batches(count: int, size: int, seed: int) -> Iterator[Array]:
    """Yield the places of samples, in a new order each time that all were taken."""
    random, waiting = np.random.default_rng(seed), np.zeros(0, np.int64)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, random.permutation(count)])
        yield waiting[:size]
        waiting = waiting[size:]


def _weights(network: Network) -> dict[str, Constant]:
    """Return the quantized weights by name, but those that operators share at different scales."""
    found: dict[str, list[Constant]] = {}
    for operation in network.operations:
        if operation.kind in BIAS_INPUT and (weight := operation.constants[1]) is not None:
            found.setdefault(operation.inputs[1], []).append(weight)
    return {
        name: first
        for name, (first, *others) in found.items()
        if all(np.array_equal(other.scales, first.scales) for other in others)
    }


def _biases(network: Network) -> dict[str, Array]:
    """Return the biases of integer operators by name, each with the size of its steps."""
    steps = {}
    for operation in network.operations:
        position = BIAS_INPUT.get(operation.kind, len(operation.inputs))
        if position < len(operation.inputs) and operation.constants[position] is not None:
            scale = operation.output_scales[0]
            size = 0.01 if scale is None else scale.scale
            steps[operation.inputs[position]] = np.array(size, np.float32)
    return steps


def _compared(network: Network) -> dict[str, float]:
    """Return the tensors that are to be as in float, with their weights: outputs, and ends of blocks."""
    logits = {
        operation.outputs[0]: operation.inputs[0]
        for operation in network.operations
        if operation.kind in TO_PROBABILITIES
    }
    ends = [
        operation.outputs[0]
        for operation in network.operations
        if operation.kind in _BLOCK_ENDS and operation.output_scales[0] is not None
    ]
    outputs = [logits.get(name, name) for name in network.outputs]
    weights = dict.fromkeys(ends, 1 / max(1, len(ends)))
    return weights | {name: 1 / len(outputs) + weights.get(name, 0) for name in outputs}


def _stacked(network: Network, samples: Samples) -> dict[str, Array]:
    """Return the samples as one array for each input."""
    rows = list(islice(samples, _ENOUGH))
    return {
        name: np.stack([np.asarray(row[name], dtype) for row in rows])
        for name, dtype in network.inputs.items()
    }


def _is_close(network: Network, graph: Path, data: Mapping[str, Array]) -> bool:
    """Return whether the function computes what the file does, for two samples at once."""
    two = {name: value[:2] for name, value in data.items()}
    got = forward(network, two, network.outputs, rounded=False)
    rows = [dict(zip(two, row, strict=True)) for row in zip(*two.values(), strict=True)]
    for place, run in enumerate(runs_over(graph, rows)):
        for detail in run.get_output_details():
            right = run.get_tensor(detail["index"])[0]
            wrong = np.asarray(got[detail["name"]])[place] - right
            if not np.sum(wrong**2) <= _CLOSE**2 * max(np.sum(right**2), 1e-9):
                return False
    return True
