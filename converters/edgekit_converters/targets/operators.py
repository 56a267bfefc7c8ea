"""The operators of a TFLite file, of all its graphs, by kind."""

from collections import Counter
from pathlib import Path
from typing import Any

from edgekit_converters.targets.inspection import TargetError
from edgekit_converters.tflite import flatbuffer


def read_model(path: Path) -> Any:
    """Read a TFLite file as a ``ModelT``.

    Raises:
        TargetError: it is none, or is damaged.
    """
    import struct

    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise TargetError(f"{path}: this is no TFLite file.")
    try:
        return flatbuffer.read_packed(content)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        raise TargetError(f"{path}: the file is cut short or damaged.") from error


def operator_counts(model: Any) -> Counter[str]:
    """How many operators of each kind there are, loops' and branches' own included, in the file's order."""
    return Counter(
        flatbuffer.kind_name(model, operator)
        for graph in model.subgraphs
        for operator in graph.operators
    )
