"""A report as one page that needs nothing else: no network, no script, no font."""

import base64
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.accuracy import formatting
from edgekit.accuracy.intervals import Verdict
from edgekit.accuracy.limits import Limit
from edgekit.accuracy.results import MetricValue, OutputResult
from edgekit.accuracy.verdicts import LimitResult
from edgekit.bundle.atomic import replacing
from edgekit.diagnosis.changed_samples import ChangedSample, OutputDifferences
from edgekit.diagnosis.layers import worst_layers
from edgekit.report import charts
from edgekit.report.columns import confidence_interval, latency, latency_unit, size
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report
from edgekit_runtimes import RuntimeMissing

_WORST_FIRST: tuple[Verdict, ...] = ("fail", "inconclusive", "pass")
_OPEN = 3  # sections; more are a list to choose from
_CAUSES = 2
_PNG = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]{32,}={0,2}")


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why files do not pass."""

    verdict: Verdict
    titles: tuple[str, ...]
    causes: tuple[tuple[str, str], ...]
    """Layers, the likeliest first: name and cause."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """One limit of one file."""

    file: FileResult
    output: str
    limit_result: LimitResult
    whisker: charts.Whisker


@dataclass(frozen=True, slots=True)
class _Panel:
    """Limits of one kind, on one axis."""

    limit: Limit
    axis: charts.Axis
    rows: tuple[_Row, ...]


@dataclass(frozen=True, slots=True)
class _Output:
    """One output of a file."""

    result: OutputResult
    labelled: bool
    metrics: tuple[MetricValue, ...]
    differences: OutputDifferences | None
    error_histogram: tuple[charts.Bar, ...]
    original_confusion: charts.ConfusionMatrix | None
    candidate_confusion: charts.ConfusionMatrix | None
    confusion_changes: tuple[charts.ConfusionChange, ...]
    worst: tuple[ChangedSample, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """One file."""

    file: FileResult
    anchor: str
    open: bool
    problems: tuple[_Problem, ...]
    error_sources: list[charts.ErrorPart]
    layers: charts.LayerChart | None
    outputs: tuple[_Output, ...]


@dataclass(frozen=True, slots=True)
class _Picture:
    """A sample as an image, with its size in pixels."""

    uri: str
    width: int
    height: int


def write_page(report: Report, path: Path) -> None:
    """Write a report as an HTML page; the same report always gives the same bytes.

    Args:
        report: of ``validate`` or ``convert``.
        path: the file, put in place when it is complete.

    Raises:
        RuntimeMissing: jinja2 is not installed.
    """
    text = _page(report)
    with replacing(path) as unfinished:  # a file's name may contain bytes that are no text
        unfinished.write_text(text, encoding="utf-8", errors="replace")


def _page(report: Report) -> str:
    try:
        import jinja2
    except ImportError as error:
        raise RuntimeMissing(
            "a page needs jinja2: pip install 'edgekit-toolkit[validate]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bytes": size,
        "db": formatting.decibel,
        "value": formatting.value,
        "interval": confidence_interval,
        "limit_value": formatting.observed,
        "axis_title": formatting.axis_title,
        "label": formatting.label,
        "latency": latency,
        "percent": formatting.percent,
        "place": lambda percent: f"{percent:.2f}".rstrip("0").rstrip("."),
        "range": lambda ends: "" if ends is None else "..".join(f"{end:.3g}" for end in ends),
        "short": formatting.short,
        "tick": formatting.tick,
    }
    sections = list(_sections(report))
    return environment.get_template("page.html.j2").render(
        report=report,
        titles=report.titles,
        latency_unit=latency_unit(report.files),
        floats={f.format: f.bytes for f in report.files if f.precision == "float32"},
        largest=max([report.model_bytes, *(f.bytes for f in report.files)]),
        problems=_merged([p for s in sections for p in s.problems]) if report.shippable else [],
        panels=list(_panels(report)) if report.shippable else [],
        sections=sections,
        warnings=report.all_warnings,
        pictures=_pictures(report, sections),
    )


def _sections(report: Report) -> Iterator[_Section]:
    """The files, those with problems first."""
    numbered = {id(file): at for at, file in enumerate(report.files, 1)}
    files = sorted(
        report.files,
        key=lambda f: (
            _WORST_FIRST.index(f.verdict),
            f.precision == "float32",
            f.worst_result.sqnr_db,
        ),
    )
    for at, file in enumerate(files):
        sources = file.error_sources
        yield _Section(
            file=file,
            anchor=f"file-{numbered[id(file)]}",
            open=at == 0 or (at < _OPEN and file.verdict != "pass"),
            problems=tuple(_problems(file)),
            error_sources=charts.error_parts(sources) if sources and sources.has_steps else [],
            layers=charts.layer_chart(file.layers) if file.layers else None,
            outputs=tuple(_output(file, result) for result in file.results),
        )


def _output(file: FileResult, result: OutputResult) -> _Output:
    differences = next((d for d in file.differences if d.output == result.output), None)
    labelled = any(m.original is not None for m in result.metrics)
    if differences is None:
        return _Output(result, labelled, result.metrics, None, (), None, None, (), ())
    is_float = file.precision == "float32"  # what float32 rounds differently is no news
    has_errors = sum(differences.error_counts) > 0
    original, candidate = differences.original_confusion, differences.candidate_confusion
    return _Output(
        result=result,
        labelled=labelled,
        metrics=result.metrics,
        differences=differences,
        error_histogram=charts.histogram(differences.error_counts) if has_errors else (),
        # Without labels the original's predictions are the labels: its matrix says nothing.
        original_confusion=charts.confusion_matrix(original) if original and labelled else None,
        candidate_confusion=charts.confusion_matrix(candidate) if candidate else None,
        confusion_changes=tuple(charts.confusion_changes(original, candidate)),
        worst=tuple(s for s in differences.worst if s.changed or (s.error and not is_float)),
    )


def _problems(file: FileResult) -> Iterator[_Problem]:
    """Why a file does not pass: its outputs' reasons, and its faults."""
    several = len(file.results) > 1
    reasons = [
        f"{result.output}: {result.reason}" if several else result.reason
        for result in sorted(file.results, key=lambda r: _WORST_FIRST.index(r.verdict))
        if result.reason
    ]
    reasons += file.faults
    if reasons:
        causes = [
            (layer.name, layer.cause)
            for layer in worst_layers(file.layers, len(file.layers))
            if layer.cause
        ]
        yield _Problem(file.verdict, (file.title,), tuple(causes[:_CAUSES]), tuple(reasons))


