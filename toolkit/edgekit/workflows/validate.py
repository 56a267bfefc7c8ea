"""``edgekit validate``: files compared with their original, on labelled or unlabelled samples."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.task_names import check_tasks
from edgekit.bundle.manifest import Manifest, read_manifest
from edgekit.bundle.packages import CONVERTERS, missing, require
from edgekit.data.images import Images
from edgekit.data.open import check_data, open_samples
from edgekit.data.split import SampleSplit, set_aside
from edgekit.errors import OptionError
from edgekit.inference.executors import LOCAL, check_engine, open_executor
from edgekit.inference.place import Executor
from edgekit.names import printable
from edgekit.options.declared import SavedOptions, ValidateOptions
from edgekit.options.values import resolve, with_options
from edgekit.progress import Progress, expect, silent
from edgekit.report.result import Report
from edgekit.report.saved_outputs import check_saved, load_recording, save_recording
from edgekit.report.thumbnails import pictures
from edgekit.scratch import scratch_folder
from edgekit.workflows.candidates import Candidate
from edgekit.workflows.evaluate import (
    FLOAT,
    Criteria,
    Evaluation,
    counterparts,
    evaluate,
    steps_of,
)
from edgekit.workflows.judge import judge
from edgekit.workflows.original import SourceModel, name_of, source_of
from edgekit.workflows.worker import WorkerError, run_in_worker
from edgekit_converters import FORMATS, ConversionError, check_source, format_of
from edgekit_converters import convert as convert_model
from edgekit_runtimes import ModelError, TensorSpec, precision_of
from edgekit_runtimes.bundle.manifest_file import MANIFEST, vouched
from edgekit_runtimes.files import FILES


@dataclass(frozen=True, slots=True)
class _Job:
    """What the child process is to do."""

    source: str
    name: str
    candidates: tuple[Candidate, ...]
    criteria: Criteria
    label_names: tuple[str, ...]
    saved: bool
    """Whether the source is a model object of the caller's, saved for the child."""
    trust: bool
    cache: bool
    engine: str


@with_options(ValidateOptions)
def validate(
    original: Any,
    candidates: str | Path | Sequence[str | Path],
    data: Any,
    *,
    log: Path | None = None,
    progress: Progress = silent,
    **options: Unpack[ValidateOptions],
) -> Report:
    """Run files on the same samples as their original, and report how far they differ, and why.

    >>> import edgekit
    >>> original, candidate = "out/model_float32.tflite", "out/model_int8.tflite"
    >>> report = edgekit.validate(original, candidate, "samples.npz", metrics="f1", max_drop="2%")
    >>> bool(report), report.evaluated_on
    (True, 400)

    Args:
        original: a Keras model of any kind that ``convert`` takes, or a ``.tflite`` or ``.onnx`` file.
        candidates: ``.tflite`` and ``.onnx`` files, and folders that ``convert`` made.
        data: samples, of any kind in ``edgekit.data.open.SOURCES``.
        log: where the libraries' output goes; by default a temporary file, kept where this fails.
        progress: is called with each step's name as it begins.
        {options}

    Raises:
        OptionError: an option has a value that it cannot take.
        ConversionError: the original cannot be loaded.
        ModelError: a file cannot be opened.
        DataError: the samples cannot be read or do not fit the model, or a metric is not known.
        DeviceUnavailable: a device is not there, or runs nothing of a file.
        ClusterError: the engine's cluster is not there, or would compute something else than this machine.
        WorkerError: native code crashed, memory or time ran out.
    """
    chosen = resolve(ValidateOptions, options)
    limits = read_limits(chosen["max_drop"], chosen["min"], chosen["max"])
    metrics, save = chosen["metrics"], chosen["save"]
    given = [candidates] if isinstance(candidates, (str, Path)) else candidates
    paths = _expand(map(Path, given))
    if isinstance(original, (str, Path)):
        _check_original(Path(original))
    for metric in metrics:
        find_metric(metric)
    check_tasks(chosen["task"])
    if save is not None:
        check_saved(save)
    check_engine(chosen["engine"])
    require(["scipy"], "evaluating accuracy", "validate")
    if not isinstance(original, (str, Path)) or format_of(Path(original)) is None:
        require(["tensorflow", "keras"], "running a Keras original", "convert")
    check_data(data)
    manifests = {folder: read_manifest(folder) for folder in {path.parent for path in paths}}
    known = [manifests[path.parent] for path in paths if manifests[path.parent]]
    scale = chosen["scale"] or next((m.scale for m in known if m and m.scale), None)
    label_names = chosen["labels"] or next((m.labels for m in known if m and m.labels), ())
    images = Images(scale or "0..1", label_names)
    with scratch_folder() as scratch:
        job = _Job(
            source=source_of(original, scratch),
            name=name_of(original),
            candidates=_candidates(paths, manifests, original, chosen["devices"]),
            criteria=Criteria(
                limits, metrics, chosen["task"], chosen["worst"], chosen["per_layer"]
            ),
            label_names=label_names,
            saved=not isinstance(original, (str, Path)),
            trust=chosen["trust"],
            cache=chosen["cache"] is not False,
            engine=chosen["engine"],
        )

        def read_samples(inputs: Sequence[TensorSpec]) -> SampleSplit:
            progress("reading samples")
            opened = open_samples(data, inputs, images)
            return set_aside(
                opened,
                scratch / "samples",
                calibration=0,
                held_out=chosen["samples"],
                progress=progress,
            )

        output = log or scratch / "log"
        try:
            evaluation = run_in_worker(
                _work,
                job,
                scratch,
                log=output,
                scratch=scratch,
                timeout=chosen["timeout"],
                progress=progress,
                answer=read_samples,
                answering="reading samples",
            )
        except (ConversionError, ModelError, WorkerError) as error:
            if output.stat().st_size:
                if log is None:
                    handle, kept = tempfile.mkstemp(prefix="edgekit-", suffix=".log")
                    os.close(handle)
                    output = Path(shutil.copyfile(output, kept))
                error.add_note(f"What the libraries printed is in {output}.")
            raise
        report = evaluation.report
        shown = {s.row for file in report.files for d in file.differences for s in d.worst}
        drawn = pictures(evaluation.samples.held_out, shown)
        if save is not None:
            save_recording(replace(evaluation.recording, pictures=drawn), save)
        return replace(report, pictures=drawn)


