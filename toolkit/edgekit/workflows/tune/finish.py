"""The end of a search: finalists are judged on samples that nothing has seen, and one file a format ships."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.accuracy.results import MetricValue
from edgekit.data.samples import DataError
from edgekit.data.split import SampleSplit
from edgekit.diagnosis.layers import compare_layers, worst_layers
from edgekit.progress import Progress
from edgekit.report.file_result import FileResult
from edgekit.report.search import Outcome, Tried
from edgekit.workflows.evaluate import Criteria, Original
from edgekit.workflows.tune.bench import Bench, float32
from edgekit.workflows.tune.choice import Choice, choose, safest
from edgekit.workflows.tune.explore import standings, way_out
from edgekit.workflows.tune.judging import judge_outputs
from edgekit.workflows.tune.trial import Measured, Trial
from edgekit_converters import (
    FORMATS,
    Conversion,
    ConversionError,
    RecipeDocument,
    Target,
    document_of,
)
from edgekit_converters.base import Range
from edgekit_converters.conversion import notes_on
from edgekit_runtimes import ModelError, open_model

_LAYERS = 3  # of the nearest file that did not pass, to be named
_LAYER_SAMPLES = 24


@dataclass(frozen=True, slots=True)
class Ended:
    """What was decided for one format."""

    chosen: Measured
    choice: Choice[str]
    why: str


def decide(
    bench: Bench,
    form: str,
    options: Mapping[str, Any],
    original: Original,
    samples: SampleSplit,
    criteria: Criteria,
    progress: Progress,
) -> Ended:
    """Judge the finalists of a format, each once, and choose.

    Args:
        bench: what was measured.
        form: the format.
        options: of the search.
        original: its outputs on the judging samples.
        samples: that judge.
        criteria: the limits.
        progress: is called as each finalist is run.
    """
    files: dict[str, FileResult] = {}

    def is_proven(key: str) -> bool:
        measured = bench.measured[key]
        progress(f"judging {measured.trial.title} on {len(samples.held_out)} samples")
        with bench.blamed(measured.trial):
            with open_model(bench.file(measured.trial), device=bench.device) as session:
                outputs = bench.elsewhere.record(session, original, samples.held_out, progress)
            files[key] = judge_outputs(
                original, samples, measured.trial, measured.bytes, outputs, criteria
            )
        return files[key].verdict == "pass"

    known = standings(bench, form, options)
    choice = choose(known, is_proven, way_out=way_out(bench, form, options))
    anchor = bench.measured[float32(form).key]
    title = FORMATS[form].title
    if choice.chosen is not None:
        chosen = bench.measured[choice.chosen]
        proven = sum(is_good for _, is_good in choice.judged)
        return Ended(
            chosen,
            choice,
            f"{title}: {chosen.trial.title}, {_gain(bench, chosen)}; {_of(proven)} "
            "that is proven to stay within the limits",
        )
    nearest = choice.judged[0][0] if choice.judged else safest(known)
    results = files[nearest].results if nearest in files else ()
    reasons = "; ".join(r.reason for r in results if r.reason)
    if nearest is None and options["integer_only"]:
        raise ConversionError(f"{title}: no integer file could be made: {'; '.join(bench.notes)}")
    if nearest is None or not reasons:
        word = _WORDS[options["prefer"]]
        return Ended(anchor, choice, f"{title}: float32, for no other candidate is {word}")
    near = bench.measured[nearest]
    told = f"the nearest, {near.trial.title}: {reasons}{_where(bench, near, anchor.trial)}"
    if options["integer_only"]:
        return Ended(near, choice, f"{title}: no integer file is proven; {told}")
    return Ended(anchor, choice, f"{title}: float32, for nothing else is proven; {told}")


_WORDS = {"speed": "faster", "size": "smaller", "accuracy": "faster or smaller"}


def _of(proven: int) -> str:
    """Words before "that is proven"."""
    return "the only finalist" if proven == 1 else f"of {proven} finalists the cheapest"


def _gain(bench: Bench, measured: Measured) -> str:
    anchor = bench.measured[float32(measured.trial.format).key]
    return (
        f"{bench.ratio(measured):.2f}x the time and {measured.bytes / anchor.bytes:.2f}x the size of "
        "float32"
    )


def _where(bench: Bench, measured: Measured, anchor: Trial) -> str:
    """Where a file loses most, as the layers tell; empty where they cannot be compared."""
    few = replace(bench.samples.held_out, count=min(_LAYER_SAMPLES, len(bench.samples.held_out)))
    try:
        with bench.blamed(measured.trial):
            layers = compare_layers(bench.file(anchor), bench.file(measured.trial), few)
    except (DataError, ModelError):
        return ""
    named = [
        f"{layer.name} ({layer.noise_added:.0%})"
        for layer in worst_layers(layers, _LAYERS)
        if layer.noise_added > 0
    ]
    return f". Most of the noise comes from {', '.join(named)}" if named else ""


def rows(bench: Bench, ended: Mapping[str, Ended]) -> tuple[Tried, ...]:
    """All candidates as the report lists them: each format's by their time."""
    listed = []
    order = list(FORMATS)
    for measured in sorted(
        bench.measured.values(), key=lambda m: (order.index(m.trial.format), m.ms)
    ):
        form = measured.trial.format
        end = ended.get(form)
        metric = _main_metric(measured)
        listed.append(
            Tried(
                title=measured.trial.title,
                format=form,
                precision=measured.trial.recipe.precision,
                operators_in_float=measured.operators_in_float,
                bytes=measured.bytes,
                outcome=_outcome(measured, end),
                latency_ms=measured.ms,
                latency_ratio=bench.ratio(measured),
                metric=metric.metric if metric else "",
                drop=_drop(metric),
                interval=metric.interval if metric else None,
                sqnr_db=measured.sqnr_db if measured.results else None,
                safety=measured.safety,
            )
        )
    return tuple(listed)


