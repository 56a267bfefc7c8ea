"""``edgekit validate``: an original against files, on labelled or unlabelled samples."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.accuracy.limits import Limits
from edgekit.accuracy.metrics import find_metric
from edgekit.bundle.environment import processor, versions
from edgekit.bundle.folder import MANIFEST, read_manifest, sha256
from edgekit.data.images import Images
from edgekit.data.open import RANDOM, check_data, open_samples
from edgekit.data.samples import DataError
from edgekit.data.split import EVALUATION_SAMPLES, SampleSplit, set_aside
from edgekit.diagnosis import input_checks
from edgekit.diagnosis.error_sources import ErrorAttribution
from edgekit.diagnosis.layers import LayerResult, compare_layers
from edgekit.inference.latency import latencies
from edgekit.inference.record import record
from edgekit.inference.tensor_names import Renamed, renamed
from edgekit.report.result import Report
from edgekit.report.saved_outputs import (
    RecordedFile,
    Recording,
    check_saved,
    load_recording,
    save_recording,
)
from edgekit.report.thumbnails import pictures
from edgekit.workflows.judge import judge
from edgekit.workflows.worker import run_in_worker
from edgekit_converters import (
    ConversionError,
    check_source,
    format_of,
    load_model,
)
from edgekit_converters import convert as convert_model
from edgekit_runtimes import ModelError, TensorSpec, keras_session, open_model
from edgekit_runtimes.precision import precision_of

Progress = Callable[[str], None]

_FLOAT = "float32"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the child process is to do."""

    source: str
    files: tuple[Path, ...]
    devices: tuple[str, ...]
    limits: Limits
    metrics: tuple[str, ...]
    per_layer: bool | None
    trust: bool


def validate(
    original: str | Path,
    candidates: str | Path | Sequence[str | Path],
    data: Any,
    *,
    samples: int = EVALUATION_SAMPLES,
    devices: Sequence[str] = ("cpu",),
    limits: Limits | None = None,
    metrics: Sequence[str] = (),
    per_layer: bool | None = None,
    worst: int = 10,
    save: str | Path | None = None,
    trust: bool = False,
    images: Images | None = None,
    log: Path | None = None,
    timeout: float | None = None,
    progress: Progress = lambda step: None,
) -> Report:
    """Runs files on the same samples as their original, and says how far each strays, and why.

    Args:
        original: a Keras model of any kind that ``convert`` takes, or a ``.tflite`` or ``.onnx`` file.
        candidates: ``.tflite`` and ``.onnx`` files, and folders that ``convert`` made.
        data: samples, of any kind that ``edgekit.data.open.open_samples`` takes.
        samples: the most samples to use.
        devices: to run each file on, as for ``open_model``.
        limits: how far a file may stray before the report is false; ``edgekit.accuracy.limits.read_limits``
            makes them of text.
        metrics: names, to measure besides what the task asks for; see ``edgekit.accuracy.metrics``.
        per_layer: compare quantized files with their float file layer by layer. By default those that
            fail.
        worst: how many samples to show of those that changed most.
        save: keep all outputs in this ``.npz`` or ``.json`` file, for ``validate_saved``.
        trust: run code that the model file carries.
        images: how image files become arrays.
        log: where the libraries' noise goes; by default a temporary file, kept where this fails.
        timeout: seconds for the whole.
        progress: is called with each step's name as it begins.

    Raises:
        ConversionError: the original cannot be loaded.
        ModelError: a file cannot be opened.
        DataError: the samples cannot be read or do not fit the model, or a metric is not known.
        DeviceUnavailable: a device is not there, or runs nothing of a file.
    """
    source = str(original)
    files = _files([candidates] if isinstance(candidates, (str, Path)) else candidates)
    if format_of(Path(source)) is None:
        check_source(source)
    for path in (*files, *([Path(source)] if format_of(Path(source)) else [])):
        if not path.is_file():
            raise ModelError(f"{path}: there is no such file.")
    for metric in metrics:
        find_metric(metric)
    if save is not None:
        check_saved(Path(save))
    check_data(data)
    plan = _Plan(
        source, files, tuple(devices), limits or Limits(), tuple(metrics), per_layer, trust
    )
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        scratch = Path(folder)

        def read_samples(inputs: list[TensorSpec]) -> SampleSplit:
            progress("reading samples")
            rows = open_samples(data, inputs, images or _images_of(files))
            sets.append(set_aside(rows, scratch / "samples", calibration=0, held_out=samples))
            return sets[0]

        sets: list[SampleSplit] = []
        noise = log or scratch / "log"
        try:
            recording: Recording = run_in_worker(
                _work,
                plan,
                scratch,
                log=noise,
                timeout=timeout,
                progress=progress,
                answer=read_samples,
            )
        except (ConversionError, ModelError) as error:
            if log is None:
                handle, kept = tempfile.mkstemp(prefix="edgekit-", suffix=".log")
                os.close(handle)
                shutil.copyfile(noise, kept)
                noise = Path(kept)
            error.add_note(f"What the libraries printed is in {noise}.")
            raise
        progress("judging")
        report = judge(recording, plan.limits, metrics=metrics, worst=worst)
        shown = {w.row for file in report.files for e in file.differences for w in e.worst}
        drawn = pictures(sets[0].held_out, shown)
        if save is not None:
            save_recording(replace(recording, pictures=drawn), Path(save))
        return replace(report, pictures=drawn)


