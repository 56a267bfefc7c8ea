"""The original against a file made from it, on the same samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log10
from pathlib import Path
from typing import Literal

import numpy as np

from edgekit.rows import Array
from edgekit.statistics import Verdict, drop_interval, judge
from edgekit.storage import Store, Stored
from edgekit_runtimes import Session

Task = Literal["classes", "binary", "values"]
"""What an output tells: one of several classes, yes or no, or plain numbers."""

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file may stray before it fails."""

    max_drop: float = 0.01
    """Accuracy lost on labelled samples, as a share: 0.01 is one point."""
    max_disagreement: float = 0.02
    """Samples with another answer than the original's, where there are no labels."""
    min_sqnr: float = 20.0
    """dB, for outputs that are plain numbers: 20 dB is an error of a tenth of the signal."""
    min_float_sqnr: float = 60.0
    """dB, for a float32 file: below it, the conversion itself went wrong."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far one output strays from the original's."""

    output: str
    task: Task
    samples: int
    sqnr_db: float
    """Signal to quantization noise: 10 log10(sum of original^2 / sum of error^2); inf if equal."""
    max_error: float
    agreement: float | None = None
    """The share of samples with the original's answer, where the task has answers."""
    accuracy: float | None = None
    original_accuracy: float | None = None
    drop_interval: tuple[float, float] | None = None
    """95%, of the accuracy lost; without labels, of the disagreement."""
    verdict: Verdict = "holds"
    reason: str = ""


@dataclass(slots=True)
class _Tally:
    """Running sums over batches."""

    task: Task
    samples: int = 0
    signal: float = 0.0
    noise: float = 0.0
    max_error: float = 0.0
    answers: int = 0
    agreed: int = 0
    right: int = 0
    right_before: int = 0
    lost: int = 0
    won: int = 0
    labelled: bool = field(default=False)

    def add(self, expected: Array, got: Array, labels: Array | None) -> None:
        expected, got = expected.astype(np.float64), got.astype(np.float64)
        error = got - expected
        self.samples += len(expected)
        self.signal += float(np.square(expected).sum())
        self.noise += float(np.square(error).sum())
        self.max_error = max(self.max_error, float(np.abs(error).max(initial=0)))
        if self.task == "values":
            return
        before, after = answers(expected, self.task), answers(got, self.task)
        self.answers += before.size
        self.agreed += int((before == after).sum())
        if labels is not None and (truth := class_labels(labels, before.shape)) is not None:
            was, is_ = before == truth, after == truth
            self.labelled = True
            self.right_before += int(was.sum())
            self.right += int(is_.sum())
            self.lost += int((was & ~is_).sum())
            self.won += int((is_ & ~was).sum())


def record(session: Session, samples: Stored, folder: Path) -> Stored:
    """Runs every sample and keeps the outputs on disk."""
    store = Store(folder)
    for batch in samples.batches(_BATCH):
        store.add(session.run(batch))
    return store.close()


def compare(
    original: Stored,
    candidate: Stored,
    tasks: Mapping[str, Task],
    labels: Array | None,
    limits: Limits,
    *,
    is_float: bool = False,
) -> tuple[Score, ...]:
    """Scores each output of a file against the original's, both from ``record``.

    Args:
        original: the original's outputs.
        candidate: the file's outputs on the same samples.
        tasks: what each output tells, from ``find_tasks``.
        labels: one for each sample, where there are any.
        limits: how far it may stray.
        is_float: a float32 file, which must match but for rounding.
    """
    tallies = {name: _Tally(task) for name, task in tasks.items()}
    both = zip(original.batches(_BATCH), candidate.batches(_BATCH), strict=True)
    for number, (expected, got) in enumerate(both):
        start = number * _BATCH
        part = None if labels is None else labels[start : start + _BATCH]
        for name, tally in tallies.items():
            tally.add(expected[name], got[name], part)
    return tuple(_score(name, tally, limits, is_float) for name, tally in tallies.items())


def find_tasks(original: Stored, labels: Array | None) -> dict[str, Task]:
    """What each output tells, by the original's answers and the labels."""
    first = next(original.batches(64))
    return {name: _find_task(array, labels) for name, array in first.items()}


