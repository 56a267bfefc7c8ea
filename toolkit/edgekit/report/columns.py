"""The columns of a report's summary, as plain text: the console and the notebook show the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.accuracy.formatting import decibel, difference, label, percent, value
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.results import MetricValue, OutputResult
from edgekit.accuracy.tasks import SEVERAL_LABELS
from edgekit.report.file_result import FileResult, short_titles

Unit = Literal["µs", "ms"]

_MICROSECONDS_UP_TO = 10.0  # ms; slower files are shown in milliseconds


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title on a single line, and its text for each file."""

    title: str
    value: Callable[[FileResult], str]
    original: str = ""
    """Its text in the original model's row."""
    shown: bool = True
    justify: Literal["left", "right"] = "right"
    optional: Literal[0, 1, 2] = 0
    """When a narrow console leaves it out: never, at first, or next."""


def summary_columns(
    files: Sequence[FileResult], *, model_bytes: int, has_verdicts: bool
) -> list[Column]:
    """List the columns that these files have values for.

    Args:
        files: the rows, below the original's.
        model_bytes: the original's size.
        has_verdicts: whether the samples were real, so that a file can pass.
    """
    titles = short_titles(files)
    float_bytes = {f.format: f.bytes for f in files if f.precision == "float32"}
    several_outputs = any(len(f.results) > 1 for f in files)
    has_predictions = any(f.worst_result.agreement is not None for f in files)
    task_metrics = [m for f in files if (m := task_metric(f.worst_result))]
    metric_names = list(dict.fromkeys(m.metric for m in task_metrics))
    one_metric = len(metric_names) == 1
    unit = latency_unit(files)

    def task_value(file: FileResult) -> str:
        metric = task_metric(file.worst_result)
        if metric is None:
            return ""
        text = value(metric.value, metric.metric)
        return text if one_metric else f"{label(metric.metric)} {text}"

    columns = [
        Column("file", lambda f: titles[f.title], "original", justify="left"),
        Column("size", lambda f: size(f.bytes), size(model_bytes)),
        Column(
            "vs float",
            lambda f: times(f.bytes / float_bytes[f.format] if f.format in float_bytes else None),
            shown=bool(float_bytes),
            optional=1,
        ),
        Column(
            "worst output", lambda f: f.worst_result.output, shown=several_outputs, justify="left"
        ),
        Column(
            label(metric_names[0]) if one_metric else "metric",
            task_value,
            value(task_metrics[0].original, task_metrics[0].metric) if one_metric else "",
            shown=bool(metric_names),
        ),
        Column(
            same_predictions(files),
            lambda f: percent(f.worst_result.agreement),
            shown=has_predictions,
            optional=2 if metric_names else 0,
        ),
        Column("SQNR dB", lambda f: decibel(f.worst_result.sqnr_db)),
        Column("max error", lambda f: f"{f.worst_result.max_error:.2g}", shown=not has_predictions),
        Column(
            f"latency {unit}",
            lambda f: latency(f, unit),
            shown=any(f.latency_ms is not None for f in files),
        ),
        Column(
            "vs float",
            lambda f: times(f.latency_ratio),
            shown=any(f.latency_ratio is not None for f in files),
            optional=1,
        ),
        Column("result", lambda f: f.verdict if has_verdicts else "-", justify="left"),
    ]
    return [column for column in columns if column.shown]


def task_metric(result: OutputResult) -> MetricValue | None:
    """The task's main metric, where it is measured against labels."""
    return next((m for m in result.metrics if m.original is not None), None)


def same_predictions(files: Sequence[FileResult]) -> str:
    """Title the column of predictions that are the original's: of several labels there is no top one."""
    several = all(file.worst_result.task in SEVERAL_LABELS for file in files)
    return "same labels" if several else "same top-1"


def confidence_interval(metric: MetricValue) -> str:
    """Format the 95% interval: of the drop, as "drop [-0.5, 0.5] pt", or of the value itself."""
    if metric.interval is None:
        return ""
    name = metric.metric
    if metric.drop is None:
        low, high = (value(end, name) for end in metric.interval)
        return f"[{low}, {high}]"
    low, high = (difference(end, name, symbol=False) for end in metric.interval)
    entry = find_metric(name)
    change = "drop" if entry.higher_is_better else "rise"
    return f"{change} [{low}, {high}]{entry.unit.difference_symbol}"


def latency_unit(files: Sequence[FileResult]) -> Unit:
    """Choose one unit for all: microseconds unless a file takes more than 10 ms."""
    slowest = max((f.latency_ms for f in files if f.latency_ms is not None), default=0.0)
    return "ms" if slowest > _MICROSECONDS_UP_TO else "µs"


def latency(file: FileResult, unit: Unit) -> str:
    """Format a file's latency without its unit; empty where it was not measured."""
    if file.latency_ms is None:
        return ""
    return f"{file.latency_ms:.1f}" if unit == "ms" else f"{1000 * file.latency_ms:.3g}"


def size(count: int) -> str:
    """Format a number of bytes, as 29.3 KB; empty for none."""
    if not count:
        return ""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} KB" if count < 999_950 else f"{count / 1e6:.1f} MB"


def times(ratio: float | None) -> str:
    """Format a ratio, as 0.29x; empty for none."""
    return "" if ratio is None else f"{ratio:.2f}x"
