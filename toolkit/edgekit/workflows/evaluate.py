"""Files run beside their original and judged: what convert and validate do alike, in the child process."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from edgekit.accuracy.detection_outputs import find_detection_outputs
from edgekit.accuracy.label_checks import check_folders, check_names, fit_labels
from edgekit.accuracy.limits import Limits
from edgekit.accuracy.tasks import find_tasks
from edgekit.bundle.environment import environment
from edgekit.data.open import RANDOM
from edgekit.data.samples import DataError
from edgekit.data.split import SampleSplit
from edgekit.data.store import StoredArrays
from edgekit.diagnosis import input_checks
from edgekit.diagnosis.error_sources import ErrorAttribution
from edgekit.diagnosis.layers import LayerResult, compare_layers
from edgekit.inference.latency import latencies
from edgekit.inference.place import Executor
from edgekit.inference.runtime_faults import runtime_faults
from edgekit.inference.tensor_names import with_original_names
from edgekit.progress import Progress, expect
from edgekit.report.result import Report
from edgekit.report.saved_outputs import RecordedFile, Recording
from edgekit.workflows.candidates import Candidate, record_by, run_candidates, size_of
from edgekit.workflows.judge import judge
from edgekit_converters import format_of
from edgekit_runtimes import ModelError, Session, TensorSpec, open_model

FLOAT: Final = "float32"
_LARGE = 500_000_000  # bytes of files that are not all open at once


@dataclass(frozen=True, slots=True)
class Original:
    """The model that files are compared with: its outputs, and what is needed of it afterwards."""

    name: str
    path: str
    """The file, or the source, that was opened."""
    bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    recorded: StoredArrays
    """Its outputs for every held-out sample."""
    warnings: tuple[str, ...]
    """On the samples."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """By what files are judged, and how much the report shows."""

    limits: Limits = field(default_factory=Limits)
    metrics: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    """Of outputs whose task would be guessed wrong."""
    worst: int = 10
    """Samples to show, of those that changed most."""
    per_layer: bool | None = None
    """Whether layers are compared; None for those of files that fail."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What comes back from the child process."""

    recording: Recording
    report: Report
    samples: SampleSplit
    specs: tuple[tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]], ...]
    """The inputs and the outputs of each file."""


def record_original(
    session: Session,
    model: Any,
    name: str,
    samples: SampleSplit,
    folder: Path,
    progress: Progress,
    executor: Executor | None = None,
) -> Original:
    """Run the original on the held-out samples.

    Args:
        session: the original, open.
        model: the Keras model, where it is one; its layers tell whether it rescales images.
        name: what the report calls it.
        samples: calibration samples are left alone.
        folder: for its outputs; it must not be there yet.
        progress: is called with the step's name.
        executor: where a file runs that other machines compute alike; a Keras model runs here.
    """
    progress(f"running {name} on {len(samples.held_out)} samples")
    recorded = record_by(executor, session, session, samples.held_out, folder, progress)
    layers = [type(layer).__name__ for layer in model._flatten_layers()] if model else []
    images = input_checks.image_range(layers, session, samples, recorded)
    return Original(
        name=name,
        path=session.path,
        bytes=size_of(Path(session.path)),
        inputs=session.inputs,
        outputs=session.outputs,
        recorded=recorded,
        warnings=(*samples.warnings, *images),
    )


