"""What numbers a file holds and computes with, told from the file alone."""

from pathlib import Path
from typing import Literal

from edgekit_runtimes import onnx_file, tflite_file
from edgekit_runtimes.base import ModelError

StoredPrecision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
_INTEGERS = {"int8", "uint8"}


def precision_of(path: Path) -> StoredPrecision:
    """The precision of a ``.tflite`` or ``.onnx`` file, by what it computes and holds.

    ``dynamic`` is any file whose weights are 8-bit integers and whose tensors are not.

    Raises:
        ModelError: it is neither, or is damaged.
    """
    if path.suffix == ".tflite":
        computed, constants = tflite_file.read_types(path)
    elif path.suffix == ".onnx":
        computed, constants = onnx_file.read_types(path)
    else:
        raise ModelError(f"{path}: a model file ends in .tflite or .onnx.")
    if {"int16", "uint16"} & computed:
        return "int16x8"
    if _INTEGERS & computed:
        return "int8"
    if _INTEGERS & constants:
        return "dynamic"
    return "float16" if "float16" in constants else "float32"
