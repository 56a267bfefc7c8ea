"""A report on the console: the summary table, the remarks below it, and tables of details."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.accuracy.formatting import decibel, label, value
from edgekit.accuracy.results import MetricValue, OutputResult
from edgekit.diagnosis.layers import worst_layers
from edgekit.report.columns import Column, confidence_interval, task_metric
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report
from edgekit.report.search_table import render_search

_MOST_LAYERS, _LEAST_NOISE = 8, 0.01  # layers that add less of the noise are of no interest
_NAME_WIDTH = 24  # of a file's name, before columns are left out rather than the name folded
_STYLE = {
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "warning": "yellow",
    "formats": "",
    "note": "dim",
}


def render(report: Report, *, worst: int = 0) -> RenderableType:
    """Draw a report for the console.

    Args:
        report: of ``convert`` or ``validate``.
        worst: how many of the samples that changed most to list.
    """
    return Group(
        *(render_search(report.search) if report.search else ()),
        Text(report.heading, style="bold"),
        Text(),
        _Summary(report),
        *_metrics(report),
        *_error_sources(report),
        *_remarks(report),
        *_layers(report),
        *(_changed_samples(report, worst) if worst else ()),
    )


@dataclass(frozen=True, slots=True)
class _Summary:
    """The summary table, with as many columns as the console is wide."""

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        columns = self.report.columns()
        layouts = [
            (columns, 2),
            (columns, 1),
            ([column for column in columns if column.optional != 1], 1),
            ([column for column in columns if not column.optional], 1),
        ]
        fitting = (x for x in layouts if _width(self.report, *x) <= options.max_width)
        yield _summary_table(self.report, *next(fitting, layouts[-1]))


def _summary_table(report: Report, columns: Sequence[Column], gap: int) -> Table:
    table = _table(gap)
    for column in columns:
        is_name = column.title == "file"
        table.add_column(
            column.title,
            justify=column.justify,
            no_wrap=not is_name,
            overflow="fold" if is_name else "ellipsis",
        )
    table.add_row(*(column.original for column in columns), style="dim")
    for file in report.files:
        *cells, verdict = (column.value(file) for column in columns)
        table.add_row(*cells, Text(verdict, _STYLE.get(verdict, "")))
    return table


def _width(report: Report, columns: Sequence[Column], gap: int) -> int:
    """The width that the columns need; long names of files may be folded."""
    widths = [
        max(len(text) for text in (c.title, c.original, *map(c.value, report.files)))
        for c in columns
    ]
    return sum([min(widths[0], _NAME_WIDTH), *widths[1:]]) + gap * (len(columns) - 1)


def _remarks(report: Report) -> Iterator[RenderableType]:
    yield Text()
    for remark in report.remarks():
        yield Text(remark.text, _STYLE[remark.kind])


def _metrics(report: Report) -> Iterator[RenderableType]:
    """Draw the metrics that the summary has no column for."""
    rows = list(_further_metrics(report))
    if not rows:
        return
    several_outputs = any(len(file.results) > 1 for file in report.files)
    titles = report.titles
    table = _table()
    table.add_column("file", overflow="fold")
    if several_outputs:
        table.add_column("output")
    table.add_column("metric", no_wrap=True)
    table.add_column("original", justify="right", no_wrap=True)
    table.add_column("candidate", justify="right", no_wrap=True)
    table.add_column("95% CI", no_wrap=True)
    for file, result, metric in rows:
        table.add_row(
            titles[file.title],
            *([result.output] if several_outputs else []),
            label(metric.metric),
            value(metric.original, metric.metric),
            value(metric.value, metric.metric),
            confidence_interval(metric),
        )
    yield Text()
    yield table


def _further_metrics(report: Report) -> Iterator[tuple[FileResult, OutputResult, MetricValue]]:
    for file in report.files:
        several_outputs = len(file.results) > 1
        for result in file.results:
            for metric in result.metrics:
                in_summary = metric.metric in ("agreement", "sqnr", "max_error") or (
                    metric is task_metric(result) and not several_outputs
                )
                if not in_summary and (several_outputs or len(result.metrics) > 1):
                    yield file, result, metric


def _error_sources(report: Report) -> Iterator[RenderableType]:
    """Draw how much error each step adds, of files that are more than a conversion."""
    table = _table()
    table.add_column("SQNR of each step, dB", overflow="fold")
    for step in ("conversion", "quantization", "runtime"):
        table.add_column(step, justify="right", no_wrap=True)
    titles = report.titles
    for file in report.files:
        sources = file.error_sources
        if sources and sources.has_steps:
            steps = (sources.conversion_db, sources.quantization_db, sources.runtime_db)
            table.add_row(titles[file.title], *map(decibel, steps))
    if table.row_count:
        yield Text()
        yield table
    unattributed: dict[str, list[str]] = {}
    for file in report.files:
        if file.error_sources and file.error_sources.unattributed:
            names = unattributed.setdefault(file.error_sources.unattributed, [])
            names.append(titles[file.title])
    for why, names in unattributed.items():
        yield Text(f"{', '.join(names)}: {why}")


def _layers(report: Report) -> Iterator[RenderableType]:
    for file in report.files:
        if file.layers:
            yield Text()
            yield Text(
                f"layers of {report.titles[file.title]} that add the most noise", style="bold"
            )
            yield from _layer_table(file)


def _layer_table(file: FileResult) -> Iterator[RenderableType]:
    table = _table()
    table.add_column("layer", overflow="fold")
    table.add_column("operator", overflow="fold")
    for title in ("noise", "SQNR dB", "observed range", "representable", "clipped"):
        table.add_column(title, justify="right", no_wrap=True)
    causes: list[str] = []
    for layer in worst_layers(file.layers, _MOST_LAYERS):
        if layer.noise_added < _LEAST_NOISE and not layer.cause:
            continue
        name = layer.name
        if layer.cause:
            causes.append(f"[{len(causes) + 1}] {name}: {layer.cause}")
            name += f" [{len(causes)}]"
        table.add_row(
            Text(name),
            layer.operator,
            f"{layer.noise_added:.0%}",
            decibel(layer.sqnr_db),
            _range(layer.observed),
            "" if layer.representable is None else _range(layer.representable),
            "" if layer.representable is None else f"{layer.clipped:.1%}",
        )
    yield table
    yield from map(Text, causes)


def _changed_samples(report: Report, worst: int) -> Iterator[RenderableType]:
    for file in report.files:
        is_float = file.precision == "float32"  # what float32 rounds differently is no news
        tasks = {result.output: result.task for result in file.results}
        for differences in file.differences:
            changed = [s for s in differences.worst if s.changed or (s.error and not is_float)]
            if not changed:
                continue
            table = _table()
            for title in ("sample", "label", "original", "candidate"):
                table.add_column(title, overflow="fold")
            boxed = tasks.get(differences.output) == "detection"
            title = "not in common" if boxed else "max error"
            table.add_column(title, justify="right", no_wrap=True)
            for sample in changed[:worst]:
                table.add_row(
                    str(sample.number),
                    sample.label,
                    sample.original,
                    Text(sample.candidate, "bold" if sample.changed else ""),
                    f"{sample.error:.0%}" if boxed else f"{sample.error:.3g}",
                )
            name = report.titles[file.title]
            if len(file.differences) > 1:
                name += f" ({differences.output})"
            counted = ""
            if differences.per_class:
                counted = (
                    f"; {differences.changed:,} of {report.evaluated_on:,} predictions changed"
                )
            yield Text()
            yield Text(f"samples that changed most in {name}{counted}", style="bold")
            yield table


def _range(ends: Iterable[float]) -> str:
    return "..".join(f"{end:.3g}" for end in ends)


def _table(gap: int = 2) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
