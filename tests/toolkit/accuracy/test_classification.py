"""Metrics of classifiers and segmentations, compared with scikit-learn's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference
from support.outputs import Array, guesses, measure, worth

from edgekit.accuracy.metrics import METRICS

COUNT = 75  # of samples: more than two of the batches in which outputs are read


def outcomes(score: Any, **options: Any) -> Callable[[Array, Array], float]:
    return lambda labels, given: score(labels, given.argmax(-1), zero_division=0, **options)


MACRO: dict[str, Callable[[Array, Array], float]] = {
    "top1": lambda labels, given: reference.accuracy_score(labels, given.argmax(-1)),
    "top3": lambda labels, given: reference.top_k_accuracy_score(
        labels, given, k=3, labels=range(given.shape[-1])
    ),
    "top5": lambda labels, given: reference.top_k_accuracy_score(
        labels, given, k=5, labels=range(given.shape[-1])
    ),
    "precision": outcomes(reference.precision_score, average="macro"),
    "recall": outcomes(reference.recall_score, average="macro"),
    "f1": outcomes(reference.f1_score, average="macro"),
    "mean_iou": outcomes(reference.jaccard_score, average="macro"),
    "roc_auc": lambda labels, given: reference.roc_auc_score(labels, given, multi_class="ovr"),
}
BINARY: dict[str, Callable[[Array, Array], float]] = {
    "top1": lambda labels, yes: reference.accuracy_score(labels, yes > 0.5),
    "precision": lambda labels, yes: reference.precision_score(labels, yes > 0.5),
    "recall": lambda labels, yes: reference.recall_score(labels, yes > 0.5),
    "f1": lambda labels, yes: reference.f1_score(labels, yes > 0.5),
    "roc_auc": lambda labels, yes: reference.roc_auc_score(labels, yes),
    "mean_iou": lambda labels, yes: reference.jaccard_score(labels, yes > 0.5, average="macro"),
}


@pytest.mark.parametrize("metric", MACRO)
def test_of_several_classes_it_is_scikit_learns(metric: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    classes = 3 if metric == "roc_auc" else 7
    labels = random.integers(0, classes, COUNT)
    before, after = (guesses(classes, labels, random).astype(np.float32) for _ in "12")

    found = measure(metric, labels, before, after, tmp_path)

    assert found.value == pytest.approx(MACRO[metric](labels, after), abs=1e-6)
    assert found.original == pytest.approx(MACRO[metric](labels, before), abs=1e-6)
    assert found.drop == pytest.approx(found.original - found.value)


@pytest.mark.parametrize("metric", ["top1", "top3", "precision", "recall", "f1", "mean_iou"])
def test_classes_that_are_neither_true_nor_predicted_do_not_count(metric: str) -> None:
    random = np.random.default_rng(2)
    labels = random.choice([0, 2, 3], COUNT)  # of six; 4 and 5 are neither true nor predicted
    outputs = guesses(6, labels, random)
    outputs[:, 4:] = 0

    assert set(outputs.argmax(-1)) == {0, 1, 2, 3}
    assert worth(metric, labels, outputs) == pytest.approx(MACRO[metric](labels, outputs))


def test_roc_auc_is_over_the_classes_that_occur() -> None:
    """As F1 is: of a class without a sample, nothing is known, and of the others all is."""
    random = np.random.default_rng(2)
    labels = random.choice([0, 2, 3], COUNT)
    outputs = guesses(4, labels, random)
    each = [reference.roc_auc_score(labels == c, outputs[:, c]) for c in (0, 2, 3)]

    assert worth("roc_auc", labels, outputs) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("metric", BINARY)
@pytest.mark.parametrize("shape", [(COUNT, 1), (COUNT,)])
def test_of_two_classes_it_is_scikit_learns(metric: str, shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, COUNT)
    yes = np.clip(0.3 + 0.4 * labels + random.normal(0, 0.3, COUNT), 0, 1)

    assert worth(metric, labels, yes.reshape(shape)) == pytest.approx(BINARY[metric](labels, yes))


@pytest.mark.parametrize("metric", ["top1", "precision", "recall", "f1", "roc_auc", "mean_iou"])
def test_two_scores_are_a_binary_classifier_too(metric: str) -> None:
    """Class 1 is what precision, recall and F1 speak of."""
    random = np.random.default_rng(4)
    labels = random.integers(0, 2, COUNT)
    yes = np.clip(0.3 + 0.4 * labels + random.normal(0, 0.3, COUNT), 0, 1)
    outputs = np.stack([1 - yes, yes], axis=1)

    assert worth(metric, labels, outputs) == pytest.approx(BINARY[metric](labels, yes))


@pytest.mark.parametrize("metric", MACRO)
def test_one_hot_labels_say_the_same(metric: str) -> None:
    random = np.random.default_rng(5)
    labels = random.integers(0, 6, COUNT)
    outputs = guesses(6, labels, random)

    assert worth(metric, np.eye(6)[labels], outputs) == pytest.approx(
        MACRO[metric](labels, outputs)
    )


@pytest.mark.parametrize("any_", [255, -1])
@pytest.mark.parametrize("metric", ["mean_iou", "top1", "f1", "precision", "recall"])
def test_pixels_that_a_mask_calls_any_do_not_count(metric: str, any_: int) -> None:
    random = np.random.default_rng(9)
    masks = random.integers(0, 4, (COUNT, 5, 6))
    outputs = guesses(4, masks, random)
    masks[random.random(masks.shape) < 0.2] = any_

    kept = masks != any_
    assert worth(metric, masks, outputs) == pytest.approx(MACRO[metric](masks[kept], outputs[kept]))


@pytest.mark.parametrize("shape", [(COUNT, 5, 6), (COUNT, 5, 6, 1)])
def test_binary_masks_are_two_classes(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(10)
    masks = random.integers(0, 2, (COUNT, 5, 6))
    yes = np.clip(0.3 + 0.4 * masks + random.normal(0, 0.3, masks.shape), 0, 1)[..., np.newaxis]

    expected = reference.jaccard_score(masks.ravel(), yes.ravel() > 0.5, average="macro")
    assert worth("mean_iou", masks.reshape(shape), yes) == pytest.approx(expected)


@pytest.mark.parametrize("classes", [3, 10])
def test_of_equal_scores_the_first_class_wins_as_argmax_has_it(classes: int) -> None:
    """The outputs of int8 files are multiples of 1/256, and often equal."""
    random = np.random.default_rng(11)
    labels = random.integers(0, classes, COUNT)
    outputs = np.full((COUNT, classes), 1 / classes)
    some = guesses(classes, labels, random)
    for row in range(0, COUNT, 2):  # the two best are equal
        best, second = np.argsort(some[row])[::-1][:2]
        some[row, best] = some[row, second] = (some[row, best] + some[row, second]) / 2
    for tied in (outputs, some):
        ranked = np.argsort(-tied, axis=-1, kind="stable")
        assert (ranked[:, 0] == tied.argmax(-1)).all()
        for most in (1, 2):
            right = (ranked[:, :most] == labels[:, np.newaxis]).any(axis=1)
            assert worth(f"top{most}", labels, tied) == right.mean()


def test_more_places_than_classes_are_always_right() -> None:
    scores = np.random.default_rng(12).random((COUNT, 1, 3))
    top5 = METRICS["top5"]

    assert top5.value(top5.per_sample(np.ones((COUNT, 1), np.int64), scores)) == 1


@pytest.mark.parametrize("label", [-1, 5, 255])
@pytest.mark.parametrize("metric", ["top1", "top3", "precision", "recall", "f1"])
@pytest.mark.parametrize("classes", [2, 5])
def test_a_label_that_is_no_class_is_never_right(metric: str, label: int, classes: int) -> None:
    """Any prediction for such a sample is wrong; the mean is over the classes that the model has."""
    random = np.random.default_rng(13)
    labels = random.integers(0, classes, COUNT)
    outputs = guesses(classes, labels, random)
    labels[::10] = label

    if metric.startswith("top"):
        ranked = np.argsort(-outputs, axis=-1)[:, : int(metric[3:])]
        expected = (ranked == labels[:, np.newaxis]).any(axis=1).mean()
    else:
        score = getattr(reference, f"{metric}_score")
        known = {"average": None, "labels": range(classes), "zero_division": 0}
        each = score(labels, outputs.argmax(-1), **known)
        expected = each[1] if classes == 2 else each.mean()
    assert worth(metric, labels, outputs) == pytest.approx(expected)
