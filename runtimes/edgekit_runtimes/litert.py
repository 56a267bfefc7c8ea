"""LiteRT: runs ``.tflite`` files on the CPU, by XNNPACK."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array, ModelError, RuntimeMissing, Session, TensorSpec


def open_litert(path: Path, threads: int = 1) -> Session:
    """Opens a TFLite file.

    Raises:
        RuntimeMissing: ai-edge-litert is not installed.
        ModelError: the file is no TFLite file, is cut short, or holds an operator LiteRT lacks.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise RuntimeMissing(
            "LiteRT is not installed: pip install 'edgekit-toolkit[litert]'"
        ) from error
    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: LiteRT cannot open it: {error}") from error
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    # A model with state (LSTM variables) starts clean at each call.
    stateful = any("variable" in str(d["name"]).lower() for d in interpreter.get_tensor_details())

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        if stateful:
            interpreter.reset_all_variables()
        for detail, array in zip(inputs, arrays, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(d["index"]) for d in outputs]

    return Session(str(path), [_spec(d) for d in inputs], [_spec(d) for d in outputs], run)


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    return TensorSpec(
        name=detail["name"],
        # As allocated: an open size (-1 in shape_signature) stands at 1, and batches are run in turn.
        shape=tuple(int(n) for n in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale) or None,
        zero_point=int(zero_point),
    )