def answers(outputs: Array, task: Task) -> Array:
    """The answer that each sample's output gives: a class number, or 0 and 1."""
    if task == "binary":
        return (outputs.reshape(len(outputs), -1) > 0.5).astype(np.int64)
    classes: Array = np.argmax(outputs, axis=-1)
    return classes


def class_labels(labels: Array, shape: tuple[int, ...]) -> Array | None:
    """The labels as class numbers of the answers' shape, one-hot ones too; None if they are not."""
    count = int(np.prod(shape))
    if labels.size == count:
        return labels.reshape(shape).astype(np.int64)
    if labels.ndim > 1 and labels.size // labels.shape[-1] == count:
        classes: Array = np.argmax(labels, axis=-1).reshape(shape)
        return classes
    return None


def _find_task(outputs: Array, labels: Array | None) -> Task:
    if outputs.dtype.kind not in "fiu" or not len(outputs):
        return "values"
    width = outputs.shape[-1] if outputs.ndim > 1 else 1
    if width > 1:
        sums = outputs.sum(axis=-1)
        if outputs.min() >= 0 and np.allclose(sums, 1, atol=1e-3):
            return "classes"
        fits = (
            labels is not None
            and labels.ndim <= outputs.ndim - 1
            and labels[: len(outputs)].size == outputs.size // width
            and np.array_equal(labels, np.rint(labels))
            and labels.min() >= 0
            and labels.max() < width
        )
        return "classes" if fits else "values"
    yes_or_no = labels is not None and labels.size and set(np.unique(labels)) <= {0, 1}
    return "binary" if yes_or_no and outputs.min() >= 0 and outputs.max() <= 1 else "values"


def _score(name: str, tally: _Tally, limits: Limits, is_float: bool) -> Score:
    sqnr = (
        inf
        if tally.noise == 0
        else (-inf if tally.signal == 0 else 10 * log10(tally.signal / tally.noise))
    )
    if not np.isfinite(tally.noise):
        sqnr = -inf
    has_answers = tally.task != "values"
    interval = None
    verdict: Verdict = "holds"
    reason = ""
    if has_answers and tally.labelled:
        interval = drop_interval(tally.lost, tally.won, tally.answers)
        verdict = judge(tally.lost, tally.won, tally.answers, limits.max_drop)
        drop = (tally.right_before - tally.right) / tally.answers
        reason = _words("accuracy lost", drop, interval, limits.max_drop, verdict)
    elif has_answers:
        disagreed = tally.answers - tally.agreed
        interval = drop_interval(disagreed, 0, tally.answers)
        verdict = judge(disagreed, 0, tally.answers, limits.max_disagreement)
        reason = _words(
            "answers changed", disagreed / tally.answers, interval, limits.max_disagreement, verdict
        )
    elif sqnr < limits.min_sqnr:
        verdict, reason = "fails", f"SQNR {sqnr:.1f} dB is under {limits.min_sqnr:g} dB"
    if is_float and sqnr >= limits.min_float_sqnr:
        verdict, reason = "holds", ""
    elif is_float:
        verdict = "fails"
        reason = (
            f"the conversion itself went wrong: {sqnr:.1f} dB from the original, where a float32 "
            f"file keeps {limits.min_float_sqnr:g} dB"
        )
    count = tally.answers or 1
    return Score(
        output=name,
        task=tally.task,
        samples=tally.samples,
        sqnr_db=sqnr,
        max_error=tally.max_error,
        agreement=tally.agreed / count if has_answers else None,
        accuracy=tally.right / count if tally.labelled else None,
        original_accuracy=tally.right_before / count if tally.labelled else None,
        drop_interval=interval,
        verdict=verdict,
        reason=reason,
    )


def _words(
    what: str, drop: float, interval: tuple[float, float], limit: float, verdict: Verdict
) -> str:
    if verdict == "holds":
        return ""
    low, high = interval
    text = f"{what}: {drop:.1%}, 95% interval {low:.1%} to {high:.1%}, limit {limit:.1%}"
    return text if verdict == "fails" else f"{text}; more samples would tell"
