"""What a search does in the child process: from a model and samples to the file of each format that ships."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from edgekit.accuracy.limits import Limits
from edgekit.data.open import RANDOM
from edgekit.data.split import SampleSplit
from edgekit.inference.executors import LOCAL, open_executor
from edgekit.inference.output_cache import digest_of, is_on
from edgekit.inference.surroundings import surroundings
from edgekit.progress import Progress
from edgekit.report.search import Search, Sensitivity
from edgekit.workflows.candidates import Candidate
from edgekit.workflows.distributions import record_distributions
from edgekit.workflows.evaluate import Criteria, evaluate, record_original
from edgekit.workflows.facts import facts_of
from edgekit.workflows.golden import record_golden
from edgekit.workflows.original_key import is_whole, model_key, samples_key
from edgekit.workflows.ship import NOT_FOR_SHIPPING, Made
from edgekit.workflows.tune.bench import Bench
from edgekit.workflows.tune.elsewhere import Elsewhere
from edgekit.workflows.tune.explore import begin, explore, time_finalists
from edgekit.workflows.tune.finish import counterpart_of, decide, put, rows
from edgekit.workflows.tune.halt import Watch, guarded
from edgekit.workflows.tune.kept import Kept
from edgekit_converters import FORMATS, Variants, load_model
from edgekit_runtimes import TensorSpec, keras_session
from edgekit_runtimes.processing.facts import FACTS_KEY, facts_to_text

STOP, RUNNING = "stop", "running"
"""Files of the run: the first ends the search, the second says which candidate a crash is due to."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a child process is told to search."""

    source: str
    """The model, as ``load_model`` takes it."""
    name: str
    """What the report calls it."""
    saved: bool
    """Whether the model was saved just now, so that the time of that does not count."""
    options: Mapping[str, Any]
    """Of ``tune``."""
    limits: Limits
    """How much a file may lose."""
    run: Path
    """A folder that outlives a process that a candidate crashes."""


def work(
    task: Task,
    scratch: Path,
    crashed: Mapping[str, str],
    spent: float,
    *,
    progress: Progress,
    ask: Callable[[Sequence[TensorSpec]], SampleSplit],
) -> Made:
    """Search, judge, and write what ships into ``scratch``; in a child process.

    Args:
        task: what to search.
        scratch: a folder of this process alone.
        crashed: the candidates that crashed an earlier one, by their keys, and how.
        spent: seconds of the earlier ones.
        progress: is told each step.
        ask: gives the samples.
    """
    engine = task.options["engine"]
    if engine != LOCAL:
        progress(f"connecting to {engine}")
    with open_executor(engine) as executor:
        (scratch / "computed").mkdir()
        elsewhere = Elsewhere(executor, scratch / "computed")
        return _search(task, scratch, crashed, spent, elsewhere, progress, ask)


def _search(
    task: Task,
    scratch: Path,
    crashed: Mapping[str, str],
    spent: float,
    elsewhere: Elsewhere,
    progress: Progress,
    ask: Callable[[Sequence[TensorSpec]], SampleSplit],
) -> Made:
    """As ``work``, with what computes outputs."""
    start = monotonic() - spent
    options = task.options
    formats: Sequence[str] = options["to"]
    progress("loading TensorFlow and the model")
    model = load_model(task.source, trust=options["trust"])
    session = keras_session(model, task.source)
    samples = ask(session.inputs)
    choosing = samples.choosing
    assert choosing is not None and samples.calibration is not None
    variants = Variants(
        model,
        formats,
        samples.calibration.watched(progress),
        scratch=scratch,
        batch=options["batch"],
        shapes=samples.held_out.shapes,
        interface=options["io"],
        opset=options["opset"],
        progress=progress,
    )
    for refused in variants.failed.values():  # a search compares the formats
        raise refused
    chooses = record_original(session, model, task.name, choosing, scratch / "choosing", progress)
    original = record_original(session, model, task.name, samples, scratch / "original", progress)
    base = _base(task, model, samples, choosing)
    del model, session  # what follows needs the room
    (scratch / "candidates").mkdir()
    watch = Watch(progress, task.run / STOP, options["budget"], spent)
    criteria = Criteria(task.limits, task=options["task"])
    bench = Bench(
        variants,
        chooses,
        choosing,
        criteria,
        len(samples.held_out),
        options["device"],
        Kept(base, task.run / "kept", scratch),
        scratch / "candidates",
        task.run / RUNNING,
        crashed,
        watch,
        elsewhere,
        notes=elsewhere.notes,
    )
    variants.progress = lambda step: None  # candidates are told of by the watch
    watch.plan(2 * len(formats))
    begin(bench, formats)  # what every search needs is measured in any case
    watch.arm()
    stopped = guarded(lambda: explore(bench, formats, options))
    watch.disarm()
    progress("timing the finalists")
    for form in formats:
        time_finalists(bench, form, options)
    ended = {
        form: decide(bench, form, options, original, samples, criteria, progress)
        for form in formats
    }
    shipped, conversion = put(bench, ended, scratch)
    if samples.source == RANDOM:
        for form, path in shipped.items():
            FORMATS[form].mark(path, NOT_FOR_SHIPPING)
    facts = facts_of(original, samples, options)
    for form, path in shipped.items():
        FORMATS[form].add_metadata(path, FACTS_KEY, facts_to_text(facts))
    candidates = [
        Candidate(
            path,
            path.name,
            ended[form].chosen.trial.recipe.precision,
            options["device"],
            counterpart_of(bench, form),
        )
        for form, path in shipped.items()
    ]
    evaluation = evaluate(
        original,
        candidates,
        samples,
        criteria,
        scratch=scratch,
        label_names=options["labels"],
        progress=progress,
    )
    search = Search(
        tried=rows(bench, ended),
        prefer=options["prefer"],
        device=options["device"],
        chosen_on=len(choosing.held_out),
        seconds=monotonic() - start,
        why=tuple(end.why for end in ended.values()),
        stopped=stopped,
        sensitivities=tuple(
            Sensitivity(tensor, noise)
            for tensor, noise in sorted(bench.noises.items(), key=lambda item: -item[1])
        ),
    )
    report = evaluation.report
    files = [
        replace(file, latency_ratio=bench.ratio(ended[form].chosen))
        for file, form in zip(report.files, shipped, strict=True)
    ]
    report = replace(
        report,
        files=tuple(files),
        calibrated_on=len(samples.calibration),
        notes=(*conversion.notes, *bench.notes, *report.notes),
        search=search,
    )
    golden = record_golden(candidates, original, evaluation, scratch, options["golden"])
    distributions = (
        None
        if options["distributions"] is False
        else record_distributions(evaluation, facts, conversion.ranges)
    )
    return Made(replace(evaluation, report=report), conversion, facts, golden, distributions)


def _base(task: Task, model: Any, samples: SampleSplit, choosing: SampleSplit) -> str | None:
    """A name for all that what is measured depends on; None where it is not kept for the next run."""
    options = task.options
    off = options["cache"] is False or not is_on() or options["trust"]
    key = None if off else model_key(task.source, saved=task.saved)
    if key is None or not is_whole(task.source, model):
        return None
    assert samples.calibration is not None
    parts = (
        key,
        surroundings().key,
        digest_of(samples.calibration),
        samples_key(choosing),
        options["batch"],
        options["io"],
        options["opset"],
    )
    return repr(parts)
