"""A report as a person reads it: one table, and what needs words below it."""

from collections.abc import Iterator
from math import isinf

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.report import Report
from edgekit.scoring import Score

_STYLE = {"holds": "green", "fails": "bold red", "not proven": "yellow"}


def render(report: Report) -> RenderableType:
    """The report as something rich prints."""
    scores = [file.worst_score for file in report.files]
    has_answers = any(s.agreement is not None for s in scores)
    labelled = any(s.accuracy is not None for s in scores)
    several = any(len(file.scores) > 1 for file in report.files)
    timed = any(file.latency_ms is not None for file in report.files)
    floats = {f.format: f.bytes for f in report.files if f.precision == "float32"}

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("file", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    if floats:
        table.add_column("of\nfloat", justify="right", no_wrap=True)
    if several:
        table.add_column("worst\noutput", no_wrap=True)
    if has_answers:
        table.add_column("same\nanswer", justify="right", no_wrap=True)
    if labelled:
        table.add_column("accu-\nracy", justify="right", no_wrap=True)
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
    if labelled:
        original.append(
            _percent(next(s.original_accuracy for s in scores if s.accuracy is not None))
        )
    table.add_row(*original, style="dim")
    for file, score in zip(report.files, scores, strict=True):
        row = [file.name, size(file.bytes)]
        if floats:
            row.append(_times(file.bytes / floats[file.format] if file.format in floats else None))
        row += [score.output] if several else []
        row += [_percent(score.agreement)] if has_answers else []
        row += [_percent(score.accuracy)] if labelled else []
        row += [_decibel(score)]
        row += [] if has_answers else [f"{score.max_error:.2g}"]
        row += ["" if file.latency_ms is None else f"{file.latency_ms:.3g}"] if timed else []
        row += [_times(file.latency_ratio)] if timed and floats else []
        verdict = Text(file.verdict, _STYLE[file.verdict]) if report.shippable else Text("-")
        table.add_row(*row, verdict)
    return Group(Text(_heading(report), style="bold"), Text(), table, *_words(report))


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
    judged = f"judged on {report.judged_on:,} samples"
    if report.calibrated_on:
        judged = f"calibrated on {report.calibrated_on:,} and judged on {report.judged_on:,} other samples"
    return f"{report.model}: {judged} of {report.data}"


def _words(report: Report) -> Iterator[RenderableType]:
    yield Text()
    alike: dict[tuple[str, str], list[str]] = {}
    for file in report.files if report.shippable else ():
        for score in file.scores:
            if score.reason:
                where = f"{file.name} ({score.output})" if len(file.scores) > 1 else file.name
                alike.setdefault((score.verdict, score.reason), []).append(where)
    for (verdict, reason), names in alike.items():
        yield Text(f"{verdict}: {', '.join(names)}: {reason}", _STYLE[verdict])
    for precision, twins in report.twins.items():
        if precision != "float32":
            yield Text(f"both {precision} files {_alike(twins)}")
    for warning in report.warnings:
        yield Text(f"warning: {warning}", style="yellow")
    for note in report.notes:
        yield Text(f"note: {note}", style="dim")


def _alike(scores: tuple[Score, ...]) -> str:
    """How near the ONNX file is to the TFLite file."""
    farthest = min(scores, key=lambda s: s.sqnr_db)
    if isinf(farthest.sqnr_db):
        return f"gave the same bits on all {farthest.samples:,} samples"
    said = [s.agreement for s in scores if s.agreement is not None]
    same = f"gave the same answer on {min(said):.1%} of the samples, and " if said else ""
    return f"{same}are {farthest.sqnr_db:.0f} dB from each other"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _decibel(score: Score) -> str:
    return "equal" if isinf(score.sqnr_db) and score.sqnr_db > 0 else f"{score.sqnr_db:.1f}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}x"
