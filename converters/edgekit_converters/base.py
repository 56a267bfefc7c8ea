"""The types that every converter shares."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
"""How weights and activations are stored and computed.

- ``float32``: both as trained.
- ``float16``: weights stored in 16 bits, computed in float32.
- ``dynamic``: weights in int8, activations quantized by the runtime at each call.
- ``int8``: weights and activations in int8, with ranges fixed by calibration.
- ``int16x8``: int8 weights, 16-bit activations: slow, a reference for accuracy.
"""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
CALIBRATED: frozenset[Precision] = frozenset({"int8", "int16x8"})
"""The precisions that need samples: they fix the range of every tensor."""

InterfaceType = Literal["float", "int8"]
"""The dtype of a calibrated file's inputs and outputs: float32, or 8-bit integers with a scale."""

Array = npt.NDArray[Any]
Sample = Mapping[str, Array]
"""One sample: an array for each input of the model, by name, without the batch axis."""


class Samples(Protocol):
    """Samples that can be read more than once, one at a time: never all in memory."""

    def __iter__(self) -> Iterator[Sample]: ...

    def __len__(self) -> int: ...


class ConversionError(Exception):
    """A model cannot be converted; the message says why, and what to do about it."""


class SourceError(ConversionError):
    """The model to convert is missing, truncated, or no model that Keras can load."""


Range = tuple[np.float32, np.float32]
"""The smallest and the largest value of a tensor over all samples."""


@dataclass(frozen=True, slots=True)
class Job:
    """One conversion, as the writers of all formats see it."""

    graph: Path
    """The float TFLite file that every file is made from, calibrated ones aside."""
    integer_graph: Path
    """The float TFLite file of calibrated files: ``graph``, or one that computes the same by operators
    with integer kernels."""
    scratch: Path
    """A folder for files in between."""
    interface: InterfaceType
    opset: int
    """Of ONNX files."""
    outside: Mapping[str, Array] = field(default_factory=dict)
    """Weights that ``graph`` takes as inputs, by name there: those of a model too large for TFLite."""
    samples: Samples | None = None
    """Those that calibrate; None where there are none."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """The TFLite file of a calibrated precision, whose scales and integers every format takes over."""

    graph: Path
    """The float TFLite file that it was made from."""
    file: Path
    ranges: Mapping[str, Range] = field(default_factory=dict)
    """By tensor name."""
    kept: tuple[str, ...] = ()
    """The operators of ``graph`` that stay in float by the recipe, by their first outputs."""
    weight_ranges: Mapping[str, Array] | None = None
    """As for ``write_tflite``."""
    dense_per_tensor: bool = False
    """As for ``write_tflite``."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the files of one format, in one conversion."""

    write: Callable[[Path, Precision, Quantized | None], None]
    """``write(target, precision, quantized)``; the last is None where the precision is not calibrated."""
    loops: int = 0
    """How many recurrent layers are loops in this format."""
    recurrent_operators: tuple[str, ...] = ()
    """The operator, which computes in float, of each recurrent layer that is no loop."""
    notes: tuple[str, ...] = ()
    """Where its files differ from what one would expect of them, in words for the user."""


def _no_metadata(path: Path, name: str, text: str) -> None:  # noqa: ARG001
    return None


def _no_sidecar(path: Path) -> None:  # noqa: ARG001
    return None


@dataclass(frozen=True, slots=True)
class Format:
    """One output format: an entry of ``FORMATS``."""

    title: str
    """Its name in prose."""
    suffix: str
    """Of its files, with the dot."""
    writer: Callable[[Job], Writer]
    """Prepares what all files of one conversion share, such as a translated graph.

    Raises ConversionError where the format cannot express the model.
    """
    mark: Callable[[Path, str], None]
    """``mark(path, words)`` writes words into a file of this format, which stay with every copy."""
    add_metadata: Callable[[Path, str, str], None] = _no_metadata
    """``add_metadata(path, name, text)`` writes a text under a name, for programs to read."""
    sidecar: Callable[[Path], Path | None] = _no_sidecar
    """Where a file of this format keeps weights that are too large to be in it; None: it cannot."""
    above_2_gb: frozenset[Precision] = frozenset()
    """The precisions in which it takes models whose weights no TFLite file can hold."""
    precisions: tuple[Precision, ...] = PRECISIONS
    """Those that it is written in."""
    infix: str = ""
    """In its files' names, where another format has the suffix too: ``micro_``."""

    def file_name(self, precision: Precision) -> str:
        """Return what ``convert`` calls its file, as ``model_int8.tflite``."""
        return f"model_{self.infix}{precision}{self.suffix}"
