"""The operators of a TFLite file as TensorFlow functions, through which gradients flow.

For what LiteRT cannot do: train. What is not in ``OPERATORS`` cannot be trained through.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgekit_converters.tflite import flatbuffer

Operator = Callable[[Any, Sequence[Any]], Any]
"""``operator(options, operands)``: the result, or a list of them. An operand that is left out is None."""

_PADDING = {0: "SAME", 1: "VALID"}


def activate(kind: int, value: Any) -> Any:
    """Apply an activation that is fused into an operator, by its ``ActivationFunctionType``."""
    import tensorflow as tf

    return {
        0: tf.identity,
        1: tf.nn.relu,
        2: lambda x: tf.clip_by_value(x, -1.0, 1.0),
        3: tf.nn.relu6,
        4: tf.tanh,
    }[kind](value)


def _tf(call: Callable[[Any, Any, Sequence[Any]], Any]) -> Operator:
    """Return an operator that is given the module ``tensorflow`` too, imported when it runs."""

    def run(options: Any, operands: Sequence[Any]) -> Any:
        import tensorflow as tf

        return call(tf, options, operands)

    return run


def _with_bias(value: Any, operands: Sequence[Any], position: int) -> Any:
    bias = operands[position] if len(operands) > position else None
    return value if bias is None else value + bias


def _convolution(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    x, weights = operands[:2]
    made = tf.nn.conv2d(
        x,
        tf.transpose(weights, (1, 2, 3, 0)),
        (options.strideH, options.strideW),
        _PADDING[options.padding],
        dilations=(options.dilationHFactor, options.dilationWFactor),
    )
    return _with_bias(made, operands, 2)


def _depthwise(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    x, weights = operands[:2]
    _, height, width, results = weights.shape
    made = tf.nn.depthwise_conv2d(
        x,
        tf.reshape(weights, (height, width, x.shape[-1], results // x.shape[-1])),
        (1, options.strideH, options.strideW, 1),
        _PADDING[options.padding],
        dilations=(options.dilationHFactor, options.dilationWFactor),
    )
    return _with_bias(made, operands, 2)


def _transposed_convolution(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    shape, weights, x = operands[:3]
    made = tf.nn.conv2d_transpose(
        x,
        tf.transpose(weights, (1, 2, 0, 3)),
        (tf.shape(x)[0], *(int(n) for n in shape[1:])),
        (options.strideH, options.strideW),
        _PADDING[options.padding],
    )
    return _with_bias(made, operands, 3)


def _fully_connected(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    x, weights = operands[:2]
    if not options.keepNumDims:
        x = tf.reshape(x, (-1, weights.shape[-1]))
    return _with_bias(tf.matmul(x, weights, transpose_b=True), operands, 2)


def _pool(name: str) -> Operator:
    def run(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
        return getattr(tf.nn, name)(
            operands[0],
            (options.filterHeight, options.filterWidth),
            (options.strideH, options.strideW),
            _PADDING[options.padding],
        )

    return _tf(run)


def _reduce(name: str) -> Operator:
    def run(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
        axes = [int(axis) for axis in np.ravel(operands[1])]
        return getattr(tf, name)(operands[0], axes, keepdims=bool(options.keepDims))

    return _tf(run)


def _concatenation(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    count = next(tf.shape(x)[0] for x in operands if tf.is_tensor(x))
    if options.axis:  # a constant, as a class token, is there once a sample
        operands = [
            x if tf.is_tensor(x) else tf.repeat(x, count // x.shape[0], 0) for x in operands
        ]
    return tf.concat(operands, options.axis)


def _reshape(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    shape = operands[1] if len(operands) > 1 else options.newShape
    return tf.reshape(operands[0], (-1, *(int(n) for n in np.ravel(shape)[1:])))


def _resize(method: str) -> Operator:
    def run(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
        name = "ResizeBilinear" if method == "bilinear" else "ResizeNearestNeighbor"
        return getattr(tf.raw_ops, name)(
            images=operands[0],
            size=np.asarray(operands[1]),
            align_corners=bool(options.alignCorners),
            half_pixel_centers=bool(options.halfPixelCenters),
        )

    return _tf(run)


def _strided_slice(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    x, begin, end, strides = operands
    return tf.strided_slice(
        x,
        begin,
        end,
        strides,
        options.beginMask | 1,  # all samples
        options.endMask | 1,
        options.ellipsisMask,
        options.newAxisMask,
        options.shrinkAxisMask,
    )


def _slice(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    del options
    x, begin, size = operands
    return tf.slice(x, (0, *(int(n) for n in begin[1:])), (-1, *(int(n) for n in size[1:])))


def _product(tf: Any, options: Any, operands: Sequence[Any]) -> Any:
    x, y = operands
    return tf.matmul(x, y, transpose_a=bool(options.adjX), transpose_b=bool(options.adjY))


OPERATORS: dict[int, Operator] = {
    0: lambda _, x: x[0] + x[1],
    1: _pool("avg_pool2d"),
    2: _tf(_concatenation),
    3: _tf(_convolution),
    4: _tf(_depthwise),
    9: _tf(_fully_connected),
    14: _tf(lambda tf, _, x: tf.sigmoid(x[0])),
    17: _pool("max_pool2d"),
    18: lambda _, x: x[0] * x[1],
    19: _tf(lambda tf, _, x: tf.nn.relu(x[0])),
    21: _tf(lambda tf, _, x: tf.nn.relu6(x[0])),
    22: _tf(_reshape),
    23: _resize("bilinear"),
    25: _tf(lambda tf, options, x: tf.nn.softmax(x[0] * options.beta)),
    28: _tf(lambda tf, _, x: tf.tanh(x[0])),
    34: _tf(lambda tf, _, x: tf.pad(x[0], x[1])),
    36: _tf(lambda tf, options, x: tf.gather(x[0], x[1], axis=options.axis)),
    39: _tf(lambda tf, _, x: tf.transpose(x[0], x[1])),
    40: _reduce("reduce_mean"),
    41: lambda _, x: x[0] - x[1],
    42: lambda _, x: x[0] / x[1],
    43: _tf(lambda tf, options, x: tf.squeeze(x[0], [int(axis) for axis in options.squeezeDims])),
    45: _tf(_strided_slice),
    49: _tf(lambda tf, options, x: tf.split(x[1], options.numSplits, int(x[0]))),
    53: _tf(lambda tf, options, x: tf.cast(x[0], flatbuffer.dtype(options.outDataType))),
    54: _tf(lambda tf, _, x: tf.maximum(x[0], 0.0) + x[1] * tf.minimum(x[0], 0.0)),
    55: _tf(lambda tf, _, x: tf.maximum(x[0], x[1])),
    57: _tf(lambda tf, _, x: tf.minimum(x[0], x[1])),
    58: lambda _, x: x[0] < x[1],
    64: _tf(lambda tf, _, x: tf.where(*x)),
    65: _tf(_slice),
    67: _tf(_transposed_convolution),
    70: _tf(lambda tf, _, x: tf.expand_dims(x[0], int(np.ravel(x[1])[0]))),
    74: _reduce("reduce_sum"),
    75: _tf(lambda tf, _, x: tf.sqrt(x[0])),
    76: _tf(lambda tf, _, x: tf.math.rsqrt(x[0])),
    82: _reduce("reduce_max"),
    89: _reduce("reduce_min"),
    97: _resize("nearest"),
    98: _tf(lambda tf, options, x: tf.nn.leaky_relu(x[0], options.alpha)),
    99: lambda _, x: (x[0] - x[1]) ** 2,
    117: _tf(lambda tf, _, x: x[0] * tf.nn.relu6(x[0] + 3.0) / 6.0),
    123: _tf(lambda tf, _, x: tf.where(*x)),
    126: _tf(_product),
    150: _tf(lambda tf, options, x: tf.nn.gelu(x[0], approximate=bool(options.approximate))),
}
"""By ``BuiltinOperator``, without the activation that may be fused into them."""