def validate_saved(
    path: str | Path,
    *,
    limits: Limits | None = None,
    metrics: Sequence[str] = (),
    worst: int = 10,
) -> Report:
    """Judges the outputs that ``validate`` saved, by other limits or metrics; runs no model.

    Raises:
        DataError: the file holds no such outputs, or a metric is not known.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        recording = load_recording(Path(path), Path(folder))
        return judge(recording, limits or Limits(), metrics=metrics, worst=worst)


def _files(candidates: Sequence[str | Path]) -> tuple[Path, ...]:
    """The files, and those of folders by their manifests."""
    found: list[Path] = []
    for path in map(Path, candidates):
        if path.is_dir():
            listed = [path / entry["file"] for entry in read_manifest(path).get("files", [])]
            if not listed:
                raise ModelError(
                    f"{path}: no folder that edgekit convert made: it has no {MANIFEST}."
                )
            found += listed
        else:
            found.append(path)
    return tuple(dict.fromkeys(found))


def _images_of(files: Sequence[Path]) -> Images | None:
    """How the files' samples became arrays when they were converted."""
    told = (read_manifest(path.parent).get("images") for path in files)
    return next((Images(t["scale"]) for t in told if t), None)


def _work(
    plan: _Plan,
    scratch: Path,
    *,
    progress: Progress,
    ask: Callable[[list[TensorSpec]], SampleSplit],
) -> Recording:
    """All that runs models; in a child process."""
    progress(f"opening {plan.source}")
    model = None
    if format_of(Path(plan.source)) is not None:
        original = open_model(plan.source)
    else:
        model = load_model(plan.source, trust=plan.trust)
        original = keras_session(model, plan.source)
    samples = ask(list(original.inputs))
    held_out = samples.held_out
    progress(f"running {plan.source} on {len(held_out)} samples")
    outputs = record(original, held_out, scratch / "original")
    separation = ErrorAttribution(original, outputs, held_out, scratch, _float_files(plan))
    sessions: dict[str, Renamed] = {}
    files: list[RecordedFile] = []
    for path in plan.files:
        for device in plan.devices:
            where = f" on {device}" if device != "cpu" else ""
            progress(f"running {path}{where}")
            session = renamed(open_model(path, device=device), original)
            sessions[f"{path}{where}"] = session
            answers = record(session, held_out, scratch / f"answers {len(files)}")
            progress(f"separating what {path} owes to whom")
            sources, faults = separation.of(path, answers, device)
            precision = _precision(path)
            files.append(
                RecordedFile(
                    name=str(path),
                    bytes=path.stat().st_size,
                    format=path.suffix[1:],
                    precision=precision,
                    device="" if device == "cpu" else session.device,
                    compared_as_float32=precision == _FLOAT and device == "cpu",
                    answers=answers,
                    error_sources=sources,
                    faults=faults,
                    warnings=(
                        *input_checks.input_ranges(path, held_out),
                        *filter(None, [separation.refusals.get(path)]),
                    ),
                )
            )
    progress("timing")
    times = latencies(sessions, next(held_out.batches(1)))
    files = [replace(ran, latency_ms=time) for ran, time in zip(files, times.values(), strict=True)]
    layers = [type(layer).__name__ for layer in model._flatten_layers()] if model else []
    recording = Recording(
        model=plan.source,
        model_bytes=Path(plan.source).stat().st_size if Path(plan.source).is_file() else 0,
        original=outputs,
        files=tuple(files),
        labels=samples.labels,
        numbers=samples.numbers,
        label_names=samples.label_names or _label_names(plan.files),
        data=samples.source,
        shippable=samples.source != RANDOM,
        warnings=(*samples.warnings, *input_checks.image_range(layers, original, samples, outputs)),
        environment={"versions": versions(), "processor": processor()},
    )
    report = judge(recording, plan.limits, metrics=plan.metrics, worst=0)
    return replace(
        recording,
        files=tuple(
            replace(ran, layers=_layers(ran, plan, model, samples, scratch, progress))
            if (result.verdict == "fail" if plan.per_layer is None else plan.per_layer)
            else ran
            for ran, result in zip(files, report.files, strict=True)
        ),
    )


def _layers(
    ran: RecordedFile,
    plan: _Plan,
    model: Any,
    samples: SampleSplit,
    scratch: Path,
    progress: Progress,
) -> tuple[LayerResult, ...]:
    """A quantized file's layers against those of its float file, which is made where there is none."""
    path = Path(ran.name)
    if ran.precision == _FLOAT or (form := format_of(path)) is None:
        return ()
    progress(f"comparing the layers of {path}")
    whole = _float_files(plan).get(path)
    if whole is None:
        if model is None:
            return ()
        whole = scratch / f"float{path.suffix}"
        if not whole.exists():
            folder = scratch / f"converting {form}"
            folder.mkdir()
            shapes = samples.held_out.shapes
            convert_model(model, {(form, "float32"): whole}, scratch=folder, shapes=shapes)
    try:
        return compare_layers(whole, path, samples.held_out)
    except (DataError, ModelError):  # the gate's verdict does not hang on this
        return ()


def _float_files(plan: _Plan) -> dict[Path, Path]:
    """For each file the float32 file of its format: itself, its folder's, one of the run, the original."""
    found = {}
    for path in plan.files:
        listed = (
            path.parent / entry["file"] for entry in read_manifest(path.parent).get("files", [])
        )
        near = (path, *listed, *plan.files, Path(plan.source))
        fitting = (p for p in near if p.suffix == path.suffix and p.is_file())
        if whole := next((p for p in fitting if _precision(p) == _FLOAT), None):
            found[path] = whole
    return found


def _precision(path: Path) -> str:
    """By its folder's manifest, where that speaks of this very file; else by what it holds."""
    for entry in read_manifest(path.parent).get("files", []):
        if entry["file"] == path.name and entry["sha256"] == sha256(path):
            return str(entry["precision"])
    return precision_of(path)


def _label_names(files: Sequence[Path]) -> tuple[str, ...]:
    told = (read_manifest(path.parent).get("labels") for path in files)
    return next((tuple(t) for t in told if t), ())
