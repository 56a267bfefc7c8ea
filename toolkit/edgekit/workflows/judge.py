"""Recorded outputs and limits to a report: where convert, validate and saved outputs all end."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.accuracy.detection_outputs import (
    DetectionOutputs,
    find_detection_outputs,
    joined,
    joined_labels,
)
from edgekit.accuracy.evidence import doubt, with_doubt, with_resemblance
from edgekit.accuracy.label_checks import fit_labels
from edgekit.accuracy.limits import Limits
from edgekit.accuracy.results import OutputResult, compare
from edgekit.accuracy.task_names import Task, TaskTexts
from edgekit.accuracy.tasks import find_tasks, labels_for_output
from edgekit.diagnosis.changed_samples import find_differences
from edgekit.names import names
from edgekit.report.file_result import FileResult, larger_than_float, slower_than_float
from edgekit.report.result import Report
from edgekit.report.saved_outputs import RecordedFile, Recording, labels_by_name


def judge(
    recording: Recording,
    limits: Limits,
    *,
    metrics: Sequence[str] = (),
    worst: int = 10,
    task: TaskTexts = (),
) -> Report:
    """Compare every file's outputs with the original's, and the differences with the limits.

    Args:
        recording: outputs of the original and of every file, on the same samples.
        limits: how much a file may lose.
        metrics: to compute besides the task's.
        worst: how many samples to show, of those that changed most.
        task: of the outputs whose task would be guessed wrong.

    Raises:
        DataError: labels do not fit, or a metric, a limit or a task fits none of the outputs.
    """
    if parts := find_detection_outputs(recording.original, task):
        recording = _with_detections(recording, parts)
        said = ("detection", f"{parts.name}=detection")
        others = [text for text in names(task) if text not in said]
        task = [*others, f"{parts.name}=detection"]
    tasks = find_tasks(recording.original, recording.labels, task)
    labels, unused = fit_labels(recording.original, recording.labels, tasks, recording.numbers)
    recording = replace(recording, labels=labels, warnings=(*recording.warnings, *unused))
    doubts = {name: doubt(name, t, recording.original, labels) for name, t in tasks.items()}
    files = tuple(
        _judge_file(f, recording, tasks, doubts, limits, metrics, worst) for f in recording.files
    )
    return Report(
        model=recording.model,
        model_bytes=recording.model_bytes,
        files=files,
        data=recording.data,
        calibrated_on=0,
        evaluated_on=len(recording.original),
        shippable=recording.shippable,
        onnx_vs_tflite=_onnx_vs_tflite(recording.files, tasks),
        warnings=(*recording.warnings, *_unsaid(doubts, files)),
        notes=(*slower_than_float(files), *larger_than_float(files)),
        environment=recording.environment,
        pictures=recording.pictures,
        fingerprint=_fingerprint(recording),
    )


def _with_detections(recording: Recording, parts: DetectionOutputs) -> Recording:
    return replace(
        recording,
        original=joined(recording.original, parts),
        files=tuple(replace(f, outputs=joined(f.outputs, parts)) for f in recording.files),
        labels=joined_labels(recording.labels, parts),
    )


def _judge_file(
    file: RecordedFile,
    recording: Recording,
    tasks: Mapping[str, Task],
    doubts: Mapping[str, str],
    limits: Limits,
    metrics: Sequence[str],
    worst: int,
) -> FileResult:
    compared = compare(
        recording.original,
        file.outputs,
        tasks,
        recording.labels,
        limits,
        metrics=metrics,
        is_float=file.compared_as_float32,
    )
    results = tuple(_beyond_limits(r, file, recording, doubts[r.output]) for r in compared)
    differences = tuple(
        find_differences(
            output,
            task=task,
            original=recording.original,
            candidate=file.outputs,
            labels=recording.labels,
            numbers=recording.numbers,
            class_names=recording.label_names,
            worst=worst,
        )
        for output, task in tasks.items()
    )
    return FileResult(
        name=file.name,
        bytes=file.bytes,
        results=results,
        format=file.format,
        precision=file.precision,
        latency_ms=file.latency_ms,
        latency_ratio=_latency_ratio(file, recording.files),
        seconds=file.seconds,
        device=file.device,
        error_sources=file.error_sources,
        layers=file.layers,
        differences=differences,
        faults=file.faults,
        warnings=file.warnings,
    )


def _beyond_limits(
    result: OutputResult, file: RecordedFile, recording: Recording, doubt: str
) -> OutputResult:
    """Apply what limits do not see. A float32 file's limit, of 60 dB, leaves no doubt."""
    if file.compared_as_float32:
        return with_doubt(result, doubt)
    labelled = labels_for_output(recording.labels, result.output) is not None
    return with_resemblance(
        with_doubt(result, doubt), recording.original, file.outputs, labelled=labelled
    )


def _unsaid(doubts: Mapping[str, str], files: Sequence[FileResult]) -> Iterator[str]:
    """The doubts that bear on no limit of any file, as where all files are float32."""
    reasons = [limit.reason for f in files for r in f.results for limit in r.limit_results]
    for output, why in doubts.items():
        if why and not any(why in reason for reason in reasons):
            yield f"output {output!r}: {why}"


def _onnx_vs_tflite(
    files: Sequence[RecordedFile], tasks: Mapping[str, Task]
) -> dict[str, tuple[OutputResult, ...]]:
    """Compare the ONNX file of each precision with the TFLite file of the same folder."""
    on_cpu = [f for f in files if not f.device]
    pairs = {
        (a.precision, Path(a.name).parent): (a, b)
        for a in on_cpu
        for b in on_cpu
        if (a.format, b.format) == ("tflite", "onnx")
        and (a.precision, Path(a.name).parent) == (b.precision, Path(b.name).parent)
    }
    if len({folder for _, folder in pairs}) > 1:
        return {}
    return {
        precision: compare(tflite.outputs, onnx.outputs, tasks, None, Limits())
        for (precision, _), (tflite, onnx) in pairs.items()
    }


def _latency_ratio(file: RecordedFile, files: Sequence[RecordedFile]) -> float | None:
    """Return the latency relative to the float32 file of the same format and device, where there is one."""
    for other in files:
        same = (other.format, other.device) == (file.format, file.device)
        if same and other.precision == "float32" and file.latency_ms and other.latency_ms:
            return file.latency_ms / other.latency_ms
    return None


def _fingerprint(recording: Recording) -> str:
    """Return what tells these samples from others: a hash of their numbers and their labels."""
    digest = hashlib.sha256(repr(recording.numbers).encode())
    for name, labels in sorted(labels_by_name(recording.labels).items()):
        digest.update(name.encode() + np.ascontiguousarray(labels).tobytes())
    return digest.hexdigest()[:16]
