"""The result of ``convert`` and ``validate``: files, metrics, verdicts, and what explains them."""

from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.accuracy.intervals import Verdict, worst
from edgekit.accuracy.results import OutputResult
from edgekit.bundle.environment import Environment
from edgekit.bundle.plain import to_plain
from edgekit.bundle.schema import REPORT
from edgekit.report.columns import Column, summary_columns
from edgekit.report.file_result import FileResult, short_titles
from edgekit.report.notebook import notebook_html
from edgekit.report.remarks import Remark, format_differences, reasons
from edgekit.report.search import Search


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run; false as a condition when a file fails.

    >>> import edgekit
    >>> original, candidate = "out/model_float32.tflite", "out/model_int8.tflite"
    >>> report = edgekit.validate(original, candidate, "samples.npz", max_drop="2%")
    >>> report.verdict, report.passed(strict=True)
    ('pass', True)
    >>> result = report.file("tflite", "int8").worst_result
    >>> result.output, [metric.metric for metric in result.metrics][:1]
    ('digit', ['top1'])
    """

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
    environment: Environment = field(default_factory=Environment)
    pictures: dict[int, str] = field(default_factory=dict)
    """Changed samples as images: data URIs by row; not in ``to_dict``."""
    fingerprint: str = ""
    """Identifies the samples: equal where numbers and labels are."""
    search: Search | None = None
    """What ``tune`` tried, and why it chose these files."""

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
        return notebook_html(self.heading, self.columns(), self.files, self.remarks())

    @property
    def heading(self) -> str:
        """The model and the samples, in one line."""
        samples = f"evaluated on {self.evaluated_on:,} samples from {self.data}"
        if self.calibrated_on:
            samples = (
                f"calibrated on {self.calibrated_on:,} samples, "
                f"evaluated on {self.evaluated_on:,} others from {self.data}"
            )
        return f"{self.model}: {samples}"

    def columns(self) -> list[Column]:
        """The columns of the summary that there are values for."""
        return summary_columns(
            self.files, model_bytes=self.model_bytes, has_verdicts=self.shippable
        )

    def remarks(self) -> list[Remark]:
        """What the summary has no column for: reasons, then format differences, warnings, notes."""
        return [
            *(reasons(self.files) if self.shippable else ()),
            *format_differences(self.onnx_vs_tflite),
            *(Remark("warning", f"warning: {warning}") for warning in self.all_warnings),
            *(Remark("note", f"note: {note}") for note in self.notes),
        ]

    @property
    def titles(self) -> dict[str, str]:
        """The files' titles, each mapped to the same without its folder where those stay unique."""
        return short_titles(self.files)

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
        return to_plain(plain)  # type: ignore[no-any-return]
