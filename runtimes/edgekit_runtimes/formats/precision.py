"""The precision of a model file, detected from its content."""

from pathlib import Path
from typing import Literal

from edgekit_runtimes.files import reader_of

StoredPrecision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
_INTEGERS = {"int8", "uint8"}


def precision_of(path: Path) -> StoredPrecision:
    """Detects the precision of a model file from the types of its tensors.

    Args:
        path: a file of a kind in ``FILES``: ``.tflite`` or ``.onnx``. It is not run.

    Returns:
        ``dynamic`` for any file with 8-bit weights whose other tensors are not quantized; ``int16x8``
        for 16-bit activations; else as the types are.

    Raises:
        ModelError: the file is of another kind, or damaged.

    >>> import onnx.parser
    >>> text = '''<ir_version: 9, opset_import: ["": 17]>
    ... double (float[N, 3] x) => (float[N, 3] y) { y = Add(x, x) }'''
    >>> onnx.save(onnx.parser.parse_model(text), "double.onnx")
    >>> precision_of(Path("double.onnx"))
    'float32'
    """
    computed, constants = reader_of(path).types(path)
    if {"int16", "uint16"} & computed:
        return "int16x8"
    if _INTEGERS & computed:
        return "int8"
    if _INTEGERS & constants:
        return "dynamic"
    return "float16" if "float16" in constants else "float32"
