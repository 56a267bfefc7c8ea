"""``manifest.json``: what whoever opens the folder later needs to know."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.bundle import schema
from edgekit.bundle.folder import write_json
from edgekit.bundle.plain import from_plain, to_plain
from edgekit.data.samples import DataError
from edgekit_runtimes import TensorSpec
from edgekit_runtimes.bundle.manifest_file import (
    MANIFEST,
    UNFINISHED,
    UNFINISHED_FOLDER,
    read_document,
)
from edgekit_runtimes.known_files import sha256
from edgekit_runtimes.monitoring.reference import Distributions
from edgekit_runtimes.processing.image_input import ImageInput
from edgekit_runtimes.processing.postprocessing import Postprocessing


@dataclass(frozen=True, slots=True)
class Source:
    """The model that the files were made from."""

    name: str
    bytes: int = 0
    sha256: str | None = None
    """None where it was an object in memory."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file that holds the weights of another."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """What a calibrated file was made by."""

    sha256: str
    """Of the recipe with its operators: files with the same one were made alike."""
    in_float: int
    """How many operators compute in float32 by it."""
    operators: int
    """Of how many."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One model file."""

    file: str
    format: str
    precision: str
    bytes: int
    """Of the file and its sidecar."""
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    verdict: str
    results: tuple[dict[str, Any], ...]
    """Of each output, as in ``report.json``."""
    latency_ms: float | None = None
    data: Sidecar | None = None
    recipe: RecipeEntry | None = None
    """None where the file is not calibrated."""
    least_versions: dict[str, str] = field(default_factory=dict)
    """The oldest version of each runtime that runs it: ``litert``, ``tflite``, ``onnxruntime``."""


@dataclass(frozen=True, slots=True)
class GoldenSamples:
    """The file of golden samples: a few inputs, and the outputs of each file for them."""

    file: str
    bytes: int
    sha256: str
    samples: int
    tolerances: dict[str, dict[str, float]]
    """By file and output, how far an output's values may be from the golden ones."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A folder of model files made from one original."""

    model: Source
    files: tuple[FileEntry, ...]
    batch: int
    """The fixed batch size."""
    shippable: bool
    """False where the files were calibrated and evaluated on random numbers."""
    calibrated_on: int
    evaluated_on: int
    labels: tuple[str, ...] = ()
    """The classes' names, in order."""
    scale: str | None = None
    """What the pixels of image files became; None where the samples were no images."""
    preprocessing: tuple[ImageInput, ...] = ()
    """How images become inputs; of those inputs alone of which it is known."""
    postprocessing: tuple[Postprocessing, ...] = ()
    """What each output means."""
    license: str | None = None
    """Of the model, as whoever converted it put it: an SPDX expression, or a note."""
    golden: GoldenSamples | None = None
    """None where no golden samples were wanted, or one is too large."""
    distributions: Distributions | None = None
    """How inputs and outputs are distributed in the samples; None where that was not wanted."""
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    """The calibrated range of each tensor, by name."""
    onnx_vs_tflite: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    """By precision: the ONNX file compared with the TFLite file."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    processor: dict[str, Any] = field(default_factory=dict)
    schema: str = schema.MANIFEST

    def entry(self, path: Path) -> FileEntry | None:
        """Return the entry of a file, where the file is still the one that it describes."""
        for entry in self.files:
            if entry.file == path.name and entry.sha256 == sha256(path):
                return entry
        return None


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as JSON."""
    write_json(path, {"schema": manifest.schema, **to_plain(manifest)})


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a folder that ``convert`` made; None where there is none of edgekit's.

    Raises:
        DataError: it is one of edgekit's, and something in it is missing or of another type, or the
            files of the folder were not all put in place.
    """
    path = folder / MANIFEST
    try:
        plain = read_document(path)
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(plain, dict) and plain.get("schema") == UNFINISHED:
        raise DataError(f"{folder}: {UNFINISHED_FOLDER}")
    if not isinstance(plain, dict) or plain.get("schema") != schema.MANIFEST:
        return None
    try:
        return from_plain(Manifest, plain)
    except ValueError as error:
        raise DataError(
            f"{path}: {error}. It was changed since edgekit convert wrote it: convert again."
        ) from error
