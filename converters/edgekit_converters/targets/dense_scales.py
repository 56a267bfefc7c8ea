"""Dense weights of an int8 file with one scale, to ask a compiler what that would save.

The file is for that alone: its weights were rounded twice. ``Recipe.dense_per_tensor`` makes the real one.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.tflite import flatbuffer


def per_channel(model: Any) -> list[Any]:
    """Return the FULLY_CONNECTED of the main graph whose weights have several scales."""
    main = model.subgraphs[0]
    return [
        operator
        for operator in main.operators
        if flatbuffer.opcode(model, operator) == flatbuffer.FULLY_CONNECTED
        and len(_scales(main.tensors[operator.inputs[1]])) > 1
    ]


def write_with_one_scale(model: Path, target: Path) -> None:
    """Write a file with the weights of its FULLY_CONNECTED in one scale each; biases follow them."""
    changed = flatbuffer.read(model)
    main = changed.subgraphs[0]
    for operator in per_channel(changed):
        weights = main.tensors[operator.inputs[1]]
        values, scales = flatbuffer.constant(changed, weights), _scales(weights)
        if values is None:
            continue
        one = np.float32(np.abs(values.reshape(len(scales), -1)).max(axis=1) * scales).max() / 127
        ratios = scales / one
        _store(changed, weights, np.rint(values * ratios[:, None]).astype(np.int8), one)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            bias = main.tensors[operator.inputs[2]]
            numbers, steps = flatbuffer.constant(changed, bias), _scales(bias)
            if numbers is not None and len(steps):
                kept = np.rint(numbers * ratios).astype(numbers.dtype)
                _store(changed, bias, kept, steps[0] / ratios[0])
    flatbuffer.write(changed, target)


def _scales(tensor: Any) -> Any:
    stored = tensor.quantization
    none = stored is None or stored.scale is None
    return np.zeros(0, np.float32) if none else np.asarray(stored.scale, np.float32)


def _store(model: Any, tensor: Any, values: Any, scale: Any) -> None:
    """Give a constant other integers, in a buffer of its own, for equal ones share theirs."""
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers = [*model.buffers, buffer]
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([0], np.int64)
    tensor.quantization.quantizedDimension = 0
