"""METRICS: what a model's outputs are worth, and how far they are from the original's.

A metric keeps a row of numbers for each sample and makes one value of all rows. So it needs one pass
over outputs that lie on disk, and the bootstrap draws rows, not outputs.
"""

import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, log10, nan, sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgekit.accuracy.tasks import Task
from edgekit.data.samples import Array, DataError
from edgekit.errors import nearest

Against = Literal["labels", "original"]
Given = Literal["answers", "numbers", "raw"]


_COLUMNS = 32  # of an output, up to which R2 looks at each by itself
OUTCOME = ("true class", "answer", "number of classes")
"""What a row holds of a sample with one answer, for metrics that count answers by class."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of merit."""

    rows: Callable[[Array, Array], Array]
    """What is kept of each sample, of shape (samples, columns); see ``given``."""

    value: Callable[[Array], float]
    """The figure, from all rows."""

    tasks: tuple[Task, ...]
    """The outputs that it fits."""

    against: Against = "labels"
    higher_is_better: bool = True
    share: bool = True
    """Whether it is a part of one, so that "1%" means a point."""

    sampled: bool = True
    """Whether another draw of samples tells how sure it is; a maximum's does not."""

    counts: bool = False
    """Whether it counts answers by class: its rows are ``OUTCOME``s where a sample has one answer."""

    given: Given = "answers"
    """What ``rows`` is called with: the truth, or the original's outputs, before the file's.

    ``answers``: true classes (samples, answers) and scores (samples, answers, classes), or scores and
    scores; of plain values, (samples, values) both. ``numbers``: outputs of any kind, flattened to
    (samples, values). ``raw``: labels and outputs as they are, for a function of the user's own.
    """


def find_metric(name: str) -> Metric:
    """A metric by its name, ``top3`` and the like, or the user's own ``module:function``.

    A function of the user's own takes labels and outputs, as the data and the model have them, all
    samples at once, and returns a number. More is better, unless it has an attribute
    ``lower_is_better`` that is true.

    Raises:
        DataError: there is no such metric.
    """
    if name in METRICS:
        return METRICS[name]
    if found := re.fullmatch(r"top([1-9]\d*)", name):
        return Metric(partial(_right, most=int(found[1])), _ratio, _CLASSES)
    if ":" in name:
        return _own(name)
    raise DataError(
        f"there is no metric {name!r}{nearest(name, METRICS)}. There are {', '.join(METRICS)}, top2, "
        "top3 and so on, and module:function for your own."
    )


def _right(truth: Array, scores: Array, most: int = 1) -> Array:
    """Answers whose true class is among the ``most`` highest, and all answers.

    Of equal scores the first class is the higher, as argmax has it: int8 outputs are often equal.
    """
    width = scores.shape[-1]
    known = (truth >= 0) & (truth < width)
    own = np.take_along_axis(scores, np.clip(truth, 0, width - 1)[..., np.newaxis], axis=-1)
    before = np.arange(width) < truth[..., np.newaxis]
    rank = ((scores > own) | ((scores == own) & before)).sum(axis=-1)
    right = known & (rank < most) & ~np.isnan(own[..., 0])
    # What masks call "any" (255, -1) does not count; in a classifier's labels it is no class at all.
    counted = known if truth.shape[1] > 1 else np.ones_like(known)
    return np.stack([right.sum(axis=1), counted.sum(axis=1)], axis=1)


def _outcomes(truth: Array, scores: Array) -> Array:
    """True positives, false positives and false negatives of each class.

    Of models with one answer a sample, truth, answer and the number of classes say the same in less.
    """
    width = scores.shape[-1]
    answers = scores.argmax(axis=-1)
    if truth.shape[1] == 1:
        return np.column_stack([truth, answers, np.full(len(truth), width)])
    kept = (truth >= 0) & (truth < width)
    every = np.arange(width)
    is_, said = truth[..., np.newaxis] == every, answers[..., np.newaxis] == every
    is_, said = is_ & kept[..., np.newaxis], said & kept[..., np.newaxis]
    parts = [is_ & said, ~is_ & said, is_ & ~said]
    return np.concatenate([part.sum(axis=1) for part in parts], axis=1)


def _counts(rows: Array) -> tuple[Array, Array, Array]:
    """True positives, false positives and false negatives by class, of all rows."""
    if rows.shape[1] != len(OUTCOME):
        hit, wrong, missed = rows.sum(axis=0).reshape(3, -1)
        return hit, wrong, missed
    truth, said, width = *rows[:, :2].astype(np.int64).T, int(rows[0, 2])
    known = truth[(truth >= 0) & (truth < width)]  # a label that is no class is nobody's miss
    hit = np.bincount(said[truth == said], minlength=width)
    return hit, np.bincount(said, minlength=width) - hit, np.bincount(known, minlength=width) - hit


