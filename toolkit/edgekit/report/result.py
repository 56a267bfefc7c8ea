"""What a run found out: rows of figures, a verdict, and the evidence."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import Any

from edgekit.accuracy.intervals import Verdict, worst
from edgekit.accuracy.results import OutputResult
from edgekit.diagnosis.changed_samples import OutputDifferences
from edgekit.diagnosis.error_sources import ErrorSources
from edgekit.diagnosis.layers import LayerResult

_SLOWER = 1.1  # below it, a busy machine's noise


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file that was written or judged, and how it did."""

    name: str
    bytes: int
    results: tuple[OutputResult, ...]
    format: str = ""
    precision: str = ""
    latency_ms: float | None = None
    """The median of one call on one thread of this machine; None where it was not measured."""
    latency_ratio: float | None = None
    """Against the float32 file of the same format: 2 is twice as slow."""
    device: str = ""
    """Where it ran, where that is not the processor."""
    error_sources: ErrorSources | None = None
    layers: tuple[LayerResult, ...] = ()
    """In the order of the graph, where they were compared."""
    differences: tuple[OutputDifferences, ...] = ()
    faults: tuple[str, ...] = ()
    """What makes it fail beside its scores, in words."""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """A line, as ``model_int8.tflite: holds, top1 98.8% (98.8%), SQNR 47.9 dB``."""
        score = self.worst_result
        own = next((m for m in score.metrics if m.original is not None), None)
        figures = f"{own.metric} {own.value:.4g} ({own.original:.4g}), " if own else ""
        told = "; ".join(filter(None, (score.reason, *self.faults)))
        return f"{self.title}: {self.verdict}, {figures}SQNR {score.sqnr_db:.1f} dB" + (
            f"; {told}" if told else ""
        )

    @property
    def title(self) -> str:
        """Its name, and where it ran."""
        return f"{self.name} on {self.device}" if self.device else self.name

    @property
    def verdict(self) -> Verdict:
        """The worst of its outputs' verdicts."""
        return "fail" if self.faults else worst([score.verdict for score in self.results])

    @property
    def worst_result(self) -> OutputResult:
        """The output that strayed farthest."""
        order = ("fail", "inconclusive", "pass")
        return min(self.results, key=lambda s: (order.index(s.verdict), s.sqnr_db))


@dataclass(frozen=True, slots=True)
class Report:
    """A run's result; true where no limit is broken."""

    model: str
    model_bytes: int
    files: tuple[FileResult, ...]
    data: str
    calibrated_on: int
    evaluated_on: int
    shippable: bool = True
    """False where the samples were random: then no figure says anything of real accuracy."""
    onnx_vs_tflite: dict[str, tuple[OutputResult, ...]] = field(default_factory=dict)
    """By precision: how far the ONNX file is from the TFLite file, where both were written."""
    output: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    pictures: dict[int, str] = field(default_factory=dict)
    """Samples that files answer otherwise, as data URIs, by row; not in ``to_dict``."""
    fingerprint: str = ""
    """Tells the samples from others."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its files' verdicts."""
        return worst([file.verdict for file in self.files])

    @property
    def titles(self) -> dict[str, str]:
        """Files' titles, and the same without the folder where that leaves no doubt."""
        short = {f.title: f.title.removeprefix(f"{Path(f.name).parent}/") for f in self.files}
        return (
            short if len(set(short.values())) == len(short) else {title: title for title in short}
        )

    def __bool__(self) -> bool:
        return self.verdict != "fail"

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.model}: {self.verdict}, on {self.evaluated_on:,} samples of {self.data}",
                *(f"  {file}" for file in self.files),
                *(f"  warning: {warning}" for warning in self.warnings),
            ]
        )

    def file(self, format: str, precision: str) -> FileResult:
        """The result of the file of this format and precision.

        Raises:
            KeyError: there is none.
        """
        for file in self.files:
            if (file.format, file.precision) == (format, precision):
                return file
        there = ", ".join(f"{file.format} {file.precision}" for file in self.files)
        raise KeyError(f"no {format} {precision}; there are {there}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite SQNR (no difference at all) becomes None."""
        plain = asdict(self)
        del plain["pictures"]
        plain["verdict"] = self.verdict
        for file, result in zip(plain["files"], self.files, strict=True):
            file["verdict"] = result.verdict
            file["results"] = [score.to_dict() for score in result.results]
        plain["onnx_vs_tflite"] = {
            p: [score.to_dict() for score in t] for p, t in self.onnx_vs_tflite.items()
        }
        return _finite(plain)  # type: ignore[no-any-return]


def slower_in_words(files: Iterable[FileResult]) -> list[str]:
    """A sentence on the files that this machine runs slower than their float32 twins, if any."""
    slower = [
        f"{file.name} {file.latency_ratio:.1f}x"
        for file in files
        if file.latency_ratio is not None and file.latency_ratio > _SLOWER
    ]
    if not slower:
        return []
    return [
        f"slower than float32 on this machine: {', '.join(slower)}. Integers win where the processor "
        "has instructions for them (dot products on ARM, VNNI on x86) and the model is large enough: "
        "measure on the device"
    ]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and (not isfinite(value) or value == inf) else value
