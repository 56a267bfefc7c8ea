"""Several labels at once: probabilities or logits with labels of 0 and 1, against scikit-learn's metrics."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics as reference
from support.outputs import compared
from support.simulated import labels as several

from edgekit.accuracy.formatting import label
from edgekit.data.samples import DataError

COUNT, RATES = 150, [0.5, 0.3, 0.15, 0.1]
METRICS = "precision,recall,mean_iou,exact"


def outputs(logits: bool) -> tuple[Any, Any, Any]:
    truth, before, after = several(RATES)(np.random.default_rng(1), COUNT)
    if logits:
        before, after = (np.log(x / (1 - x)) for x in (before, after))
    return truth, before.astype(np.float32), after.astype(np.float32)


@pytest.mark.parametrize("logits", [False, True])
def test_metrics_are_scikit_learns(logits: bool, tmp_path: Path) -> None:
    truth, before, after = outputs(logits)
    (result,) = compared(before, after, truth, tmp_path, metrics=METRICS)

    assert result.task == ("multilabel_logits" if logits else "multilabel")
    assert [m.metric for m in result.metrics[:3]] == ["f1", "roc_auc", "average_precision"]
    said = after > (0 if logits else 0.5)
    macro: dict[str, Any] = {"average": "macro", "zero_division": 0}
    expected = {
        "f1": reference.f1_score(truth, said, **macro),
        "precision": reference.precision_score(truth, said, **macro),
        "recall": reference.recall_score(truth, said, **macro),
        "mean_iou": reference.jaccard_score(truth, said, **macro),
        "roc_auc": reference.roc_auc_score(truth, after, average="macro"),
        "average_precision": reference.average_precision_score(truth, after, average="macro"),
        "exact": reference.accuracy_score(truth, said),
    }
    for metric, value in expected.items():
        found = result.metric(metric)
        assert found is not None, metric
        assert found.value == pytest.approx(value, abs=1e-9), metric
        assert found.interval is None or found.interval[0] <= (found.drop or 0) <= found.interval[1]
    same = (before > (0 if logits else 0.5)) == said
    assert result.agreement == pytest.approx(same.mean())


def test_each_label_has_its_own_values(tmp_path: Path) -> None:
    truth, before, after = outputs(False)
    (result,) = compared(before, after, truth, tmp_path)

    f1 = [c for c in result.classes if c.metric == "f1"]
    assert [c.number for c in f1] == [0, 1, 2, 3]
    assert [c.value for c in f1] == pytest.approx(
        reference.f1_score(truth, after > 0.5, average=None)
    )
    assert [c.original for c in f1] == pytest.approx(
        reference.f1_score(truth, before > 0.5, average=None)
    )
    areas = [c.value for c in result.classes if c.metric == "average_precision"]
    assert areas == pytest.approx(reference.average_precision_score(truth, after, average=None))


def test_two_labels_are_not_two_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    truth = random.integers(0, 2, (COUNT, 2))
    before = expit(2 * truth - 1 + random.normal(0, 1, truth.shape))
    (result,) = compared(before, before, truth, tmp_path)

    assert result.task == "multilabel"
    assert result.metrics[0].value == pytest.approx(
        reference.f1_score(truth, before > 0.5, average="macro")
    )


def test_labels_of_which_each_sample_has_one_are_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    truth = np.eye(4)[random.integers(0, 4, COUNT)]
    before = expit(3 * truth - 2 + random.normal(0, 1, truth.shape))
    (result,) = compared(before, before, truth, tmp_path / "guess")
    (told,) = compared(before, before, truth, tmp_path / "given", task="multilabel")

    assert (result.task, result.metrics[0].metric) == ("classes", "top1")
    assert (told.task, told.metrics[0].metric) == ("multilabel", "f1")


def test_a_regression_on_zeros_and_ones_stays_one(tmp_path: Path) -> None:
    """Its outputs come near the labels, as those of logits do not."""
    random = np.random.default_rng(4)
    truth = random.integers(0, 2, (COUNT, 3)).astype(np.float32)
    before = truth + random.normal(0, 0.2, truth.shape)
    (result,) = compared(before, before, truth, tmp_path)

    assert (result.task, result.metrics[0].metric) == ("values", "r2")


@pytest.mark.parametrize("shape", [(COUNT,), (COUNT, 1)])
def test_a_binary_classifier_may_give_logits(shape: tuple[int, ...], tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, COUNT)
    logits = 3 * (2 * truth - 1) + random.normal(0, 3, COUNT)
    (result,) = compared(logits.reshape(shape), logits.reshape(shape), truth, tmp_path)

    assert result.task == "binary_logits"
    assert [m.metric for m in result.metrics] == ["top1", "roc_auc", "f1"]
    assert [m.value for m in result.metrics] == pytest.approx(
        [
            reference.accuracy_score(truth, logits > 0),
            reference.roc_auc_score(truth, logits),
            reference.f1_score(truth, logits > 0),
        ]
    )


def test_probabilities_of_almost_nothing_keep_their_order(tmp_path: Path) -> None:
    """As a difference from a half they would all be equal."""
    truth = np.repeat([[0, 1], [1, 0]], 20, axis=0)
    before = np.where(truth == 1, 1e-18, 1e-20)
    (result,) = compared(before, before, truth, tmp_path, task="multilabel")

    area = result.metric("roc_auc")
    assert area is not None and area.value == 1


def test_a_file_that_loses_a_rare_label_fails(tmp_path: Path) -> None:
    truth, before, _ = several([0.5, 0.3, 0.1])(np.random.default_rng(6), 600)
    after = before.copy()
    after[:, 2] = 0.01
    (result,) = compared(before, after, truth, tmp_path)

    assert result.verdict == "fail", result.limit_results
    assert result.reason.startswith(f"{label('f1')} ")


def test_a_task_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    truth, before, after = outputs(False)
    for number, (task, words) in enumerate(
        [("binary", "one score a prediction"), ("index", "whole numbers"), ("multilable", "multilabel"),
         ("z=classes", "no output 'z'"), ("detection", "boxes")]
    ):  # fmt: skip
        with pytest.raises(DataError, match=words):
            compared(before, after, truth, tmp_path / str(number), task=task)
