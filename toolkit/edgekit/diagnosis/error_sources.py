"""Whose error it is: the conversion's, the quantization's, or the runtime's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from edgekit.accuracy.metrics import METRICS
from edgekit.data.store import StoredArrays
from edgekit.inference.record import record
from edgekit.inference.tensor_names import renamed
from edgekit_runtimes import DeviceUnavailable, ModelError, Session, onnx_file, open_model
from edgekit_runtimes.host import exact_int8

_SAMPLES = 64  # of the file as it is written, which is slow
_REFERENCE = "reference"
_APART = 6.0  # dB: four times the noise
_SMALL = 40.0  # dB, beyond which a runtime's rounding is nobody's concern


@dataclass(frozen=True, slots=True)
class ErrorSources:
    """Where a file's error comes from: signal to noise in dB, inf for none, None where nobody knows."""

    conversion_db: float | None = None
    """The float file of the same format against the original."""
    quantization_db: float | None = None
    """The file, computed as it is written, against that float file."""
    runtime_db: float | None = None
    """The file on its device against itself, computed as it is written."""


class ErrorAttribution:
    """Takes a file's error apart, against the same original and samples.

    A quantized file is also run as it is written, by the device ``reference``: what it answers there
    is owed to conversion and quantization; what its device answers otherwise, to the runtime.
    """

    def __init__(
        self,
        original: Session,
        outputs: StoredArrays,
        samples: StoredArrays,
        scratch: Path,
        float_files: Mapping[Path, Path],
    ) -> None:
        self._original, self._outputs, self._samples = original, outputs, samples
        self._scratch, self._float_files = scratch, float_files
        self._few: dict[tuple[Path, str], StoredArrays | None] = {}
        self.refusals: dict[Path, str] = {}
        """Files that cannot be run as they are written, and why."""

    def of(
        self, path: Path, answers: StoredArrays, device: str
    ) -> tuple[ErrorSources, tuple[str, ...]]:
        """The sources of a file's error, and what makes it fail beside its scores."""
        whole = self._float_files.get(path)
        floats = self._answers(whole, "cpu") if whole else None
        if whole == path:
            runtime = None if device == "cpu" else _decibel(floats, answers)
            return ErrorSources(
                conversion_db=_decibel(self._outputs, floats), runtime_db=runtime
            ), ()
        plain = self._answers(path, _REFERENCE)
        converted = floats if str(whole) != self._original.path else None  # else nothing was
        sources = ErrorSources(
            _decibel(self._outputs, converted), _decibel(floats, plain), _decibel(plain, answers)
        )
        return sources, tuple(_faults(sources, _decibel(self._outputs, plain), device, path))

    def _answers(self, path: Path, device: str) -> StoredArrays | None:
        """A file's answers to the first samples; None where this device does not run it."""
        key = path, device
        if key not in self._few:
            try:
                with open_model(path, device=device) as session:
                    self._few[key] = record(
                        renamed(session, self._original),
                        replace(self._samples, count=min(_SAMPLES, len(self._samples))),
                        self._scratch / f"few {len(self._few)}",
                    )
            except (DeviceUnavailable, ModelError) as error:
                self._few[key] = None
                if device == _REFERENCE:
                    self.refusals[path] = (
                        f"{path.name}: whether its runtime computes it as it is written cannot be "
                        f"checked, nor its layers: {error}"
                    )
        return self._few[key]


def _faults(
    sources: ErrorSources, reference_db: float | None, device: str, path: Path
) -> Iterator[str]:
    """A runtime that adds far more error than the file has by itself."""
    runtime = sources.runtime_db
    quantized = sources.quantization_db
    own, whose = (
        (quantized, "its float file") if quantized is not None else (reference_db, "the original")
    )
    if runtime is None or own is None or runtime >= min(own - _APART, _SMALL):
        return
    text = (
        f"the runtime strays {runtime:.1f} dB from what the file's own numbers give, which are "
        f"{own:.1f} dB from {whose}"
    )
    signed = path.suffix == ".onnx" and "int8" in onnx_file.read_types(path)[1]
    if device == "cpu" and signed and not exact_int8():
        text += (
            ": this processor has no VNNI, and ONNX Runtime sums signed 8-bit products in 16 bits there, "
            "where they saturate. Weights quantized as unsigned (as edgekit convert writes them) do not"
        )
    else:
        text += ": its kernels compute this file otherwise than it is written"
    yield text


def _decibel(expected: StoredArrays | None, got: StoredArrays | None) -> float | None:
    """The worst output's SQNR over the samples that both have."""
    if expected is None or got is None:
        return None
    metric = METRICS["sqnr"]
    count = min(len(expected), len(got))
    before, after = next(expected.batches(count)), next(got.batches(count))
    found = []
    for name in before:
        a, b = (x[name].astype(np.float64).reshape(count, -1) for x in (before, after))
        found.append(metric.value(metric.per_sample(a, b)))
    return min(found, default=inf)