def _main_metric(measured: Measured) -> MetricValue | None:
    """The main metric of the output with the worst verdict, or the lowest SQNR."""
    if measured.results is None:
        return None
    return FileResult("", 0, measured.results).worst_result.metrics[0]


def _drop(metric: MetricValue | None) -> float | None:
    if metric is None:
        return None
    return metric.value if metric.drop is None else metric.drop


def _outcome(measured: Measured, end: Ended | None) -> Outcome:
    if end is not None and end.chosen.trial.key == measured.trial.key:
        return "chosen"
    judged = dict(end.choice.judged) if end else {}
    if measured.trial.key in judged:
        return "proven" if judged[measured.trial.key] else "not proven"
    return "not judged" if measured.results is not None else "not evaluated"


def name_of(form: str) -> str:
    """What the file of a format is called in the folder that ships."""
    return f"model_tuned{FORMATS[form].suffix}"


def put(
    bench: Bench, ended: Mapping[str, Ended], folder: Path
) -> tuple[dict[str, Path], Conversion]:
    """Write the chosen files into a folder, each under the name that it ships by."""
    shipped: dict[str, Path] = {}
    ranges: dict[str, Range] = {}
    recipes: dict[Target, RecipeDocument] = {}
    said: dict[str, tuple[str, ...]] = {}
    for form, end in ended.items():
        recipe = end.chosen.trial.recipe
        shipped[form] = folder / name_of(form)
        written = bench.variants.write(recipe, {form: shipped[form]})
        ranges |= written.ranges or {}
        said[form] = notes_on(bench.variants, [(recipe, written)])
        recipes[form, recipe.precision] = document_of(recipe, bench.variants.operators)
    notes = [
        note if all(note in notes for notes in said.values()) else f"{FORMATS[form].title}: {note}"
        for form in said
        for note in said[form]
    ]
    graph = bench.variants.job.integer_graph
    return shipped, Conversion(ranges, graph, tuple(dict.fromkeys(notes)), recipes=recipes)


def counterpart_of(bench: Bench, form: str) -> Path:
    """The float32 file of a format."""
    return bench.file(float32(form))
