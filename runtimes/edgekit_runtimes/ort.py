"""ONNX Runtime: runs ``.onnx`` files on the CPU."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit_runtimes.base import Array, ModelError, RuntimeMissing, Session, TensorSpec

QUANTIZATION_KEY = "edgekit.quantization"
"""The metadata entry with the scales of integer inputs and outputs; ONNX has no place of its own."""

_NUMPY_OF = {"float": "float32", "double": "float64"}


def open_ort(path: Path, threads: int = 1) -> Session:
    """Opens an ONNX file.

    Raises:
        RuntimeMissing: onnxruntime is not installed.
        ModelError: the file is no ONNX file, is cut short, or holds an operator that is unknown.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissing(
            "ONNX Runtime is not installed: pip install 'edgekit-toolkit[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions share no base but Exception
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error
    scales = json.loads(session.get_modelmeta().custom_metadata_map.get(QUANTIZATION_KEY, "{}"))
    inputs = [_spec(i, scales) for i in session.get_inputs()]
    outputs = [_spec(o, scales) for o in session.get_outputs()]
    names = [o.name for o in outputs]

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        return session.run(  # type: ignore[no-any-return]
            names, {spec.name: array for spec, array in zip(inputs, arrays, strict=True)}
        )

    return Session(str(path), inputs, outputs, run)


def _spec(port: Any, scales: dict[str, dict[str, float]]) -> TensorSpec:
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    found = scales.get(port.name)
    return TensorSpec(
        name=port.name,
        shape=tuple(n if isinstance(n, int) else None for n in port.shape),
        dtype=_NUMPY_OF.get(kind, kind),
        scale=found["scale"] if found else None,
        zero_point=int(found["zero_point"]) if found else 0,
    )
