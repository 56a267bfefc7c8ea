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
from edgekit.report.result import FileResult, Report
from edgekit.report.table import size
from edgekit_runtimes import RuntimeMissing

_ORDER: tuple[Verdict, ...] = ("fail", "inconclusive", "pass")
_OPEN = 3  # sections; what a person scrolls through before looking for a list
_CAUSES = 2
_PNG = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]{32,}={0,2}")


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why files do not hold."""

    verdict: Verdict
    titles: tuple[str, ...]
    causes: tuple[tuple[str, str], ...]
    """Layers, the likeliest first: name and cause."""
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A limit on a file."""

    file: FileResult
    output: str
    limit_result: LimitResult
    drawn: charts.Whisker


@dataclass(frozen=True, slots=True)
class _Panel:
    """Limits of one kind, on one axis."""

    limit: Limit
    axis: charts.Axis
    rows: tuple[_Row, ...]


@dataclass(frozen=True, slots=True)
class _Output:
    """What is seen of one output of a file."""

    score: OutputResult
    labelled: bool
    metrics: tuple[MetricValue, ...]
    evidence: OutputDifferences | None
    errors: tuple[charts.Bar, ...]
    before: charts.Heat | None
    after: charts.Heat | None
    changes: tuple[charts.Change, ...]
    worst: tuple[ChangedSample, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """What is seen of one file."""

    file: FileResult
    anchor: str
    open: bool
    problems: tuple[_Problem, ...]
    shares: list[tuple[str, float | None, float]]
    layers: charts.LayerChart | None
    outputs: tuple[_Output, ...]


@dataclass(frozen=True, slots=True)
class _Picture:
    """A sample."""

    uri: str
    width: int
    height: int


def write_page(report: Report, path: Path) -> None:
    """Writes a report as HTML; the same report always gives the same bytes.

    Args:
        report: of ``validate`` or ``convert``.
        path: the file, put in place when it is whole.

    Raises:
        RuntimeMissing: jinja2 is not installed.
    """
    text = _page(report)
    with replacing(path) as unfinished:  # a file's name may hold bytes that are no text
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
        "figure": formatting.value,
        "held": formatting.observed,
        "limit": formatting.axis_title,
        "metric": formatting.label,
        "percent": formatting.percent,
        "place": lambda percent: f"{percent:.2f}".rstrip("0").rstrip("."),
        "short": formatting.short,
        "tick": formatting.tick,
    }
    sections = list(_sections(report))
    return environment.get_template("page.html.j2").render(
        report=report,
        titles=report.titles,
        floats={f.format: f.bytes for f in report.files if f.precision == "float32"},
        largest=max([report.model_bytes, *(f.bytes for f in report.files)]),
        problems=_alike([p for s in sections for p in s.problems]) if report.shippable else [],
        panels=list(_panels(report)) if report.shippable else [],
        sections=sections,
        warnings=list(
            dict.fromkeys((*report.warnings, *(w for f in report.files for w in f.warnings)))
        ),
        pictures=_pictures(report, sections),
    )


def _sections(report: Report) -> Iterator[_Section]:
    """The files; those first that a person has to look at."""
    numbered = {id(file): at for at, file in enumerate(report.files, 1)}
    files = sorted(
        report.files,
        key=lambda f: (_ORDER.index(f.verdict), f.precision == "float32", f.worst_result.sqnr_db),
    )
    for at, file in enumerate(files):
        sources = file.error_sources
        told = sources and (sources.quantization_db, sources.runtime_db) != (None, None)
        yield _Section(
            file=file,
            anchor=f"file-{numbered[id(file)]}",
            open=at == 0 or (at < _OPEN and file.verdict != "pass"),
            problems=tuple(_problems(file)),
            shares=charts.noise_shares(sources) if sources and told else [],
            layers=charts.layer_chart(file.layers) if file.layers else None,
            outputs=tuple(_output(file, score) for score in file.results),
        )


def _output(file: FileResult, score: OutputResult) -> _Output:
    evidence = next((e for e in file.differences if e.output == score.output), None)
    rounded = file.precision == "float32"  # what float32 rounds otherwise is no news
    shown = evidence.worst if evidence else ()
    tables = evidence is not None and len(evidence.classes) > 0
    labelled = any(m.original is not None for m in score.metrics)
    return _Output(
        score=score,
        labelled=labelled,
        metrics=score.metrics,
        evidence=evidence,
        errors=charts.histogram(evidence.counts) if evidence and sum(evidence.counts) else (),
        # Without labels the original's answers are held against themselves.
        before=charts.heat(evidence.before) if evidence and tables and labelled else None,
        after=charts.heat(evidence.after) if evidence and tables else None,
        changes=tuple(charts.most_changed(evidence.before, evidence.after)) if evidence else (),
        worst=tuple(w for w in shown if w.changed or (w.error and not rounded)),
    )


def _problems(file: FileResult) -> Iterator[_Problem]:
    """Why a file does not hold: its outputs' reasons, and its own faults."""
    several = len(file.results) > 1
    told = [
        f"{score.output}: {score.reason}" if several else score.reason
        for score in sorted(file.results, key=lambda s: _ORDER.index(s.verdict))
        if score.reason
    ]
    told += file.faults
    if told:
        causes = [
            (layer.name, layer.cause)
            for layer in worst_layers(file.layers, len(file.layers))
            if layer.cause
        ]
        yield _Problem(file.verdict, (file.title,), tuple(causes[:_CAUSES]), tuple(told))


def _alike(problems: list[_Problem]) -> list[_Problem]:
    """The same told once."""
    found: dict[Any, list[str]] = {}
    for problem in problems:
        found.setdefault((problem.verdict, problem.causes, problem.told), []).extend(problem.titles)
    return [_Problem(v, tuple(titles), causes, told) for (v, causes, told), titles in found.items()]


def _panels(report: Report) -> Iterator[_Panel]:
    """All limits; those on the same figure beside each other."""
    kinds: dict[Any, list[tuple[FileResult, str, LimitResult]]] = {}
    for file in report.files:
        for score in file.results:
            for limit_result in score.limit_results:
                limit = limit_result.limit
                kind = limit.kind, limit.metric, limit.relative
                output = score.output if len(file.results) > 1 else ""
                kinds.setdefault(kind, []).append((file, output, limit_result))
    for found in kinds.values():
        axis = charts.limits_axis([limit_result for _, _, limit_result in found])
        rows = [_Row(f, output, j, charts.whisker(j, axis)) for f, output, j in found]
        yield _Panel(found[0][2].limit, axis, tuple(rows))


def _pictures(report: Report, sections: list[_Section]) -> dict[int, _Picture]:
    """Pictures of the samples shown, each once; what is no PNG file is left out."""
    shown = {w.row for section in sections for output in section.outputs for w in output.worst}
    found = {}
    for row in sorted(shown & set(report.pictures)):
        uri = report.pictures[row]
        if _PNG.fullmatch(uri):
            head = base64.b64decode(uri.partition(",")[2][:32])
            width, height = struct.unpack(">II", head[16:24])
            found[row] = _Picture(uri, width, height)
    return found