def _precision(rows: Array) -> float:
    hit, wrong, missed = _counts(rows)
    return _over_classes(hit, hit + wrong, hit + wrong + missed)


def _recall(rows: Array) -> float:
    hit, wrong, missed = _counts(rows)
    return _over_classes(hit, hit + missed, hit + wrong + missed)


def _f1(rows: Array) -> float:
    hit, wrong, missed = _counts(rows)
    return _over_classes(2 * hit, 2 * hit + wrong + missed, hit + wrong + missed)


def _mean_iou(rows: Array) -> float:
    hit, wrong, missed = _counts(rows)
    union = hit + wrong + missed
    return float((hit[union > 0] / union[union > 0]).mean()) if union.any() else nan


def _over_classes(part: Array, whole: Array, seen: Array) -> float:
    """Part of whole, of class 1 where there are two, else the mean over the classes seen."""
    each = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    if len(each) == 2:
        return float(each[1])
    return float(each[seen > 0].mean()) if seen.any() else nan


def _truth_and_scores(truth: Array, scores: Array) -> Array:
    if truth.shape[1] > 1:
        raise DataError("roc_auc is for outputs with one answer a sample.")
    return np.column_stack([truth[:, 0], scores[:, 0]])


def _roc_auc(rows: Array) -> float:
    """Of several classes, the mean of each against the rest, over those that occur."""
    truth, columns = rows[:, 0], rows[:, 1:].T
    if len(columns) == 2:
        return _area(truth == 1, columns[1])
    areas = np.array([_area(truth == c, column) for c, column in enumerate(columns)])
    known = areas[~np.isnan(areas)]
    return float(known.mean()) if known.size else nan


def _area(positive: Array, scores: Array) -> float:
    """Mann and Whitney's U: the pairs of a positive and another in which the positive is higher.

    Equal scores count half.
    """
    levels, level = np.unique(scores, return_inverse=True)
    yes = np.bincount(level[positive], minlength=len(levels))
    no = np.bincount(level[~positive], minlength=len(levels))
    pairs = int(yes.sum()) * int(no.sum())
    return float((yes * (np.cumsum(no) - no / 2)).sum() / pairs) if pairs else nan


def _errors(truth: Array, values: Array, power: int) -> Array:
    error = np.abs(values - truth) ** power
    return np.stack([error.sum(axis=1), np.full(len(error), error.shape[1])], axis=1)


def _moments(truth: Array, values: Array) -> Array:
    parts = [truth, truth**2, (values - truth) ** 2]
    if truth.shape[1] > _COLUMNS:
        parts = [part.mean(axis=1, keepdims=True) for part in parts]
    return np.concatenate(parts, axis=1)


def _r2(rows: Array) -> float:
    """1 - squared error / variance: the mean over an output's values, of a picture of all together."""
    total, squares, errors = rows.mean(axis=0).reshape(3, -1)
    variance = squares - total**2
    known = variance > 1e-12 * np.maximum(squares, 1e-300)
    return float((1 - errors[known] / variance[known]).mean()) if known.any() else nan


def _same(original: Array, scores: Array) -> Array:
    agreed = original.argmax(axis=-1) == scores.argmax(axis=-1)
    return np.stack([agreed.sum(axis=1), np.full(len(agreed), agreed.shape[1])], axis=1)


def _cosine(original: Array, values: Array) -> Array:
    """Of each sample's vector; two vectors of zeros are the same."""
    norms = np.linalg.norm(original, axis=1) * np.linalg.norm(values, axis=1)
    inner = (original * values).sum(axis=1)
    same = (original == values).all(axis=1).astype(float)
    cosines: Array = np.divide(inner, norms, out=same, where=norms > 0)[:, np.newaxis]
    return cosines


def _signal_and_noise(original: Array, values: Array) -> Array:
    return np.stack([(original**2).sum(axis=1), ((values - original) ** 2).sum(axis=1)], axis=1)


def _sqnr(rows: Array) -> float:
    """10 log10(sum of original^2 / sum of error^2), in dB."""
    signal, noise = rows.sum(axis=0)
    if not np.isfinite(noise):
        return -inf
    return inf if noise == 0 else -inf if signal == 0 else 10 * log10(signal / noise)


