"""Recorded outputs, labels and limits to a report: written once, for every workflow."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from edgekit.accuracy.limits import Limits
from edgekit.accuracy.results import OutputResult, compare
from edgekit.accuracy.tasks import find_tasks
from edgekit.diagnosis.changed_samples import find_differences
from edgekit.report.file_result import FileResult, slower_than_float
from edgekit.report.result import Report
from edgekit.report.saved_outputs import RecordedFile, Recording, labels_by_name

_FAR_OFF = 10.0  # dB: an error of a third of the signal


def judge(
    recording: Recording, limits: Limits, *, metrics: Sequence[str] = (), worst: int = 10
) -> Report:
    """Holds every file's outputs against limits.

    Args:
        recording: what ran.
        limits: how far a file may stray.
        metrics: to measure besides the tasks' own.
        worst: how many samples to show.

    Raises:
        DataError: a metric or a limit fits none of the outputs.
    """
    tasks = find_tasks(recording.original, recording.labels)
    results = []
    for ran in recording.files:
        scores = compare(
            recording.original,
            ran.answers,
            tasks,
            recording.labels,
            limits,
            metrics=metrics,
            is_float=ran.compared_as_float32,
        )
        evidence = tuple(
            find_differences(
                name,
                task=task,
                original=recording.original,
                candidate=ran.answers,
                labels=recording.labels,
                numbers=recording.numbers,
                class_names=recording.label_names,
                worst=worst,
            )
            for name, task in tasks.items()
        )
        results.append(
            FileResult(
                name=ran.name,
                bytes=ran.bytes,
                results=scores,
                format=ran.format,
                precision=ran.precision,
                latency_ms=ran.latency_ms,
                latency_ratio=_ratio(ran, recording.files),
                device=ran.device,
                error_sources=ran.error_sources,
                layers=ran.layers,
                differences=evidence,
                faults=ran.faults,
                warnings=(*ran.warnings, *_broken(ran, scores)),
            )
        )
    return Report(
        model=recording.model,
        model_bytes=recording.model_bytes,
        files=tuple(results),
        data=recording.data,
        calibrated_on=0,
        evaluated_on=len(recording.original),
        shippable=recording.shippable,
        warnings=recording.warnings,
        notes=tuple(slower_than_float(results)),
        environment=recording.environment,
        pictures=recording.pictures,
        fingerprint=_fingerprint(recording),
    )


def _broken(ran: RecordedFile, scores: Sequence[OutputResult]) -> Iterator[str]:
    """Outputs that are far off although the answers agree: on other samples they might not."""
    for score in scores:
        if score.verdict != "fail" and score.task != "values" and score.sqnr_db < _FAR_OFF:
            yield (
                f"{ran.name}: output {score.output!r} strays {score.sqnr_db:.1f} dB, although the answers "
                "agree: that is more than quantization does. --per-layer says where it comes from"
            )


def _fingerprint(recording: Recording) -> str:
    """What tells these samples from others: their numbers, and their labels."""
    digest = hashlib.sha256(repr(recording.numbers).encode())
    for name, labels in sorted(labels_by_name(recording.labels).items()):
        digest.update(name.encode() + np.ascontiguousarray(labels).tobytes())
    return digest.hexdigest()[:16]


def _ratio(ran: RecordedFile, files: Sequence[RecordedFile]) -> float | None:
    """The file's latency against that of the float32 file of the same format, where both are there."""
    for other in files:
        whole = other.precision == "float32" and (other.format, other.device) == (
            ran.format,
            ran.device,
        )
        if whole and ran.latency_ms and other.latency_ms:
            return ran.latency_ms / other.latency_ms
    return None
