"""The result of ``convert`` and ``validate``: files, metrics, verdicts, and what explains them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from edgekit.accuracy.intervals import Verdict, worst
from edgekit.accuracy.results import OutputResult
from edgekit.bundle.schema import REPORT
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


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run; false as a condition when a file fails."""

    model: str
    model_bytes: int
    files: tuple[FileResult, ...]
    data: str
    """Where the samples come from."""
    calibrated_on: int
    """Samples; 0 where the run did not calibrate."""
    evaluated_on: int
    """Samples; none of them was used for calibration."""
    shippable: bool = True
    """False where the samples were random: then no figure says anything about real accuracy."""
    onnx_vs_tflite: dict[str, tuple[OutputResult, ...]] = field(default_factory=dict)
    """By precision, where both formats were written: the ONNX file compared with the TFLite file."""
    output: str = ""
    """The folder that was written, if any."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    """Versions of the libraries, and the processor."""
    pictures: dict[int, str] = field(default_factory=dict)
    """Changed samples as images: data URIs by row; not in ``to_dict``."""
    fingerprint: str = ""
    """Identifies the samples: equal where numbers and labels are."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its files' verdicts."""
        return worst([file.verdict for file in self.files])

    def passed(self, *, strict: bool = False) -> bool:
        """Whether the run passes: no file fails, and with ``strict`` none is inconclusive."""
        return self.verdict == "pass" or (self.verdict == "inconclusive" and not strict)

    def __bool__(self) -> bool:
        return self.passed()

    def __str__(self) -> str:
        head = (
            f"{self.model}: {self.verdict}, evaluated on {self.evaluated_on:,} samples "
            f"from {self.data}"
        )
        lines = [head, *(f"  {file}" for file in self.files)]
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        """The summary as an HTML table, which notebooks show."""
        from edgekit.report.notebook import notebook_html

        return notebook_html(self)

    @property
    def titles(self) -> dict[str, str]:
        """The files' titles, each mapped to the same without its folder where those stay unique."""
        short = {f.title: f.title.removeprefix(f"{Path(f.name).parent}/") for f in self.files}
        is_unique = len(set(short.values())) == len(short)
        return short if is_unique else {title: title for title in short}

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The run's warnings and its files', each once."""
        of_files = (warning for file in self.files for warning in file.warnings)
        return tuple(dict.fromkeys((*self.warnings, *of_files)))

    def file(self, format: str, precision: str) -> FileResult:
        """Return the result of the file of this format and precision.

        Raises:
            KeyError: there is none.
        """
        for file in self.files:
            if (file.format, file.precision) == (format, precision):
                return file
        there = ", ".join(f"{file.format} {file.precision}" for file in self.files)
        raise KeyError(f"no {format} {precision}; there are {there}")

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON, of schema ``edgekit.report/1``.

        An infinite value (the SQNR of equal outputs) and NaN become None.
        """
        plain = {"schema": REPORT, "verdict": self.verdict, **asdict(self)}
        del plain["pictures"]
        for entry, file in zip(plain["files"], self.files, strict=True):
            entry["verdict"] = file.verdict
            entry["results"] = [result.to_dict() for result in file.results]
        plain["onnx_vs_tflite"] = {
            precision: [result.to_dict() for result in results]
            for precision, results in self.onnx_vs_tflite.items()
        }
        return finite(plain)  # type: ignore[no-any-return]


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


def finite(value: Any) -> Any:
    """Replace infinite values and NaN, which JSON has no words for, by None, however deep."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value
