"""The types that every converter speaks."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
"""What the weights and the activations are stored and computed in.

- ``float32``: both as trained.
- ``float16``: weights stored in 16 bits, computed in float.
- ``dynamic``: weights in int8, activations quantized by the runtime at each call.
- ``int8``: weights and activations in int8, with ranges fixed by calibration.
- ``int16x8``: int8 weights, 16-bit activations: slow, a reference for accuracy.
"""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
CALIBRATED: frozenset[Precision] = frozenset({"int8", "int16x8"})
"""The precisions whose ranges come from samples."""

Format = Literal["tflite", "onnx"]
FORMATS: tuple[Format, ...] = get_args(Format)

InterfaceType = Literal["float", "int8"]
"""What a quantized file takes and gives: real numbers, or its own 8-bit integers."""

Array = npt.NDArray[Any]
Sample = Mapping[str, Array]
"""One sample: an array for each input of the model, by name, without the batch axis."""


class Samples(Protocol):
    """Samples that can be read more than once, one at a time: never all in memory."""

    def __iter__(self) -> Iterator[Sample]: ...

    def __len__(self) -> int: ...


class ConversionError(Exception):
    """A model that cannot be converted, with the reason and the way out."""


class SourceError(ConversionError):
    """What was named is no model: not there, of another kind, or cut short."""


Range = tuple[np.float32, np.float32]
"""The least and the greatest value that a tensor took."""