@with_options(SavedOptions)
def validate_saved(
    path: str | Path,
    **options: Unpack[SavedOptions],
) -> Report:
    """Evaluate the outputs that ``validate`` saved, by other limits or metrics; no model runs.

    >>> import edgekit
    >>> original, candidate = "out/model_float32.tflite", "out/model_int8.tflite"
    >>> _ = edgekit.validate(original, candidate, "samples.npz", save="outputs.npz")
    >>> edgekit.validate_saved("outputs.npz", min="top1=0.9999").verdict
    'fail'

    Args:
        path: the file that ``save=`` of ``validate`` wrote.
        {options}

    Raises:
        OptionError: an option has a value that it cannot take.
        DataError: the file holds no such outputs, or a metric is not known.
    """
    chosen = resolve(SavedOptions, options)
    limits = read_limits(chosen["max_drop"], chosen["min"], chosen["max"])
    with scratch_folder() as scratch:
        recording = load_recording(Path(path), scratch)
        return judge(
            recording,
            limits,
            metrics=chosen["metrics"],
            worst=chosen["worst"],
            task=chosen["task"],
        )


def _check_original(path: Path) -> None:
    if format_of(path) is None:
        check_source(str(path))
    elif not path.is_file():
        raise OptionError(f"{path}: there is no such file.")
    else:
        _refuse_damaged(path)


def _refuse_damaged(path: Path) -> None:
    """Refuse a file that its manifest lists otherwise, or that no runtime should be given."""
    vouched(path)
    if path.suffix in FILES:
        FILES[path.suffix].verify(path)


def _expand(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files, and those of folders by their manifests."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            manifest = read_manifest(path)
            if manifest is None or not manifest.files:
                raise ModelError(
                    f"{path}: not a folder that edgekit convert made: it has no {MANIFEST}."
                )
            files += [path / entry.file for entry in manifest.files]
        else:
            files.append(path)
    for path in files:
        if not path.is_file():
            raise OptionError(f"{path}: there is no such file.")
        _refuse_damaged(path)
    return tuple(dict.fromkeys(files))


def _candidates(
    paths: Sequence[Path],
    manifests: dict[Path, Manifest | None],
    original: Any,
    devices: Sequence[str],
) -> tuple[Candidate, ...]:
    """Return every file on every device, with its precision and its float32 counterpart."""

    def precision(path: Path) -> str:
        """By its folder's manifest, where that is of this very file; else by what it holds."""
        manifest = manifests.get(path.parent)
        entry = manifest.entry(path) if manifest else None
        return entry.precision if entry else precision_of(path)

    def form(path: Path) -> str:
        """By the same; else by its suffix."""
        manifest = manifests.get(path.parent)
        entry = manifest.entry(path) if manifest else None
        return entry.format if entry else ""

    listed = [
        folder / entry.file
        for folder, manifest in manifests.items()
        for entry in (manifest.files if manifest else ())
        if entry.precision == FLOAT
    ]
    if isinstance(original, (str, Path)) and format_of(Path(original)):
        listed.append(Path(original))
    listed = [path for path in listed if path.is_file()]
    for path in listed:
        _refuse_damaged(path)
    precisions = {path: precision(path) for path in paths}
    others = {path: precision(path) for path in listed}
    float32 = counterparts(precisions, others)
    return tuple(
        Candidate(path, printable(path), precisions[path], device, float32.get(path), form(path))
        for path in paths
        for device in devices
    )


def _work(
    job: _Job,
    scratch: Path,
    *,
    progress: Progress,
    ask: Callable[[Sequence[TensorSpec]], SampleSplit],
) -> Evaluation:
    """Do all that runs models; in a child process."""
    if job.engine != LOCAL:
        progress(f"connecting to {job.engine}")
    with open_executor(job.engine) as executor:
        return _evaluate(job, scratch, executor, progress=progress, ask=ask)


def _evaluate(
    job: _Job,
    scratch: Path,
    executor: Executor,
    *,
    progress: Progress,
    ask: Callable[[Sequence[TensorSpec]], SampleSplit],
) -> Evaluation:
    """Run the original and the candidates, and judge these."""
    source = SourceModel(
        job.source,
        job.name,
        saved=job.saved,
        trust=job.trust,
        cache=job.cache,
        progress=progress,
        executor=executor,
    )
    samples = ask(source.inputs(scratch))
    original = source.record(samples, scratch)
    expect(progress, steps_of(len(job.candidates), executor))

    def make_counterpart(form: str) -> Path | None:
        path = scratch / f"counterpart{FORMATS[form].suffix}"
        if path.exists():
            return path
        if format_of(Path(job.source)) or missing(CONVERTERS):
            return None
        folder = scratch / f"converting to {form}"
        folder.mkdir()
        shapes = samples.held_out.shapes
        convert_model(source.model, {(form, FLOAT): path}, scratch=folder, shapes=shapes)
        return path

    return evaluate(
        original,
        job.candidates,
        samples,
        job.criteria,
        scratch=scratch,
        label_names=job.label_names,
        make_counterpart=make_counterpart,
        executor=executor,
        progress=progress,
    )
