"""Each task has its main metric, and all three verdicts."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from support.outputs import (
    classifier,
    compared,
    masks,
    regression,
)

from edgekit.accuracy.intervals import Verdict, drop_interval
from edgekit.accuracy.limits import read_limits
from edgekit.data.samples import DataError


@pytest.mark.parametrize(
    ("lost", "won", "count", "limit", "verdict"),
    [(5, 2, 1000, "1%", "pass"), (20, 5, 1000, "1%", "inconclusive"), (40, 5, 1000, "1%", "fail"),
     (20, 5, 1000, "3%", "pass"), (0, 0, 100, "1%", "inconclusive"), (0, 9, 100, "1%", "pass")],
)  # fmt: skip
def test_a_classifier_is_evaluated_by_the_correct_samples_that_it_loses(
    lost: int, won: int, count: int, limit: str, verdict: Verdict, tmp_path: Path
) -> None:
    before, after, labels = classifier(lost, won, count - lost - won - 10, 10)
    (result,) = compared(before, after, labels, tmp_path, read_limits(limit))

    (limit_result,) = result.limit_results
    assert (result.verdict, limit_result.verdict, limit_result.limit.metric) == (
        verdict,
        verdict,
        "top1",
    )
    assert limit_result.observed == pytest.approx((lost - won) / count)
    assert limit_result.interval == drop_interval(lost, won, count)
    assert result.metrics[0].metric == "top1"
    assert result.metrics[0].interval == limit_result.interval
    assert result.accuracy == pytest.approx((count - 10 - lost) / count)
    assert result.original_accuracy == pytest.approx((count - 10 - won) / count)
    assert result.agreement == pytest.approx(1 - (lost + won) / count)
    assert (result.task, result.samples) == ("classes", count)
    expected = binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert limit_result.p_value == pytest.approx(expected)
    assert bool(limit_result.needed) == (verdict == "inconclusive")
    assert bool(result.reason) == (verdict != "pass")


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.0, "inconclusive"), (0.3, "fail")]
)  # fmt: skip
def test_a_binary_classifier_is_evaluated_alike(
    shift: float, verdict: Verdict, tmp_path: Path
) -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, 200)
    before = np.clip(0.2 + 0.6 * labels + random.normal(0, 0.15, 200), 0, 1)[:, np.newaxis]
    after = np.clip(before - shift, 0, 1)
    (result,) = compared(before, after, labels, tmp_path)

    assert (result.task, result.verdict) == ("binary", verdict)
    assert [m.metric for m in result.metrics[:3]] == ["top1", "roc_auc", "f1"]


@pytest.mark.parametrize(
    ("count", "noise", "verdict"), [(60, 0.05, "pass"), (60, 0.4, "inconclusive"), (60, 4, "fail")]
)
def test_masks_are_evaluated_by_mean_iou(
    count: int, noise: float, verdict: Verdict, tmp_path: Path
) -> None:
    before, after, labels = masks(count, noise, 3)
    (result,) = compared(before, after, labels, tmp_path)

    assert [m.metric for m in result.metrics[:2]] == ["mean_iou", "top1"]
    (limit_result,) = result.limit_results
    assert (limit_result.limit.metric, limit_result.verdict) == ("mean_iou", verdict), limit_result
    assert limit_result.interval[0] <= limit_result.observed <= limit_result.interval[1]


@pytest.mark.parametrize(("noise", "verdict"), [(0.1, "pass"), (0.9, "inconclusive"), (8, "fail")])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_regression_is_evaluated_by_r2(
    noise: float, verdict: Verdict, columns: int, tmp_path: Path
) -> None:
    before, after, labels = regression(120, noise, columns)
    (result,) = compared(before, after, labels, tmp_path)

    assert [m.metric for m in result.metrics] == ["r2", "rmse", "mae"]
    assert result.agreement is None
    (limit_result,) = result.limit_results
    assert (limit_result.limit.metric, limit_result.verdict) == ("r2", verdict), limit_result


@pytest.mark.parametrize(("noise", "verdict"), [(0.02, "pass"), (0.5, "fail")])
def test_an_embedding_without_labels_is_evaluated_by_its_sqnr(
    noise: float, verdict: Verdict, tmp_path: Path
) -> None:
    random = np.random.default_rng(4)
    before = random.normal(size=(50, 32))
    after = before + random.normal(0, noise, before.shape)
    (result,) = compared(before, after, None, tmp_path)

    assert result.verdict == verdict
    assert [m.metric for m in result.metrics] == ["sqnr", "cosine"]
    assert result.sqnr_db == pytest.approx(-20 * math.log10(noise), abs=0.5)
    if verdict == "fail":
        assert re.fullmatch(
            r"SQNR \d\.\d dB \(95% CI \d\.\d dB to \d\.\d dB\), limit at least 20 dB",
            result.reason,
        )


def test_sqnr_near_its_limit_on_few_samples_is_inconclusive(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    before = random.normal(size=(6, 3))
    after = before + random.normal(0, 0.095, before.shape)
    (result,) = compared(before, after, None, tmp_path)

    assert result.verdict == "inconclusive"
    assert [m.metric for m in result.metrics] == ["sqnr"], "three values are no embedding"


@pytest.mark.parametrize(
    ("changed", "count", "verdict"), [(0, 300, "pass"), (5, 300, "inconclusive"), (30, 300, "fail")]
)
def test_without_labels_changed_predictions_count(
    changed: int, count: int, verdict: Verdict, tmp_path: Path
) -> None:
    before, after, _ = classifier(changed, 0, count - changed, 0)
    (result,) = compared(before, after, None, tmp_path)

    assert (result.verdict, result.metrics[0].metric) == (verdict, "agreement")
    assert result.agreement == pytest.approx(1 - changed / count)
    if verdict == "fail":
        assert result.reason.startswith("predictions changed: 10.0% (95% CI ")
        assert result.reason.endswith("), limit 2%")


def test_the_fraction_of_changed_predictions_is_never_negative(tmp_path: Path) -> None:
    before, after, _ = classifier(0, 0, 60, 0)
    (result,) = compared(before, after, None, tmp_path)

    (limit_result,) = result.limit_results
    assert limit_result.verdict == "inconclusive"
    assert 0 <= limit_result.interval[0] <= limit_result.interval[1] <= 1
    assert "-" not in result.reason.partition("95% CI")[2].partition(")")[0]


def test_of_many_classes_top5_is_reported_too(tmp_path: Path) -> None:
    before, after, labels = classifier(2, 2, 100, 0, classes=25)
    (result,) = compared(before, after, labels, tmp_path)

    assert [m.metric for m in result.metrics] == ["top1", "top5"]


@pytest.mark.parametrize("shape", ["(n,)", "(n, 1)", "one-hot"])
def test_logits_are_a_classifier_where_the_labels_say_so(shape: str, tmp_path: Path) -> None:
    """Keras' own data sets have labels of shape (n, 1)."""
    before, after, labels = classifier(2, 1, 60, 3)
    shaped = {"(n,)": labels, "(n, 1)": labels[:, np.newaxis], "one-hot": np.eye(4)[labels]}[shape]
    (result,) = compared(np.log(before), np.log(after), shaped, tmp_path)

    assert (result.task, result.metrics[0].metric) == ("classes", "top1")
    assert result.accuracy == pytest.approx(61 / 66)


@pytest.mark.parametrize("any_", [255, -1])
@pytest.mark.parametrize("kind", ["softmax", "logits", "sigmoid"])
def test_void_pixels_of_masks_do_not_count(kind: str, any_: int, tmp_path: Path) -> None:
    before, after, labels = masks(10, 1.0, 6)
    if kind == "logits":
        before, after = np.log(before), np.log(after)
    elif kind == "sigmoid":
        before, after, labels = before[..., :1], after[..., :1], (labels == 0).astype(np.int64)
    labels[:, 0] = any_
    (result,) = compared(before, after, labels, tmp_path)

    assert result.task == ("binary" if kind == "sigmoid" else "classes")
    assert result.metrics[0].metric == "mean_iou"
    cut_before, cut_after = before[:, 1:], after[:, 1:]
    (without,) = compared(cut_before, cut_after, labels[:, 1:], tmp_path / "cut")
    assert result.metrics[0].value == pytest.approx(without.metrics[0].value)


def test_labels_that_are_texts_are_refused_in_words(tmp_path: Path) -> None:
    before, after, labels = classifier(1, 1, 20, 0)
    with pytest.raises(DataError, match="numbers"):
        compared(before, after, labels.astype(str), tmp_path)
