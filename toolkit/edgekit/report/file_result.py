"""The result of one model file on one device."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.accuracy.intervals import Verdict, worst
from edgekit.accuracy.results import OutputResult
from edgekit.diagnosis.changed_samples import OutputDifferences
from edgekit.diagnosis.error_sources import ErrorSources
from edgekit.diagnosis.layers import LayerResult

_SLOWER = 1.1  # times float32; below it, a busy machine's noise
_WORST_FIRST: tuple[Verdict, ...] = ("fail", "inconclusive", "pass")


@dataclass(frozen=True, slots=True)
class FileResult:
    """One model file compared with the original, on one device."""

    name: str
    bytes: int
    results: tuple[OutputResult, ...]
    """One for each output."""
    format: str = ""
    precision: str = ""
    latency_ms: float | None = None
    """The median of one call on one thread of this machine; None where it was not measured."""
    latency_ratio: float | None = None
    """Against the float32 file of the same format: 2 is twice as slow."""
    seconds: float = 0.0
    """That running the file and explaining its error took; 0 where it was not measured."""
    device: str = ""
    """Where it ran; empty for the CPU."""
    error_sources: ErrorSources | None = None
    layers: tuple[LayerResult, ...] = ()
    """In the order of the graph, where they were compared."""
    differences: tuple[OutputDifferences, ...] = ()
    """One for each output, where samples were compared."""
    faults: tuple[str, ...] = ()
    """What makes the file fail besides its limits, as sentences."""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Format in one line, as ``model_int8.tflite: pass, top1 98.8% (98.8%), SQNR 47.9 dB``."""
        result = self.worst_result
        labelled = next((m for m in result.metrics if m.original is not None), None)
        text = f"{self.title}: {self.verdict}, "
        if labelled:
            text += f"{labelled.metric} {labelled.value:.4g} ({labelled.original:.4g}), "
        text += f"SQNR {result.sqnr_db:.1f} dB"
        return "; ".join(filter(None, (text, result.reason, *self.faults)))

    @property
    def title(self) -> str:
        """Its name, and the device unless that is the CPU."""
        return f"{self.name} on {self.device}" if self.device else self.name

    @property
    def verdict(self) -> Verdict:
        """The worst of its outputs' verdicts; fail where there are faults."""
        return "fail" if self.faults else worst([result.verdict for result in self.results])

    @property
    def worst_result(self) -> OutputResult:
        """The output with the worst verdict and, of those, the lowest SQNR."""
        return min(self.results, key=lambda r: (_WORST_FIRST.index(r.verdict), r.sqnr_db))


def short_titles(files: Sequence[FileResult]) -> dict[str, str]:
    """Map the files' titles to the same without their folders; as far as they share them, if need be."""
    short = {f.title: f.title.removeprefix(f"{Path(f.name).parent}/") for f in files}
    if len(set(short.values())) == len(short):
        return short
    try:
        shared = os.path.commonpath([Path(f.name).parent for f in files])
    except ValueError:  # absolute paths and others
        shared = ""
    return {title: title.removeprefix(f"{shared}/" if shared else "") for title in short}


def slower_than_float(files: Iterable[FileResult]) -> list[str]:
    """Say which files this machine runs slower than their float32 counterparts, if any."""
    slower = [
        f"{file.name} {file.latency_ratio:.1f}x"
        for file in files
        if file.latency_ratio is not None and file.latency_ratio > _SLOWER
    ]
    if not slower:
        return []
    return [
        f"slower than float32 on this machine: {', '.join(slower)}. int8 is faster where the processor "
        "has instructions for it (dot products on ARM, VNNI on x86) and the model is large enough: "
        "measure on the device"
    ]


def larger_than_float(files: Iterable[FileResult]) -> list[str]:
    """Say which quantized files are no smaller than the float32 file of their format, if any."""
    files = list(files)
    floats = {(f.format, Path(f.name).parent): f.bytes for f in files if f.precision == "float32"}
    larger = [
        f"{file.name} ({file.bytes:,} bytes, {least:,} in float32)"
        for file in files
        if not file.device and file.precision != "float32"
        if (least := floats.get((file.format, Path(file.name).parent))) and file.bytes >= least
    ]
    if not larger:
        return []
    return [
        f"no smaller than float32: {', '.join(dict.fromkeys(larger))}. The model has so few weights that what "
        "tells how each value is quantized takes more than they save; as for its size, ship float32"
    ]
