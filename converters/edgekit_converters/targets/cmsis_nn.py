"""The memory that CMSIS-NN's kernels want beside a model's tensors, which TensorFlow Lite Micro's plain ones do not.

By its functions ``arm_*_get_buffer_size`` of August 2026 (github.com/ARM-software/CMSIS-NN, 4ab83cc3): for
processors with DSP instructions, or none (Cortex-M0 to M33), and for those with Helium (M52, M55, M85).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit_converters.targets.operators import read_model
from edgekit_converters.tflite import flatbuffer

_BLOCK = 124  # channels that Helium's depthwise kernel takes at a time (CH_IN_BLOCK_MVE)


@dataclass(frozen=True, slots=True)
class Scratch:
    """Bytes beside the tensors, at most."""

    dsp: int
    """On processors without Helium."""
    helium: int


def scratch_bytes(path: Path) -> Scratch:
    """Return what CMSIS-NN's kernels want for a file, at most.

    The buffers of two operators are never in use at once, so that the largest counts; what an operator keeps
    (sums of weights) counts for each.

    Raises:
        TargetError: it is no TFLite file, or is damaged.
    """
    model = read_model(path)
    most, kept = [Scratch(0, 0)], [Scratch(0, 0)]
    for graph in model.subgraphs:
        for operator in graph.operators:
            kind = flatbuffer.kind_name(model, operator)
            read = [flatbuffer.shape(graph.tensors[i]) if i >= 0 else () for i in operator.inputs]
            made = flatbuffer.shape(graph.tensors[operator.outputs[0]])
            if kind in _WANTED:
                most.append(_WANTED[kind](operator, read, made))
            if kind in _KEPT:
                kept.append(_KEPT[kind](operator, read, made))
    dsp = max(one.dsp for one in most) + sum(one.dsp for one in kept)
    helium = max(one.helium for one in most) + sum(one.helium for one in kept)
    return Scratch(_aligned(dsp), _aligned(helium))


Shapes = list[tuple[int, ...]]


def _convolution(_: Any, read: Shapes, __: tuple[int, ...]) -> Scratch:
    return _columns(read[1])


def _columns(weights: tuple[int, ...]) -> Scratch:
    """Of a convolution: two columns of 16 bits, four of 8 bits by blocks of 16."""
    _, height, width, channels = weights
    values = height * width * channels
    return Scratch(4 * (-(-values // 4) * 4), 4 * (-(-values // 16) * 16))


def _depthwise(_: Any, read: Shapes, made: tuple[int, ...]) -> Scratch:
    _, height, width, _ = read[1]
    window = height * width
    one_channel = _columns((made[-1], height, width, 1)).helium + window * made[-1]
    block = 4 * _BLOCK * window
    return Scratch(2 * read[0][-1] * window, one_channel if read[0][-1] == 1 else block)


def _transposed(operator: Any, read: Shapes, made: tuple[int, ...]) -> Scratch:
    _, height, width, channels = read[1]
    options = operator.builtinOptions
    row = (read[2][2] - 1) * options.strideW + max(width, options.strideH)
    sums = 4 * row * made[-1] * max(height, options.strideH)
    backwards = channels * height * width * made[-1]  # the weights in reverse order
    columns = _columns(read[1])
    return Scratch(max(sums, columns.dsp + backwards), max(sums, columns.helium + backwards))


def _dense(_: Any, __: Shapes, made: tuple[int, ...]) -> Scratch:
    return Scratch(8 * made[-1], 8 * made[-1]) if len(made) > 2 else Scratch(0, 0)


def _product(_: Any, __: Shapes, made: tuple[int, ...]) -> Scratch:
    return Scratch(0, 4 * made[-1])


def _dense_sums(_: Any, __: Shapes, made: tuple[int, ...]) -> Scratch:
    return Scratch(0, 4 * made[-1])


def _recurrent_sums(_: Any, read: Shapes, __: tuple[int, ...]) -> Scratch:
    units = read[6][-1]  # of the recurrent weights of the forget gate, which no cell is without
    return Scratch(8 * (4 * units + 16), 8 * (4 * units + 16))  # each aligned to 16 bytes


def _average(_: Any, read: Shapes, __: tuple[int, ...]) -> Scratch:
    return Scratch(4 * read[0][-1], 0)


_WANTED: dict[str, Callable[[Any, Shapes, tuple[int, ...]], Scratch]] = {
    "AVERAGE_POOL_2D": _average,
    "BATCH_MATMUL": _product,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV": _transposed,
}
"""For the time of a call, by ``BuiltinOperator``; all other kernels of CMSIS-NN want as much as the plain ones."""

_KEPT: dict[str, Callable[[Any, Shapes, tuple[int, ...]], Scratch]] = {
    "FULLY_CONNECTED": _dense_sums,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent_sums,
}
"""For good."""


def _aligned(size: int) -> int:
    return -(-size // 16) * 16
