"""From a file to its pieces, by its suffix."""

from collections.abc import Callable, Mapping
from pathlib import Path

from edgekit_converters.base import ConversionError
from edgekit_converters.onnx.pieces import onnx_pieces
from edgekit_converters.pieces import Pieces
from edgekit_converters.tflite.pieces import tflite_pieces

PIECES: Mapping[str, Callable[[Path], Pieces]] = {".tflite": tflite_pieces, ".onnx": onnx_pieces}
"""By suffix, the function that reads such a file in pieces."""


def pieces_of(path: Path) -> Pieces:
    """Read a file in pieces.

    Raises:
        ConversionError: it is of another kind.
    """
    if path.suffix not in PIECES:
        raise ConversionError(f"{path}: pieces are cut out of {' and '.join(PIECES)} files.")
    return PIECES[path.suffix](path)
