"""Runs model files: one way to open them, whatever the format.

>>> from edgekit_runtimes import open_model
>>> with open_model("model_int8.tflite") as model:   # doctest: +SKIP
...     y = model.run(x)
"""

from collections.abc import Callable
from pathlib import Path

from edgekit_runtimes.base import (
    InputError,
    ModelError,
    RuntimeMissing,
    Session,
    TensorSpec,
)
from edgekit_runtimes.keras import keras_session, open_keras
from edgekit_runtimes.litert import open_litert
from edgekit_runtimes.ort import open_ort

__all__ = [
    "RUNTIMES",
    "InputError",
    "ModelError",
    "RuntimeMissing",
    "Session",
    "TensorSpec",
    "keras_session",
    "open_model",
]

RUNTIMES: dict[str, Callable[[Path, int], Session]] = {
    ".tflite": open_litert,
    ".onnx": open_ort,
    ".keras": open_keras,
    ".h5": open_keras,
}
"""The runtime that opens a file, by the file's ending."""


def open_model(path: str | Path, *, threads: int = 1) -> Session:
    """Opens a model file on the CPU.

    Args:
        path: ``.tflite``, ``.onnx``, ``.keras`` or ``.h5``.
        threads: how many the runtime may use for one call.

    Raises:
        ModelError: there is no such file, or its runtime cannot open it.
        RuntimeMissing: the runtime that opens such files is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file.")
    if path.suffix not in RUNTIMES:
        raise ModelError(f"{path}: a model ends in {', '.join(RUNTIMES)}.")
    return RUNTIMES[path.suffix](path, threads)
