"""A float graph with other values of its constants: what equalization and correction change.

The graph keeps its operators and the names of its tensors, so that ranges, recipes and the ONNX graph
find everything in it where they found it before.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.tflite import flatbuffer


def with_constants(graph: Path, target: Path, values: Mapping[str, Array]) -> None:
    """Write a float TFLite file with other values of some constants.

    A buffer is often shared by equal constants; only the tensors that are named get the new values.

    Args:
        graph: the float TFLite file.
        target: the file to write; it may be ``graph``.
        values: float32, by the name of a constant tensor of the main graph, each in its shape.

    Raises:
        ValueError: a name is none of a float32 constant of the main graph, or a value has another shape.
    """
    model = flatbuffer.read(graph)
    found = set()
    for tensor in model.subgraphs[0].tensors:
        name = flatbuffer.name(tensor)
        if name not in values:
            continue
        present = flatbuffer.constant(model, tensor)
        if present is None or tensor.type != flatbuffer.FLOAT32:
            raise ValueError(f"{graph.name}: {name!r} is no float32 constant.")
        value = np.ascontiguousarray(values[name], np.float32)
        if value.shape != present.shape:
            raise ValueError(
                f"{graph.name}: {name!r} has the shape {present.shape}, and its new value {value.shape}."
            )
        set_constant(model, tensor, value)
        found.add(name)
    if missing := values.keys() - found:
        raise ValueError(f"{graph.name} has no tensor {min(missing)!r}.")
    flatbuffer.write(model, target)


def set_constant(model: Any, tensor: Any, value: Array) -> None:
    """Give one tensor of a model another value, in a buffer of its own."""
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