def _merged(problems: list[_Problem]) -> list[_Problem]:
    """Files with the same problem, as one."""
    titles: dict[Any, list[str]] = {}
    for problem in problems:
        key = problem.verdict, problem.causes, problem.reasons
        titles.setdefault(key, []).extend(problem.titles)
    return [_Problem(v, tuple(names), causes, why) for (v, causes, why), names in titles.items()]


def _panels(report: Report) -> Iterator[_Panel]:
    """All limits, those on the same metric together."""
    kinds: dict[Any, list[tuple[FileResult, str, LimitResult]]] = {}
    for file in report.files:
        for result in file.results:
            for limit_result in result.limit_results:
                limit = limit_result.limit
                kind = limit.kind, limit.metric, limit.relative
                output = result.output if len(file.results) > 1 else ""
                kinds.setdefault(kind, []).append((file, output, limit_result))
    for entries in kinds.values():
        axis = charts.limits_axis([limit_result for _, _, limit_result in entries])
        rows = [_Row(file, output, r, charts.whisker(r, axis)) for file, output, r in entries]
        yield _Panel(entries[0][2].limit, axis, tuple(rows))


def _pictures(report: Report, sections: list[_Section]) -> dict[int, _Picture]:
    """Images of the samples shown, each once; what is no PNG file is left out."""
    shown = {s.row for section in sections for output in section.outputs for s in output.worst}
    pictures = {}
    for row in sorted(shown & set(report.pictures)):
        uri = report.pictures[row]
        if _PNG.fullmatch(uri):
            head = base64.b64decode(uri.partition(",")[2][:32])
            width, height = struct.unpack(">II", head[16:24])
            pictures[row] = _Picture(uri, width, height)
    return pictures
