"""Error attribution: how much of a file's error conversion, quantization and the runtime each add."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from edgekit.accuracy.metrics import METRICS
from edgekit.data.store import StoredArrays
from edgekit.inference.record import record
from edgekit.inference.tensor_names import ModelInterface, with_original_names
from edgekit_runtimes import FILES, DeviceUnavailable, ModelError, Session, open_model
from edgekit_runtimes.host import exact_int8

_SAMPLES = 64  # of the reference kernels, which are slow
_REFERENCE = "reference"
_FEWEST, _MACS = 4, 64e9  # samples, and multiply-adds in all: about half a minute
_APART = 6.0  # dB: four times the noise
_TURNED = 1 / 16  # of the samples: where two classes are nearly even, a rounding turns the answer
_SMALL = (
    30.0  # dB: an error of 3%, which a quantum or two of rounding makes in outputs of few classes
)


@dataclass(frozen=True, slots=True)
class ErrorSources:
    """SQNR of each step in dB: inf where a step adds no error, None where it is not known."""

    conversion_db: float | None = None
    """The float32 file of the same format against the original."""
    quantization_db: float | None = None
    """The file on reference kernels against that float32 file."""
    runtime_db: float | None = None
    """The file on its device against the same file on reference kernels."""

    @property
    def has_steps(self) -> bool:
        """Whether there are steps besides the conversion."""
        return (self.quantization_db, self.runtime_db) != (None, None)

    @property
    def unattributed(self) -> str:
        """Why the error cannot be divided among the steps, as a sentence; empty where it can."""
        if self.runtime_db is None or (self.conversion_db, self.quantization_db) != (None, None):
            return ""
        return (
            "The error cannot be attributed: conversion and quantization are told from the runtime by a "
            "float32 file of the same format, and there is none."
        )


class ErrorAttribution:
    """Attributes files' errors to their sources, all with the same original and samples.

    A quantized file is also run on the device ``reference``, whose kernels compute exactly what the
    file defines: its error there comes from conversion and quantization, the rest from the runtime.
    """

    def __init__(
        self,
        original: ModelInterface,
        outputs: StoredArrays,
        samples: StoredArrays,
        scratch: Path,
        float_files: Mapping[Path, Path],
    ) -> None:
        self._original, self._outputs, self._samples = original, outputs, samples
        self._scratch, self._float_files = scratch, float_files
        self._recorded: dict[tuple[Path, str], StoredArrays | None] = {}
        self.refusals: dict[Path, str] = {}
        """Files that the reference kernels do not run, and why."""

    def of(
        self, path: Path, outputs: StoredArrays, device: str
    ) -> tuple[ErrorSources, tuple[str, ...]]:
        """Return the sources of a file's error, and the runtime's faults as sentences.

        Args:
            path: the file.
            outputs: its outputs on the device.
            device: where it ran.
        """
        float_file = self._float_files.get(path)
        float_outputs = self._record(float_file, "cpu") if float_file else None
        if float_file == path:
            runtime = None if device == "cpu" else _sqnr(float_outputs, outputs)
            return ErrorSources(_sqnr(self._outputs, float_outputs), runtime_db=runtime), ()
        reference = self._record(path, _REFERENCE)
        # An original that is the float file itself was not converted.
        converted = float_outputs if str(float_file) != self._original.path else None
        sources = ErrorSources(
            conversion_db=_sqnr(self._outputs, converted),
            quantization_db=_sqnr(float_outputs, reference),
            runtime_db=_sqnr(reference, outputs),
        )
        fault = self._fault(reference, outputs, float_outputs, device, path)
        return sources, () if fault is None else (fault,)

    def _fault(
        self,
        reference: StoredArrays | None,
        outputs: StoredArrays,
        float_outputs: StoredArrays | None,
        device: str,
        path: Path,
    ) -> str | None:
        """A runtime that adds far more error than the file has by itself, in words.

        Of each, the samples that differ most are left out: one answer that turns is half of the noise of all
        others, and can turn in one and not in the other.
        """
        against = "the original" if float_outputs is None else "the float32 file"
        file_db = _sqnr(float_outputs or self._outputs, reference, without=_TURNED)
        runtime = _sqnr(reference, outputs, without=_TURNED)
        if runtime is None or file_db is None or runtime >= min(file_db - _APART, _SMALL):
            return None
        text = (
            f"runtime error: SQNR {runtime:.1f} dB against the reference kernels, which have "
            f"{file_db:.1f} dB against {against}"
        )
        reader = FILES.get(path.suffix)
        is_signed = reader and reader.signed_weights_saturate and "int8" in reader.types(path)[1]
        if device == "cpu" and is_signed and not exact_int8():
            return (
                f"{text}. This processor has no VNNI, and ONNX Runtime sums signed 8-bit products in 16 bits "
                "there, which saturate: quantize the weights as unsigned, as edgekit does"
            )
        return f"{text}: its kernels compute something other than what the file defines"

    def _record(self, path: Path, device: str) -> StoredArrays | None:
        """Run a file on the first samples; None where this device does not run it."""
        key = path, device
        if key not in self._recorded:
            try:
                with open_model(path, device=device) as session:
                    self._recorded[key] = record(
                        with_original_names(session, self._original),
                        replace(self._samples, count=_affordable(session, len(self._samples))),
                        self._scratch / f"few {len(self._recorded)}",
                    )
            except (DeviceUnavailable, ModelError) as error:
                self._recorded[key] = None
                if device == _REFERENCE:
                    self.refusals[path] = (
                        f"{path.name}: the reference kernels do not run it, so the runtime's part of the "
                        f"error and the layers are not checked: {error}"
                    )
        return self._recorded[key]


def _affordable(session: Session, available: int) -> int:
    """How many samples to run: few where one takes seconds, as in VGG16 on reference kernels."""
    count = min(_SAMPLES, available)
    if session.device != _REFERENCE:
        return count
    return min(count, max(_FEWEST, int(_MACS / max(session.placement.macs, 1))))


def _sqnr(
    expected: StoredArrays | None, actual: StoredArrays | None, *, without: float = 0.0
) -> float | None:
    """The worst output's SQNR over the samples that both have; None where one is missing.

    Args:
        expected: the outputs that count as right.
        actual: the others.
        without: the part of the samples with the largest errors to leave out.
    """
    if expected is None or actual is None:
        return None
    metric = METRICS["sqnr"]
    count = min(len(expected), len(actual))
    first, second = next(expected.batches(count)), next(actual.batches(count))
    values = []
    for name in first:
        a, b = (x[name].astype(np.float64).reshape(count, -1) for x in (first, second))
        sums = metric.per_sample(a, b)
        if np.isfinite(sums).all():  # NaN is left out nowhere
            sums = sums[np.argsort(sums[:, 1])][: count - int(without * count)]
        values.append(metric.value(sums))
    return min(values, default=inf)
