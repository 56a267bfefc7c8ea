"""Labels held against the outputs that they are for: refused where wrong, left out with a reason where unused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.accuracy.tasks import Labels, Task, ground_truth
from edgekit.data.samples import LABEL_PREFIX, Array, DataError
from edgekit.data.store import StoredArrays
from edgekit.errors import nearest

_LOOKED_AT = 256  # samples of the outputs
_SCORES_OF_CLASSES = frozenset({"classes", "sequence"})
_PADDED = frozenset({"detection"})
_ONE_SCORE = frozenset({"binary", "binary_logits"})


@dataclass(frozen=True, slots=True)
class _Misfit:
    """Why labels are not used for an output."""

    kind: Literal["wrong", "unused"]
    why: str


def fit_labels(
    original: StoredArrays, labels: Labels, tasks: Mapping[str, Task], numbers: Sequence[int]
) -> tuple[Labels, tuple[str, ...]]:
    """Keep the labels that fit their outputs; say in a sentence each which others there are, and why not.

    Args:
        original: the original's outputs.
        labels: one for each sample; by output name where each output has labels.
        tasks: the outputs' tasks.
        numbers: the samples' numbers in the data, for messages.

    Raises:
        DataError: labels belong to other outputs than these: classes that the model does not have, NaN,
            fractions where classes are numbered.
    """
    if labels is None:
        return None, ()
    first = next(original.batches(_LOOKED_AT))
    if isinstance(labels, Mapping):
        return _by_output(labels, first, tasks, numbers)
    misfits = {name: _misfit(labels, first[name], task, numbers) for name, task in tasks.items()}
    fitting = {name: labels for name, misfit in misfits.items() if misfit is None}
    refused = {name: m for name, m in misfits.items() if m is not None and m.kind == "wrong"}
    if not fitting:
        for name, misfit in refused.items():
            raise DataError(f"labels of output {name!r}: {misfit.why}.")
        whys = [f"output {name!r}: {misfit.why}" for name, misfit in misfits.items() if misfit]
        return None, (f"the labels are not used: {'; '.join(whys)}",)
    if not refused:
        return labels, ()
    return fitting, tuple(
        f"the labels are not used for output {name!r}: {misfit.why}"
        for name, misfit in refused.items()
    )


def check_names(names: Sequence[str], original: StoredArrays, tasks: Mapping[str, Task]) -> None:
    """Refuse class names of which there are not as many as an output has classes.

    Raises:
        DataError: no output that predicts classes has so many.
    """
    classes = _class_counts(original, tasks)
    if names and classes and len(names) not in classes.values():
        there = ", ".join(f"{count} (output {name!r})" for name, count in classes.items())
        raise DataError(
            f"there are {len(names)} class names ({_few(names)}), and the number of classes is {there}. "
            "Give one name for each class, in the order of the model's outputs."
        )


def check_folders(
    folders: Sequence[str], original: StoredArrays, tasks: Mapping[str, Task]
) -> tuple[str, ...]:
    """Warn where there are fewer class folders than classes: their numbers are then a guess.

    Raises:
        DataError: there are more folders than classes.
    """
    classes = _class_counts(original, tasks)
    if not folders or not classes or len(folders) in classes.values():
        return ()
    most = max(classes.values())
    if len(folders) > most:
        raise DataError(
            f"there are {len(folders)} class folders ({_few(folders)}), and the model has {most} classes. "
            "Each folder is a class: leave out those that are none, or give the classes' names as labels."
        )
    return (
        f"there are {len(folders)} class folders ({_few(folders)}) for {most} classes: they are numbered "
        f"0 to {len(folders) - 1} in alphabetical order, which is right only where these are the first "
        "classes. Give all classes' names, in the order of the model's outputs, as labels",
    )


def _by_output(
    labels: Mapping[str, Array],
    first: Mapping[str, Array],
    tasks: Mapping[str, Task],
    numbers: Sequence[int],
) -> tuple[Labels, tuple[str, ...]]:
    fitting, warnings = dict[str, Array](), []
    for name, array in labels.items():
        if name not in tasks:
            warnings.append(
                f"the labels {LABEL_PREFIX + name!r} are not used: the model has no output {name!r}"
                f"{nearest(name, tasks)}. Its outputs are {', '.join(tasks)}"
            )
            continue
        misfit = _misfit(array, first[name], tasks[name], numbers)
        if misfit is None:
            fitting[name] = array
        elif misfit.kind == "wrong":
            raise DataError(f"labels of output {name!r}: {misfit.why}.")
        else:
            warnings.append(f"the labels of output {name!r} are not used: {misfit.why}")
    return fitting or None, tuple(warnings)


def _misfit(labels: Array, outputs: Array, task: Task, numbers: Sequence[int]) -> _Misfit | None:
    """Why the labels of all samples do not fit an output, of which some samples are given; None if they do."""
    if task in _PADDED:
        return None
    bad = ~np.isfinite(labels.reshape(len(labels), -1)).all(axis=1)
    if bad.any():
        at = int(np.argmax(bad))
        return _Misfit(
            "wrong", f"sample {numbers[at]} has NaN or an infinite value, as a blank cell gives"
        )
    each = labels.size // len(labels)
    if task in _SCORES_OF_CLASSES or task in _ONE_SCORE:
        width = outputs.shape[-1] if task in _SCORES_OF_CLASSES else 1
        return _misfit_of_classes(
            labels, each, outputs[0].size // width, max(width, 2), outputs, numbers
        )
    if ground_truth(labels[: len(outputs)], outputs, task) is not None:
        return _misfit_of_a_probability(labels, outputs) if task == "values" else None
    width = outputs.shape[-1] if outputs.ndim > 1 else 1
    near = labels.min() >= -1 and labels.max() <= width and _whole(labels).all()
    if task == "values" and width > 1 and each == outputs[0].size // width and near:
        return _outside(labels, width, numbers)  # classes of logits, counted from 1
    return _shapes(labels, outputs)


def _misfit_of_classes(
    labels: Array,
    each: int,
    predictions: int,
    classes: int,
    outputs: Array,
    numbers: Sequence[int],
) -> _Misfit | None:
    if each == predictions:
        void = (labels == 255) | (labels == -1) if predictions > 1 else np.zeros(labels.shape, bool)
        if not (void | _whole(labels)).all():
            number, value = _first(~(void | _whole(labels)), labels, numbers)
            return _Misfit("wrong", f"sample {number} has {value}, and classes are whole numbers")
        if not (void | ((labels >= 0) & (labels < classes))).all():
            return _outside(labels[~void], classes, numbers, where=labels, void=void)
        return None
    if labels.ndim > 1 and each == predictions * labels.shape[-1]:
        zeros_and_ones = bool(np.isin(labels, (0, 1)).all())
        if zeros_and_ones and (labels.sum(axis=-1) == 1).all():
            if labels.shape[-1] == classes:
                return None
            return _Misfit(
                "wrong",
                f"they are one-hot, of {labels.shape[-1]} classes, and the output has {classes}",
            )
        if labels.shape[-1] == classes:
            return _Misfit(
                "unused",
                "they are neither class numbers nor one-hot (soft labels, or several classes at once)",
            )
    return _shapes(labels, outputs)


def _misfit_of_a_probability(labels: Array, outputs: Array) -> _Misfit | None:
    """Two classes, for a single probability, that are not called 0 and 1."""
    values = np.unique(labels)
    probability = outputs.dtype.kind == "f" and outputs.min() >= 0 and outputs.max() <= 1
    if outputs[0].size == 1 and probability and len(values) == 2 and _whole(values).all():
        return _Misfit(
            "wrong", f"they are {values[0]:g} and {values[1]:g}, and a probability's are 0 and 1"
        )
    return None


def _outside(
    labels: Array,
    classes: int,
    numbers: Sequence[int],
    *,
    where: Array | None = None,
    void: Array | None = None,
) -> _Misfit:
    where = labels if where is None else where
    outside = (where < 0) | (where >= classes)
    number, value = _first(outside if void is None else outside & ~void, where, numbers)
    low, high = labels.min(), labels.max()
    from_1 = ": they seem to count from 1; subtract 1" if low == 1 and high == classes else ""
    return _Misfit(
        "wrong",
        f"they are {low:g} to {high:g} (sample {number} has {value}), and the classes are 0 to "
        f"{classes - 1}, in the order of the model's outputs{from_1}",
    )


def _shapes(labels: Array, outputs: Array) -> _Misfit:
    return _Misfit(
        "unused",
        f"they have the shape {labels.shape[1:]} a sample, and the output {outputs.shape[1:]}",
    )


def _first(flags: Array, labels: Array, numbers: Sequence[int]) -> tuple[int, str]:
    """The first sample with a flag, by its number in the data, and its label."""
    at = int(np.argmax(flags.reshape(-1)))
    return numbers[at // (labels.size // len(labels))], f"{labels.reshape(-1)[at]:g}"


def _whole(labels: Array) -> Array:
    whole: Array = labels == np.rint(labels)
    return whole


def _class_counts(original: StoredArrays, tasks: Mapping[str, Task]) -> dict[str, int]:
    """The number of classes of each output that predicts one of several."""
    return {
        name: original.shapes[name][-1] if task in _SCORES_OF_CLASSES else 2
        for name, task in tasks.items()
        if task in _SCORES_OF_CLASSES or task in _ONE_SCORE
    }


def _few(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:3]) + (", ..." if len(shown) > 3 else "")
