"""What limits alone do not see: samples that prove nothing, and files that answer something else.

A drop in accuracy says nothing where the original itself is right by chance only, and a metric may stand
still although the outputs have nothing to do with the original's. Such a file does not pass.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

import numpy as np

from edgekit.accuracy import detection, regression
from edgekit.accuracy.agreement import Agreement
from edgekit.accuracy.intervals import Verdict, worst
from edgekit.accuracy.limits import Limit
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.results import OutputResult
from edgekit.accuracy.tasks import Labels, Task, ground_truth, labels_for_output, predicted_classes
from edgekit.accuracy.verdicts import LimitResult
from edgekit.data.samples import Array
from edgekit.data.store import StoredArrays

_BATCH = 32
_SLIGHT = 0.1  # kappa: below it, the original's predictions hardly depend on the labels
_FEW = 0.1  # mAP at half in common: below it, boxes and labels have hardly anything in common
_HALF = 0.5  # of the predictions beyond chance, or of the variance, that a file shares with its original
_LOW = 10.0  # dB: an error of a third of the signal
_NO_PREDICTIONS = frozenset({"values", "detection"})
_NO_SIGNAL = frozenset({"index", "detection"})


def doubt(output: str, task: Task, original: StoredArrays, labels: Labels) -> str:
    """Say why the original's outputs and the labels prove nothing together; empty where they do.

    Args:
        output: its name.
        task: what it predicts.
        original: the original's outputs.
        labels: those that fit.
    """
    output_labels = labels_for_output(labels, output)
    if output_labels is None:
        return ""
    if task == "values":
        return _doubt_of_values(output, original, output_labels)
    if task == "detection":
        return _doubt_of_boxes(output, original, output_labels)
    agreement = Agreement()
    for start, batch in _numbered(original):
        outputs = batch[output]
        truth = ground_truth(output_labels[start : start + len(outputs)], outputs, task)
        if truth is None:
            return ""
        true = truth.reshape(len(outputs), -1)
        void = (true < 0) | ((true == 255) & (true.shape[1] > 1))
        agreement.add(true, predicted_classes(outputs, task), ~void)
    if agreement.kappa >= _SLIGHT and agreement.kappa > agreement.margin:
        return ""
    right = f"the original itself is right in {agreement.fraction:.1%}"
    if len(agreement.first) == 1:
        (label,) = agreement.first
        return (
            f"{right}, but all labels are {label}: so would be a model that always answers {label}. Use "
            "samples of several classes"
        )
    return (
        f"{right}, and in {agreement.by_chance:.1%} by chance: do the labels belong to this model?"
    )


def _doubt_of_values(output: str, original: StoredArrays, labels: Array) -> str:
    parts = []
    for start, batch in _numbered(original):
        outputs = batch[output]
        truth = ground_truth(labels[start : start + len(outputs)], outputs, "values")
        if truth is None:
            return ""
        values = outputs.reshape(len(outputs), -1).astype(np.float64)
        parts.append(regression.moments(truth, values))
    r2 = float(regression.r2(np.concatenate(parts).mean(axis=0, keepdims=True))[0])
    if not r2 <= 0:  # nor where all labels are equal, which is none
        return ""
    return (
        f"the original itself has an R2 of {r2:.2g}, no better than always answering the labels' mean: do "
        "the labels belong to this model?"
    )


def _doubt_of_boxes(output: str, original: StoredArrays, labels: Array) -> str:
    parts = []
    for start, batch in _numbered(original):
        outputs = batch[output].astype(np.float64)
        truth = ground_truth(labels[start : start + len(outputs)], outputs, "detection")
        if truth is None:
            return ""
        parts.append(detection.matches(truth, outputs))
    value = find_metric("map50").value(np.concatenate(parts))
    if not value < _FEW:  # nor where there are no true boxes
        return ""
    return (
        f"the original itself has a mAP of {value:.1%} at an IoU of 0.5: do the labels belong to this model, "
        "and are their corners in the order and the unit of its boxes?"
    )


def with_doubt(result: OutputResult, doubt: str) -> OutputResult:
    """Let no limit on a metric against the labels pass, where the labels prove nothing."""
    if not doubt:
        return result

    def doubted(limit: LimitResult) -> LimitResult:
        if find_metric(limit.limit.metric or "").against != "labels":
            return limit
        verdict = worst([limit.verdict, "inconclusive"])
        reason = "; ".join(filter(None, (limit.reason, doubt)))
        return replace(limit, verdict=verdict, reason=reason)

    return replace(result, limit_results=tuple(map(doubted, result.limit_results)))


def with_resemblance(
    result: OutputResult, original: StoredArrays, candidate: StoredArrays, *, labelled: bool
) -> OutputResult:
    """Let no file pass whose outputs do not resemble the original's, whatever its metrics do.

    A limit of the user's on SQNR or on the agreement, which names how little is enough, takes the place
    of that check.

    Args:
        result: the file's, by its limits.
        original: the original's outputs.
        candidate: the file's.
        labelled: whether there are labels that fit.
    """
    if result.verdict == "fail":
        return result
    limited = {limit.limit.metric for limit in result.limit_results}
    further = list[LimitResult]()
    if result.task not in _NO_PREDICTIONS and not _is_chosen(result, "agreement"):
        further += _predictions(result, original, candidate, labelled=labelled)
    if result.task == "values" and not _is_chosen(result, "sqnr"):
        further += _variance(result, original, candidate)
    if result.task not in _NO_SIGNAL and "sqnr" not in limited and result.sqnr_db < _LOW:
        further.append(
            _result(
                "sqnr",
                _LOW,
                result.sqnr_db,
                "inconclusive",
                f"the SQNR against the original is {result.sqnr_db:.1f} dB, although the metric hardly "
                "moves: quantization alone does not do that. A comparison layer by layer shows where it "
                "comes from",
            )
        )
    return replace(result, limit_results=(*result.limit_results, *further))


def _predictions(
    result: OutputResult, original: StoredArrays, candidate: StoredArrays, *, labelled: bool
) -> Iterator[LimitResult]:
    agreement = Agreement()
    for before, after in zip(original.batches(_BATCH), candidate.batches(_BATCH), strict=True):
        agreement.add(
            *(predicted_classes(batch[result.output], result.task) for batch in (before, after))
        )
    fraction, kappa = agreement.fraction, agreement.kappa
    if len(agreement.first) == 1:
        if not labelled:
            (predicted,) = agreement.first
            yield _result(
                "agreement",
                _HALF,
                fraction,
                "inconclusive",
                f"the original answers {predicted} for every sample: that predictions stay the same says "
                "nothing of other classes. Use samples of several classes",
            )
    elif kappa < _HALF:
        chance = "" if fraction < _HALF else f", and in {agreement.by_chance:.1%} by chance alone"
        yield _result(
            "agreement",
            _HALF,
            fraction,
            "fail" if kappa + agreement.margin < _HALF else "inconclusive",
            f"predictions agree with the original's in {fraction:.1%}{chance}, although the metric hardly "
            "moves",
        )


def _variance(
    result: OutputResult, original: StoredArrays, candidate: StoredArrays
) -> Iterator[LimitResult]:
    """A file that answers much the same for every sample, near the mean of what the original answers."""
    count, squares, noise = len(original), 0.0, 0.0
    total: float | Array = 0.0
    for before, after in zip(original.batches(_BATCH), candidate.batches(_BATCH), strict=True):
        expected, actual = (b[result.output].astype(np.float64) for b in (before, after))
        total = total + expected.sum(axis=0)
        squares += float((expected**2).sum())
        noise += float(((actual - expected) ** 2).sum())
    if count < 2 or not isfinite(noise):
        return
    variance = squares - float((np.square(total) / count).sum())
    if variance <= 1e-12 * squares:
        yield _result(
            "sqnr",
            _LOW,
            result.sqnr_db,
            "inconclusive",
            "the original answers the same for every sample, so that nothing is compared. Use samples that "
            "differ",
        )
    elif noise > (1 - _HALF) * variance:
        yield _result(
            "sqnr",
            _LOW,
            result.sqnr_db,
            "fail",
            f"the error is {noise / variance:.0%} of the variance of the original's outputs over the "
            "samples: the file hardly tells them apart",
        )


def _is_chosen(result: OutputResult, metric: str) -> bool:
    """Whether the user set a limit on a metric; the default one is that of the task's main metric."""
    return metric != result.metrics[0].metric and any(
        limit.limit.metric == metric for limit in result.limit_results
    )


def _result(
    metric: str, bound: float, observed: float, verdict: Verdict, reason: str
) -> LimitResult:
    return LimitResult(Limit("min", bound, metric), observed, (observed, observed), verdict, reason)


def _numbered(arrays: StoredArrays) -> Iterator[tuple[int, dict[str, Array]]]:
    for number, batch in enumerate(arrays.batches(_BATCH)):
        yield number * _BATCH, batch
