"""What the page says of a report, in the order in which it says it: each thing once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.accuracy.intervals import Verdict
from edgekit.accuracy.limits import Limit
from edgekit.accuracy.results import ClassValue, MetricValue, OutputResult
from edgekit.accuracy.verdicts import LimitResult
from edgekit.diagnosis.changed_samples import ChangedSample, OutputDifferences
from edgekit.diagnosis.layers import worst_layers
from edgekit.diagnosis.per_class import ClassResult
from edgekit.report import charts
from edgekit.report.file_result import FileResult
from edgekit.report.layer_chart import LayerChart, layer_chart
from edgekit.report.result import Report
from edgekit.report.scatter_chart import Scatter, scatter

_WORST_FIRST: tuple[Verdict, ...] = ("fail", "inconclusive", "pass")
_OPEN = 3  # sections; more are a list to choose from
_CAUSES = 2  # of one file
_CLASSES = 20  # rows of a table; of more, those that changed most come first
_COUNTED = ("recall", "precision", "f1")  # metrics that a table of counts has anyway


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why files do not pass, or a layer that is likely its cause."""

    verdict: Verdict
    titles: tuple[str, ...]
    """The files', each with its output where there are several."""
    text: str
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One limit of one file."""

    file: FileResult
    output: str
    limit_result: LimitResult
    whisker: charts.Whisker


@dataclass(frozen=True, slots=True)
class Panel:
    """Limits of one kind, on one axis."""

    limit: Limit
    axis: charts.Axis
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of an output."""

    name: str
    counts: ClassResult | None
    """None where predictions are not counted by class."""
    values: tuple[ClassValue | None, ...]
    """Of further metrics, in the order of ``Output.class_metrics``."""

    @property
    def change(self) -> float:
        """By how much the metric that changed most did."""
        counted = self.counts
        f1 = abs(counted.original_f1 - counted.candidate_f1) if counted else 0.0
        return max([f1, *(abs(v.original - v.value) for v in self.values if v)])


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a file."""

    result: OutputResult
    labelled: bool
    metrics: tuple[MetricValue, ...]
    differences: OutputDifferences | None
    class_metrics: tuple[str, ...] = ()
    classes: tuple[ClassRow, ...] = ()
    more_classes: tuple[ClassRow, ...] = ()
    """Behind those that changed most, where there are many."""
    scatters: tuple[Scatter, ...] = ()
    error_histogram: tuple[charts.Bar, ...] = ()
    original_confusion: charts.ConfusionMatrix | None = None
    candidate_confusion: charts.ConfusionMatrix | None = None
    confusion_changes: tuple[charts.ConfusionChange, ...] = ()
    worst: tuple[ChangedSample, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One file."""

    file: FileResult
    anchor: str
    open: bool
    error_sources: list[charts.ErrorPart]
    layers: LayerChart | None
    told: frozenset[str]
    """Layers whose cause is told above."""
    outputs: tuple[Output, ...]


def sections(report: Report) -> Iterator[Section]:
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
        yield Section(
            file=file,
            anchor=f"file-{numbered[id(file)]}",
            open=at == 0 or (at < _OPEN and file.verdict != "pass"),
            error_sources=charts.error_parts(sources) if sources and sources.has_steps else [],
            layers=layer_chart(file.layers) if file.layers else None,
            told=frozenset(name for name, _ in _causes(file)) if report.shippable else frozenset(),
            outputs=tuple(_output(file, result) for result in file.results),
        )


def reasons(report: Report) -> list[Problem]:
    """Why files do not pass, failures first; a reason that several files share is told once."""
    titles = report.titles
    names: dict[tuple[Verdict, str], list[str]] = {}
    for file in report.files:
        title = titles[file.title]
        for fault in file.faults:
            names.setdefault(("fail", fault), []).append(title)
        for result in file.results:
            name = f"{title} ({result.output})" if len(file.results) > 1 else title
            for limit_result in result.limit_results:
                if limit_result.verdict != "pass":
                    key = limit_result.verdict, limit_result.reason
                    names.setdefault(key, []).append(name)
    problems = [Problem(verdict, tuple(of), text) for (verdict, text), of in names.items()]
    return sorted(problems, key=lambda problem: _WORST_FIRST.index(problem.verdict))


def causes(report: Report) -> list[Problem]:
    """The layers that likely make files fail, the likeliest first; what files share is told once."""
    titles = report.titles
    names: dict[tuple[str, str], list[str]] = {}
    for file in report.files:
        for cause in _causes(file):
            names.setdefault(cause, []).append(titles[file.title])
    return [Problem("fail", tuple(of), text, layer) for (layer, text), of in names.items()]


def panels(report: Report) -> Iterator[Panel]:
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
        rows = [Row(file, output, r, charts.whisker(r, axis)) for file, output, r in entries]
        yield Panel(entries[0][2].limit, axis, tuple(rows))


def _causes(file: FileResult) -> list[tuple[str, str]]:
    """The layers with a likely cause, of a file that does not pass."""
    if file.verdict == "pass":
        return []
    ranked = worst_layers(file.layers, len(file.layers))
    return [(layer.name, layer.cause) for layer in ranked if layer.cause][:_CAUSES]


def _output(file: FileResult, result: OutputResult) -> Output:
    differences = next((d for d in file.differences if d.output == result.output), None)
    labelled = any(m.original is not None for m in result.metrics)
    if differences is None:
        return Output(result, labelled, result.metrics, None)
    is_float = file.precision == "float32"  # what float32 rounds differently is no news
    counts = differences.error_counts
    # Detections have no fixed order: values of the same row are of other boxes.
    has_errors = result.task != "detection" and sum(counts) > counts[len(counts) // 2]
    original, candidate = differences.original_confusion, differences.candidate_confusion
    class_metrics, classes = _classes(result, differences)
    if len(classes) > _CLASSES:
        classes.sort(key=lambda row: -row.change)
    return Output(
        result=result,
        labelled=labelled,
        metrics=result.metrics,
        differences=differences,
        class_metrics=class_metrics,
        classes=tuple(classes[:_CLASSES]),
        more_classes=tuple(classes[_CLASSES:]),
        scatters=tuple(map(scatter, differences.value_pairs)),
        error_histogram=charts.histogram(counts) if has_errors else (),
        # Without labels the original's predictions are the labels: its matrix says nothing.
        original_confusion=charts.confusion_matrix(original) if original and labelled else None,
        candidate_confusion=charts.confusion_matrix(candidate) if candidate else None,
        confusion_changes=tuple(charts.confusion_changes(original, candidate)),
        worst=tuple(s for s in differences.worst if s.changed or (s.error and not is_float)),
    )


def _classes(
    result: OutputResult, differences: OutputDifferences
) -> tuple[tuple[str, ...], list[ClassRow]]:
    """The classes that occur, in their order, and the names of the metrics beside their counts."""
    counted = {c.number: c for c in differences.per_class}
    values = {
        (v.metric, v.number): v for v in result.classes if not (counted and v.metric in _COUNTED)
    }
    metrics = tuple(dict.fromkeys(metric for metric, _ in values))
    names = dict(enumerate(differences.class_names)) | {n: c.name for n, c in counted.items()}
    return metrics, [
        ClassRow(names.get(n, str(n)), counted.get(n), tuple(values.get((m, n)) for m in metrics))
        for n in sorted({*counted, *(number for _, number in values)})
    ]