def _divergence(original: Array, scores: Array) -> Array:
    """Kullback and Leibler's, of the original's probabilities from the file's, in nats."""
    p, q = (np.clip(_probabilities(x, original), 1e-7, 1) for x in (original, scores))
    apart: Array = (p * np.log(p / q)).sum(axis=-1).mean(axis=1, keepdims=True)
    return np.maximum(apart, 0)  # what float64 rounds below it


def _probabilities(scores: Array, original: Array) -> Array:
    """Softmax, unless the original has done it."""
    if original.min() >= 0 and np.allclose(original.sum(axis=-1), 1, atol=1e-3):
        return scores
    powers: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scaled: Array = powers / powers.sum(axis=-1, keepdims=True)
    return scaled


def _largest(original: Array, values: Array) -> Array:
    largest: Array = np.abs(values - original).max(axis=1, keepdims=True, initial=0)
    return largest


def _mean(rows: Array) -> float:
    return float(rows[:, 0].mean())


def _ratio(rows: Array) -> float:
    part, whole = (float(column.sum()) for column in rows.T)
    return part / whole if whole else nan


def _root(rows: Array) -> float:
    return sqrt(_ratio(rows)) if np.isfinite(rows).all() else nan


def _greatest(rows: Array) -> float:
    return float(rows.max(initial=0))


_ANY: tuple[Task, ...] = ("classes", "binary", "values")
_CLASSES: tuple[Task, ...] = ("classes", "binary")
_VALUES: tuple[Task, ...] = ("values",)

METRICS: dict[str, Metric] = {
    # Against labels. Of two classes, precision, recall and F1 are those of class 1; of more, the mean
    # over the classes that occur ("macro").
    "top1": Metric(_right, _ratio, _CLASSES),
    "top5": Metric(partial(_right, most=5), _ratio, _CLASSES),
    "precision": Metric(_outcomes, _precision, _CLASSES, counts=True),
    "recall": Metric(_outcomes, _recall, _CLASSES, counts=True),
    "f1": Metric(_outcomes, _f1, _CLASSES, counts=True),
    "roc_auc": Metric(_truth_and_scores, _roc_auc, _CLASSES),
    "mean_iou": Metric(_outcomes, _mean_iou, _CLASSES, counts=True),
    "mse": Metric(partial(_errors, power=2), _ratio, _VALUES, higher_is_better=False, share=False),
    "mae": Metric(partial(_errors, power=1), _ratio, _VALUES, higher_is_better=False, share=False),
    "rmse": Metric(partial(_errors, power=2), _root, _VALUES, higher_is_better=False, share=False),
    "r2": Metric(_moments, _r2, _VALUES),
    # Against the original's outputs.
    "agreement": Metric(_same, _ratio, _CLASSES, "original"),
    "cosine": Metric(_cosine, _mean, _ANY, "original", given="numbers"),
    "sqnr": Metric(_signal_and_noise, _sqnr, _ANY, "original", share=False, given="numbers"),
    "kl": Metric(_divergence, _mean, _CLASSES, "original", higher_is_better=False, share=False),
    "max_error": Metric(
        _largest,
        _greatest,
        _ANY,
        "original",
        higher_is_better=False,
        share=False,
        sampled=False,
        given="numbers",
    ),
}


def _own(name: str) -> Metric:
    module, _, function = name.rpartition(":")
    if str(Path.cwd()) not in sys.path:  # as `python -m` would find it
        sys.path.insert(0, str(Path.cwd()))
    try:
        measure: Callable[[Array, Array], Any] = getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever importing the user's own code raises
        raise DataError(
            f"metric {name}: {type(error).__name__}: {error}. The module is looked for in this folder and on PYTHONPATH."
        ) from error
    if not callable(measure):
        raise DataError(f"metric {name}: {function} is no function.")
    kept: list[tuple[Array, Array]] = []  # a row is the number of a sample in here

    def rows(labels: Array, outputs: Array) -> Array:
        start = sum(len(own) for own, _ in kept)
        kept.append((labels, outputs))
        return np.arange(start, start + len(labels))[:, np.newaxis]

    def value(drawn: Array) -> float:
        if len(kept) > 1:
            kept[:] = [tuple(map(np.concatenate, zip(*kept, strict=True)))]  # type: ignore[list-item]
        labels, outputs = (array[drawn[:, 0]] for array in kept[0])
        try:
            return float(measure(labels, outputs))
        except Exception as error:  # it is the user's own code
            raise DataError(f"metric {name}: {type(error).__name__}: {error}") from error

    lower = bool(getattr(measure, "lower_is_better", False))
    return Metric(rows, value, _ANY, higher_is_better=not lower, share=False, given="raw")
