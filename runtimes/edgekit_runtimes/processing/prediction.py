"""``Prediction``: the outputs of one sample, and the answers in them by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.processing.facts import Facts
from edgekit_runtimes.processing.postprocessing import Postprocessing

_SURE = 0.5
"""From which probability on a label of several counts as there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One class that was found."""

    label: str
    """Its name; its number where it has none."""
    score: float
    number: int
    """Of the class."""
    box: tuple[float, ...] | None = None
    """Of a detection: two opposite corners, as the model gives them."""

    def __str__(self) -> str:
        return f"{self.label} {self.score:.3g}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one sample."""

    outputs: Mapping[str, Array]
    """By output name, without the batch axis; probabilities where the file has logits of classes."""
    answers: Mapping[str, tuple[Answer, ...]]
    """By output name, the classes with the highest scores first; of outputs that predict classes alone.

    Detections, which several outputs make up, are by the name of their boxes.
    """

    @property
    def best(self) -> Answer | None:
        """The first answer of the first output that has one."""
        return next((found[0] for found in self.answers.values() if found), None)

    def __str__(self) -> str:
        if not self.answers:
            return ", ".join(f"{name} {_short(array)}" for name, array in self.outputs.items())
        several = len(self.answers) > 1
        return "; ".join(
            f"{f'{name}: ' if several else ''}{', '.join(map(str, found)) or 'nothing'}"
            for name, found in self.answers.items()
        )


def predicted(outputs: Mapping[str, Array], facts: Facts, top: int | None = None) -> Prediction:
    """Make answers of the outputs of one sample.

    Args:
        outputs: by name, without the batch axis.
        facts: of the file.
        top: how many classes to give; by default, as the facts say.
    """
    values = dict(outputs)
    answers: dict[str, tuple[Answer, ...]] = {}
    known = {meaning.output: meaning for meaning in facts.postprocessing}
    for name, array in outputs.items():
        meaning = known.get(name)
        if meaning is None:
            continue
        values[name] = array = _probabilities(array, meaning.kind)
        found = _answers(array, meaning, facts.labels, top)
        if found is not None:
            answers[name] = found
    return Prediction(values, answers | _detections(outputs, facts))


def _probabilities(array: Array, kind: str) -> Array:
    if kind == "softmax":
        powers = np.exp(array - array.max(axis=-1, keepdims=True))
        probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
        return probabilities
    if kind == "sigmoid":
        half: Array = 0.5 * (1 + np.tanh(array / 2))  # no power of it is too large
        return half
    return array


def _answers(
    array: Array, meaning: Postprocessing, names: Sequence[str], top: int | None
) -> tuple[Answer, ...] | None:
    """The classes of an output; None where it predicts none, or one for each of many places."""
    flat = array.reshape(-1)
    task = meaning.task.removesuffix("_logits")
    if task == "classes" and array.ndim == 1:
        ranked = np.argsort(-flat, kind="stable")[: top or meaning.top_k]
        return tuple(_answer(int(at), float(flat[at]), names) for at in ranked)
    if task == "binary" and flat.size == 1:
        one = float(flat[0])
        return (_answer(1, one, names) if one >= _SURE else _answer(0, 1 - one, names),)
    if task == "multilabel":
        sure = [int(at) for at in np.argsort(-flat, kind="stable") if flat[at] >= _SURE]
        return tuple(_answer(at, float(flat[at]), names) for at in sure[:top])
    if task == "index" and flat.size == 1:
        return (_answer(flat[0], 1.0, names),)
    if task == "detection" and not meaning.part:
        return _rows(array[..., :4], array[..., 4], array[..., 5], names, top)
    return None


def _detections(outputs: Mapping[str, Array], facts: Facts) -> dict[str, tuple[Answer, ...]]:
    """The detections that several outputs make up."""
    parts = {meaning.part: meaning.output for meaning in facts.postprocessing if meaning.part}
    if not {"boxes", "scores", "classes"} <= parts.keys():
        return {}
    boxes, scores, classes = (outputs[parts[part]] for part in ("boxes", "scores", "classes"))
    count = int(outputs[parts["count"]].reshape(-1)[0]) if "count" in parts else None
    return {parts["boxes"]: _rows(boxes, scores, classes, facts.labels, None, count)}


def _rows(
    boxes: Array,
    scores: Array,
    classes: Array,
    names: Sequence[str],
    top: int | None,
    count: int | None = None,
) -> tuple[Answer, ...]:
    rows = zip(boxes.reshape(-1, 4), scores.reshape(-1), classes.reshape(-1), strict=True)
    found = [
        _answer(number, float(score), names, tuple(map(float, box)))
        for box, score, number in list(rows)[:count]
        if score > 0  # else it is padding
    ]
    return tuple(sorted(found, key=lambda answer: -answer.score)[:top])


def _answer(
    number: Any, score: float, names: Sequence[str], box: tuple[float, ...] | None = None
) -> Answer:
    at = round(float(number)) if isfinite(float(number)) else -1
    return Answer(names[at] if 0 <= at < len(names) else str(at), score, at, box)


def _short(array: Array) -> str:
    flat = array.reshape(-1)
    shown = ", ".join(f"{value:.4g}" for value in flat[:5])
    return f"{shown}{', ...' if flat.size > 5 else ''}"
