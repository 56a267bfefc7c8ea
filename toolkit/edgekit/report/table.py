"""A report as a person reads it: one table, and what needs words below it."""

from collections.abc import Iterator
from math import isinf

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.accuracy import formatting
from edgekit.accuracy.formatting import decibel, percent
from edgekit.accuracy.results import MetricValue, OutputResult
from edgekit.diagnosis.layers import worst_layers
from edgekit.report.result import Report

_TITLES = {"top1": "accu-\nracy"}
_LAYERS, _LEAST = 8, 0.01  # as many layers as are of interest, if they add as much
_STYLE = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def render(report: Report, *, worst: int = 0) -> RenderableType:
    """The report as something rich prints.

    Args:
        report: of ``convert`` or ``validate``.
        worst: how many of the samples that changed most to list.
    """
    scores = [file.worst_result for file in report.files]
    has_answers = any(s.agreement is not None for s in scores)
    own = [_own(score) for score in scores]
    titles = report.titles
    names = {m.metric for m in own if m}
    several = any(len(file.results) > 1 for file in report.files)
    timed = any(file.latency_ms is not None for file in report.files)
    floats = {f.format: f.bytes for f in report.files if f.precision == "float32"}

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("file", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    if floats:
        table.add_column("of\nfloat", justify="right", no_wrap=True)
    if several:
        table.add_column("worst\noutput", no_wrap=True)
    if has_answers:
        table.add_column("same\nanswer", justify="right", no_wrap=True)
    if names:
        title = _TITLES.get(name := next(iter(names)), name) if len(names) == 1 else "metric"
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("SQNR\ndB", justify="right", no_wrap=True)
    if not has_answers:
        table.add_column("max\nerror", justify="right", no_wrap=True)
    if timed:
        table.add_column("latency\nms", justify="right", no_wrap=True)
    if timed and floats:
        table.add_column("of\nfloat", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)

    original = [
        "the original",
        size(report.model_bytes),
        *[""] * (bool(floats) + several + has_answers),
    ]
    if len(names) == 1:
        first = next(m for m in own if m)
        original.append(formatting.value(first.original, first.metric))
    table.add_row(*original, style="dim")
    for file, score, measure in zip(report.files, scores, own, strict=True):
        row = [titles[file.title], size(file.bytes)]
        if floats:
            row.append(_times(file.bytes / floats[file.format] if file.format in floats else None))
        row += [score.output] if several else []
        row += [percent(score.agreement)] if has_answers else []
        if names and measure:
            value = formatting.value(measure.value, measure.metric)
            row.append(value if len(names) == 1 else f"{measure.metric} {value}")
        elif names:
            row.append("")
        row += [decibel(score.sqnr_db)]
        row += [] if has_answers else [f"{score.max_error:.2g}"]
        row += ["" if file.latency_ms is None else f"{file.latency_ms:.3g}"] if timed else []
        row += [_times(file.latency_ratio)] if timed and floats else []
        verdict = Text(file.verdict, _STYLE[file.verdict]) if report.shippable else Text("-")
        table.add_row(*row, verdict)
    return Group(
        Text(_heading(report), style="bold"),
        Text(),
        table,
        *_more_measures(report),
        *_sources(report),
        *_words(report),
        *_layers(report),
        *(_samples(report, worst) if worst else ()),
    )


def size(count: int) -> str:
    """Bytes as a person says them."""
    if not count:
        return ""
    for unit in ("B", "KB", "MB"):
        if count < 1000 or unit == "MB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count = round(count / 1000, 1)  # type: ignore[assignment]
    raise AssertionError


def _heading(report: Report) -> str:
    judged = f"judged on {report.evaluated_on:,} samples"
    if report.calibrated_on:
        judged = f"calibrated on {report.calibrated_on:,} and judged on {report.evaluated_on:,} other samples"
    return f"{report.model}: {judged} of {report.data}"


def _words(report: Report) -> Iterator[RenderableType]:
    yield Text()
    titles = report.titles
    alike: dict[tuple[str, str], list[str]] = {}
    for file in report.files if report.shippable else ():
        for score in file.results:
            if score.reason:
                where = (
                    f"{titles[file.title]} ({score.output})"
                    if len(file.results) > 1
                    else titles[file.title]
                )
                alike.setdefault((score.verdict, score.reason), []).append(where)
        for fault in file.faults:
            alike.setdefault(("fail", fault), []).append(titles[file.title])
    for (verdict, reason), names in sorted(alike.items(), key=lambda told: told[0][0] != "fail"):
        yield Text(f"{verdict}: {', '.join(names)}: {reason}", _STYLE[verdict])
    for precision, twins in report.onnx_vs_tflite.items():
        if precision != "float32":
            yield Text(f"both {precision} files {_alike(twins)}")
    for warning in dict.fromkeys(
        (*report.warnings, *(w for f in report.files for w in f.warnings))
    ):
        yield Text(f"warning: {warning}", style="yellow")
    for note in report.notes:
        yield Text(f"note: {note}", style="dim")


def _alike(scores: tuple[OutputResult, ...]) -> str:
    """How near the ONNX file is to the TFLite file."""
    farthest = min(scores, key=lambda s: s.sqnr_db)
    if isinf(farthest.sqnr_db):
        return f"gave the same bits on all {farthest.samples:,} samples"
    said = [s.agreement for s in scores if s.agreement is not None]
    same = f"gave the same answer on {min(said):.1%} of the samples, and " if said else ""
    return f"{same}are {farthest.sqnr_db:.0f} dB from each other"


def _own(score: OutputResult) -> MetricValue | None:
    """The task's own metric, where it is measured against labels."""
    return next((m for m in score.metrics if m.original is not None), None)


def _more_measures(report: Report) -> Iterator[RenderableType]:
    """What the first table has no column for."""
    rows = [
        (file, score, measure)
        for file in report.files
        for score in file.results
        for measure in score.metrics
        if measure.metric not in ("agreement", "sqnr", "max_error")
        and (len(score.metrics) > 1 or len(file.results) > 1)
        and (measure is not _own(score) or len(file.results) > 1)
    ]
    if not rows:
        return
    several = any(len(file.results) > 1 for file in report.files)
    titles = report.titles
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("file", overflow="fold")
    if several:
        table.add_column("output")
    for title in ("metric", "original", "file"):
        table.add_column(title, justify="left" if title == "metric" else "right", no_wrap=True)
    table.add_column("95% interval", no_wrap=True)
    for file, score, measure in rows:
        interval = ""
        if measure.interval:
            low, high = (formatting.value(end, measure.metric) for end in measure.interval)
            interval = f"{'worse by ' if measure.drop is not None else ''}{low} to {high}"
        table.add_row(
            titles[file.title],
            *([score.output] if several else []),
            measure.metric,
            formatting.value(measure.original, measure.metric),
            formatting.value(measure.value, measure.metric),
            interval,
        )
    yield Text()
    yield table


def _sources(report: Report) -> Iterator[RenderableType]:
    """Whose error it is, of files that are more than a conversion."""
    told = [
        (file, file.error_sources)
        for file in report.files
        if file.error_sources
        and (file.error_sources.quantization_db, file.error_sources.runtime_db) != (None, None)
    ]
    if not told:
        return
    titles = report.titles
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("SQNR, dB, of each step", no_wrap=True)
    for step in ("conversion", "quantization", "runtime"):
        table.add_column(step, justify="right", no_wrap=True)
    for file, sources in told:
        steps = (sources.conversion_db, sources.quantization_db, sources.runtime_db)
        table.add_row(titles[file.title], *map(decibel, steps))
    yield Text()
    yield table


def _layers(report: Report) -> Iterator[RenderableType]:
    titles = report.titles
    for file in report.files:
        if not file.layers:
            continue
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column(
            f"layers of {titles[file.title]},\nthose first that add most noise", overflow="fold"
        )
        table.add_column("operator", no_wrap=True)
        for title in ("adds", "SQNR\ndB", "values", "held", "satu-\nrated"):
            table.add_column(title, justify="right", no_wrap=True)
        causes: list[str] = []
        for layer in worst_layers(file.layers, _LAYERS):
            if layer.adds < _LEAST and not layer.cause:
                continue
            number = ""
            if layer.cause:
                causes.append(f"[{len(causes) + 1}] {layer.name}: {layer.cause}")
                number = f" [{len(causes)}]"
            table.add_row(
                Text(f"{layer.name}{number}"),
                layer.kind,
                f"{layer.adds:.0%}",
                decibel(layer.sqnr_db),
                f"{layer.low:.3g}..{layer.high:.3g}",
                "" if layer.range is None else "..".join(f"{end:.3g}" for end in layer.range),
                "" if layer.range is None else f"{layer.saturated:.1%}",
            )
        yield Text()
        yield table
        yield from map(Text, causes)


def _samples(report: Report, worst: int) -> Iterator[RenderableType]:
    titles = report.titles
    for file in report.files:
        for evidence in file.differences:
            rounded = file.precision == "float32"  # what float32 rounds otherwise is no news
            changed = [w for w in evidence.worst if w.changed or (w.error and not rounded)][:worst]
            if not changed:
                continue
            table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
            output = f" ({evidence.output})" if len(file.differences) > 1 else ""
            for title in (
                f"sample, worst of\n{titles[file.title]}{output}",
                "label",
                "original",
                "file",
            ):
                table.add_column(title)
            table.add_column("error", justify="right", no_wrap=True)
            for sample in changed:
                after = Text(sample.after, "bold" if sample.changed else "")
                row = (
                    str(sample.number),
                    sample.label,
                    sample.before,
                    after,
                    f"{sample.error:.3g}",
                )
                table.add_row(*row)
            yield Text()
            yield table
            if evidence.classes:
                yield Text(
                    f"{evidence.changed:,} of {report.evaluated_on:,} samples are answered otherwise"
                )


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}x"
