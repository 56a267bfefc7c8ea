"""Kinds of model files: what can be read from one without running it, in one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.formats import onnx_file, tflite_file

if TYPE_CHECKING:  # a script that only runs models starts without the modules of layers
    from edgekit_runtimes.layers import Layers


def _nothing(path: Path) -> None:
    """Its runtime checks such files by itself."""


def _no_steps(path: Path) -> Mapping[str, float]:  # noqa: ARG001
    return {}


def _no_metadata(path: Path, name: str) -> str | None:  # noqa: ARG001
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReader:
    """One entry of ``FILES``: the functions that read one kind of model file.

    They raise ``ModelError`` for a file that is of another kind, or damaged.
    """

    types: Callable[[Path], tuple[set[str], set[str]]]
    """The dtypes of the quantized tensors that operators compute, and those of the constants."""

    ends: Callable[[Path], Mapping[str, tuple[float | None, int]]]
    """Scale and zero point of each input and output by its name; no scale where it is float32."""

    layers: "Callable[[Path, bool], Layers]"
    """Opens the file with every layer in sight; the arguments are those of ``open_layers``."""

    verify: Callable[[Path], None] = _nothing
    """Refuses a file that its runtime could not follow without leaving it; runs nothing."""

    steps: Callable[[Path], Mapping[str, float]] = _no_steps
    """The distance of two neighbouring values of each output that comes from an integer tensor."""

    metadata: Callable[[Path, str], str | None] = _no_metadata
    """A text that the file has under a name, as its converter wrote it; None where there is none."""

    channels_first: bool = False
    """Whether images between inputs and outputs have the channel axis before height and width."""

    fuses: bool = False
    """Whether its CPU runtime replaces quantized operators by integer kernels of its own.

    Then ``open_layers(path, fused=False)`` computes otherwise: as the file is written.
    """

    signed_weights_saturate: bool = False
    """Whether its CPU runtime saturates on signed 8-bit weights where the processor lacks VNNI."""


def _tflite_layers(path: Path, fused: bool) -> "Layers":
    from edgekit_runtimes.layers_tflite import tflite_layers

    return tflite_layers(path, fused)


def _verify_tflite(path: Path) -> None:
    from edgekit_runtimes.formats.verify_tflite import verify_tflite

    verify_tflite(path)


def _onnx_layers(path: Path, fused: bool) -> "Layers":
    from edgekit_runtimes.layers_onnx import onnx_layers

    return onnx_layers(path, fused)


FILES: dict[str, FileReader] = {
    ".tflite": FileReader(
        types=tflite_file.read_types,
        ends=tflite_file.read_ends,
        steps=tflite_file.read_steps,
        metadata=tflite_file.read_metadata,
        layers=_tflite_layers,
        verify=_verify_tflite,
    ),
    ".onnx": FileReader(
        types=onnx_file.read_types,
        ends=onnx_file.read_ends,
        steps=onnx_file.read_steps,
        metadata=onnx_file.read_metadata,
        layers=_onnx_layers,
        channels_first=True,
        fuses=True,
        signed_weights_saturate=True,
    ),
}
"""From a file's suffix to the functions that read such files."""


def reader_of(path: Path) -> FileReader:
    """The entry of ``FILES`` for a file.

    Raises:
        ModelError: there is none.
    """
    if path.suffix not in FILES:
        raise ModelError(
            f"{path}: types and layers are read from {' and '.join(FILES)} files; this is none."
        )
    return FILES[path.suffix]


def open_layers(path: Path, *, fused: bool = True) -> "Layers":
    """Open a file of ``FILES`` with every layer in sight: slower than a session.

    >>> opened = open_layers(Path("out/model_float32.tflite"))
    >>> opened.layers[0].name
    'image'

    The first layers are the file's inputs. With it, a quantized file is compared with its float32
    counterpart layer by layer.

    Args:
        path: the file.
        fused: False to compute quantized operators in float32, as the file is written, also where
            the runtime would use integer kernels of its own.

    Raises:
        RuntimeMissing: its runtime is not installed.
        ModelError: the file cannot be opened, or its kind has no entry in ``FILES``.
    """
    reader = reader_of(path)
    reader.verify(path)
    return reader.layers(path, fused)