def evaluate(
    original: Original,
    candidates: Sequence[Candidate],
    samples: SampleSplit,
    criteria: Criteria,
    *,
    scratch: Path,
    label_names: Sequence[str] = (),
    make_counterpart: Callable[[str], Path | None] = lambda form: None,
    executor: Executor | None = None,
    progress: Progress,
) -> Evaluation:
    """Run files on the samples that their original ran on, and judge them.

    Args:
        original: from ``record_original``.
        candidates: the files.
        samples: the same as the original's.
        criteria: limits, metrics, and how much to show.
        scratch: a folder that the caller removes.
        label_names: the classes' names, in order, where the samples' own do not number the classes.
        make_counterpart: makes the float32 file of a format, for the layers of files that have none.
        executor: where the files run for their outputs; their latency is measured here.
        progress: is called with the name of each of ``steps_of`` as it begins; layers are further steps.

    Raises:
        ModelError: a file cannot be opened or run.
        DeviceUnavailable: a device is not there, or runs nothing of a file.
        DataError: labels or class names do not fit, or a metric or a limit fits none of the outputs.
    """
    machine = environment()
    doubts = _check_labels(original, samples, label_names, criteria.task)
    attribution = ErrorAttribution(
        original,
        original.recorded,
        samples.held_out,
        scratch,
        {c.path: c.counterpart for c in candidates if c.counterpart},
    )
    files, specs = [], []
    running = run_candidates(candidates, original, samples.held_out, scratch, executor, progress)
    for candidate, ran in zip(candidates, running, strict=True):
        start = perf_counter()
        specs.append((ran.inputs, ran.outputs))
        progress(f"attributing the error of {candidate.title}")
        sources, faults = attribution.of(candidate.path, ran.recorded, candidate.device)
        refusal = attribution.refusals.get(candidate.path)
        inputs = input_checks.input_ranges(candidate.path, samples.held_out)
        files.append(
            RecordedFile(
                name=candidate.name,
                bytes=size_of(candidate.path),
                format=candidate.format or format_of(candidate.path) or candidate.path.suffix[1:],
                precision=candidate.precision,
                device="" if candidate.device == "cpu" else ran.device,
                compared_as_float32=candidate.precision == FLOAT and candidate.device == "cpu",
                outputs=ran.recorded,
                error_sources=sources,
                faults=(*ran.faults, *faults),
                seconds=ran.seconds + perf_counter() - start,
                warnings=(
                    *inputs,
                    *([refusal] if refusal else []),
                    *(f"{candidate.name}: {x}" for x in runtime_faults(candidate.path, ran.device)),
                ),
            )
        )
    progress("timing")
    times = _latencies(original, candidates, samples.held_out)
    files = [replace(f, latency_ms=time) for f, time in zip(files, times, strict=True)]
    recording = Recording(
        model=original.name,
        model_bytes=original.bytes,
        original=original.recorded,
        files=tuple(files),
        labels=samples.labels,
        numbers=samples.numbers,
        label_names=samples.label_names or tuple(label_names),
        data=samples.source,
        shippable=samples.source != RANDOM,
        warnings=(*original.warnings, *doubts),
        environment=machine,
    )
    progress("judging")
    report = judge(
        recording,
        criteria.limits,
        metrics=criteria.metrics,
        worst=criteria.worst,
        task=criteria.task,
    )
    in_question = [
        _has_layers(candidate)
        and (result.verdict == "fail" if criteria.per_layer is None else criteria.per_layer)
        for candidate, result in zip(candidates, report.files, strict=True)
    ]
    expect(progress, sum(in_question))
    for at, candidate in enumerate(candidates):
        if in_question[at]:
            start = perf_counter()
            layers = _layers(candidate, samples.held_out, make_counterpart, progress)
            seconds = files[at].seconds + perf_counter() - start
            files[at] = replace(files[at], layers=layers, seconds=seconds)
    results = [
        replace(result, layers=file.layers, seconds=file.seconds)
        for result, file in zip(report.files, files, strict=True)
    ]
    return Evaluation(
        recording=replace(recording, files=tuple(files)),
        report=replace(report, files=tuple(results)),
        samples=samples,
        specs=tuple(specs),
    )


def steps_of(files: int, executor: Executor | None = None) -> int:
    """The number of steps of ``evaluate`` for so many files."""
    together = executor is not None and executor.elsewhere
    return 2 + files + (2 if together else files)


def _check_labels(
    original: Original,
    samples: SampleSplit,
    label_names: Sequence[str],
    task: Sequence[str],
) -> tuple[str, ...]:
    """Refuse labels and class names that do not fit, before any file runs; what is unused ``judge`` says."""
    recorded = original.recorded
    if find_detection_outputs(recorded, task):  # labels are those of several outputs together
        return ()
    tasks = find_tasks(recorded, samples.labels, task)
    check_names(label_names, recorded, tasks)
    folders = () if label_names else check_folders(samples.label_names, recorded, tasks)
    fit_labels(recorded, samples.labels, tasks, samples.numbers)
    return folders


def _latencies(
    original: Original, candidates: Sequence[Candidate], samples: StoredArrays
) -> list[float]:
    """Return the milliseconds of one call of each file, side by side; of large files, a format at a time."""
    together = sum(size_of(c.path) for c in candidates) < _LARGE
    kinds = sorted({c.path.suffix for c in candidates})
    times: dict[int, float] = {}
    for suffixes in [kinds] if together else [[kind] for kind in kinds]:
        with contextlib.ExitStack() as stack:
            sessions = {
                number: stack.enter_context(open_model(c.path, device=c.device))
                for number, c in enumerate(candidates)
                if c.path.suffix in suffixes
            }
            batch = max((s.inputs[0].shape[0] or 1 for s in sessions.values()), default=1)
            inputs = next(samples.batches(batch))
            times |= latencies(
                {n: with_original_names(s, original) for n, s in sessions.items()}, inputs
            )
    return [times[number] for number in range(len(candidates))]


def _has_layers(candidate: Candidate) -> bool:
    """Whether it is a quantized file whose layers can be read."""
    return candidate.precision != FLOAT and format_of(candidate.path) is not None


def _layers(
    candidate: Candidate,
    samples: StoredArrays,
    make_counterpart: Callable[[str], Path | None],
    progress: Progress,
) -> tuple[LayerResult, ...]:
    """Compare a quantized file's layers with those of its float32 counterpart; none where there is none."""
    form = format_of(candidate.path)
    assert form is not None
    progress(f"comparing the layers of {candidate.name}")
    counterpart = candidate.counterpart or make_counterpart(form)
    if counterpart is None:
        return ()
    try:
        return compare_layers(counterpart, candidate.path, samples.watched(progress))
    except (DataError, ModelError):  # the verdict does not depend on this
        return ()


def counterparts(files: Mapping[Path, str], others: Mapping[Path, str]) -> dict[Path, Path]:
    """Return each file's float32 file of the same format: itself, one of its folder, or another of the run.

    Args:
        files: by path, the precision.
        others: further files that may serve, with their precision.
    """
    float32 = [path for path, precision in {**files, **others}.items() if precision == FLOAT]
    float32_of = {}
    for path in files:
        fitting = [p for p in float32 if p.suffix == path.suffix]
        near = sorted(fitting, key=lambda p: (p != path, p.parent != path.parent))
        if near:
            float32_of[path] = near[0]
    return float32_of
