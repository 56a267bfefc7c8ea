"""An original and a file side by side: several outputs, and what is broken."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.outputs import (
    Array,
    classifier,
    compared,
    masks,
    regression,
)

from edgekit.accuracy.limits import Limits, read_limits
from edgekit.data.samples import DataError

# Several outputs.


def two_outputs() -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    before, after, labels = classifier(30, 2, 260, 8)
    random = np.random.default_rng(7)
    embedding = random.normal(size=(300, 20))
    near = embedding + random.normal(0, 0.01, embedding.shape)
    return {"digit": before, "emb": embedding}, {"digit": after, "emb": near}, {"digit": labels}


def test_each_output_has_its_labels_and_verdict(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    digit, emb = compared(before, after, labels, tmp_path)

    assert (digit.output, digit.task, digit.verdict) == ("digit", "classes", "fail")
    assert (emb.output, emb.task, emb.verdict) == ("emb", "values", "pass")
    assert digit.metrics[0].metric == "top1"
    assert emb.metrics[0].metric == "sqnr"


def test_labels_for_all_outputs_count_where_they_fit(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    digit, emb = compared(before, after, labels["digit"], tmp_path)

    assert digit.metrics[0].metric == "top1"
    assert (emb.task, emb.metrics[0].metric) == ("values", "sqnr")


def test_a_limit_may_be_of_one_output_alone(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    before["sign"], after["sign"] = before["digit"], after["digit"]
    labels["sign"] = labels["digit"]
    limits = read_limits(["f1@digit=50%", "top1@digit=50%"])
    digit, _, sign = compared(before, after, labels, tmp_path, limits)

    assert [r.limit.metric for r in digit.limit_results] == ["f1", "top1"]
    assert digit.verdict == "pass"
    assert [(r.limit.metric, r.limit.value) for r in sign.limit_results] == [("top1", 0.01)]
    assert sign.verdict == "fail"


@pytest.mark.parametrize("limit", ["top1@emb=1%", "f1@emb=1%", "rmse@digit=1"])
@pytest.mark.parametrize("metrics", [(), ("f1",)])
def test_a_limit_on_an_output_that_its_metric_does_not_fit_is_refused(
    limit: str, metrics: tuple[str, ...], tmp_path: Path
) -> None:
    """It is not enough that another output has that metric: the limit would be left out, silently."""
    before, after, labels = two_outputs()
    with pytest.raises(DataError, match=re.escape(limit.partition("@")[0])):
        compared(before, after, labels, tmp_path, read_limits(limit), metrics=metrics)


def test_a_limit_on_no_output_of_the_model_is_refused(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    with pytest.raises(DataError, match=r"no output 'digits' \(did you mean 'digit'"):
        compared(before, after, labels, tmp_path, read_limits("f1@digits=1%"))


@pytest.mark.parametrize(
    ("metric", "labelled", "words"),
    [
        ("f1", False, ["f1 needs labels", "`y`"]),
        ("rmse", True, ["rmse is for outputs that are values", "y (classes)"]),
        ("roc_auc", False, ["roc_auc needs labels"]),
    ],
)
@pytest.mark.parametrize("limited", [False, True])
def test_a_metric_that_fits_no_output_is_refused_with_the_reason(
    metric: str, labelled: bool, words: list[str], limited: bool, tmp_path: Path
) -> None:
    before, after, labels = classifier(1, 1, 50, 0)
    asked: dict[str, Any] = (
        {"limits": read_limits(f"{metric}=0.5")} if limited else {"metrics": (metric,)}
    )
    with pytest.raises(DataError) as caught:
        compared(before, after, labels if labelled else None, tmp_path, **asked)
    assert all(word in str(caught.value) for word in words), caught.value


def test_roc_auc_of_masks_is_refused_in_words(tmp_path: Path) -> None:
    before, after, labels = masks(10, 0.5, 8)
    with pytest.raises(DataError, match="roc_auc is for outputs with one prediction per sample"):
        compared(before, after, labels, tmp_path, metrics=("roc_auc",))


def test_labels_of_another_shape_are_refused_where_a_metric_needs_them(tmp_path: Path) -> None:
    before, after, labels = classifier(1, 1, 50, 0)
    with pytest.raises(DataError, match="labels' shape fits none of the outputs"):
        compared(before, after, np.stack([labels] * 3, axis=1), tmp_path, metrics=("f1",))


# What is broken, and what is the same.


@pytest.mark.parametrize("flaw", [np.nan, np.inf])
@pytest.mark.parametrize("fraction", [0.01, 1.0])
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("is_float", [True, False])
def test_outputs_that_are_not_finite_fail(
    flaw: float, fraction: float, labelled: bool, is_float: bool, tmp_path: Path
) -> None:
    before, _, labels = classifier(0, 0, 400, 0)
    after = before.copy()
    after[: int(400 * fraction)] = flaw
    (result,) = compared(
        before, after, labels if labelled else None, tmp_path, Limits(max_drop=1), is_float=is_float
    )

    assert result.verdict == "fail"
    assert "NaN or infinite" in result.reason


@pytest.mark.parametrize("columns", [1, 20])
def test_a_regression_with_nan_fails(columns: int, tmp_path: Path) -> None:
    before, after, labels = regression(60, 0.1, columns)
    after[7] = np.nan
    (result,) = compared(before, after, labels, tmp_path)

    assert result.verdict == "fail"
    assert "NaN or infinite" in result.reason


@pytest.mark.parametrize("kind", ["classes", "binary", "masks", "values", "logits"])
def test_a_file_with_the_originals_outputs_passes(kind: str, tmp_path: Path) -> None:
    if kind == "masks":
        before, _, labels = masks(40, 0.1, 10)
    elif kind == "values":
        before, _, labels = regression(40, 0.1)
    else:
        before, _, labels = classifier(0, 0, 390, 10, classes=2 if kind == "binary" else 4)
        before = {"binary": before[:, 1:], "logits": np.log(before)}.get(kind, before)
    for number, given in enumerate((labels, None)):
        (result,) = compared(before, before, given, tmp_path / str(number))
        assert result.verdict == "pass", result.reason
        assert (result.sqnr_db, result.max_error) == (math.inf, 0)
        assert all(m.drop in (None, 0) for m in result.metrics)


def test_errors_of_0_and_1_are_errors_and_not_correct_predictions(tmp_path: Path) -> None:
    """They look like wrong and correct predictions, but less of them is better."""
    random = np.random.default_rng(11)
    labels = random.integers(0, 9, (200, 1)) + 0.5
    before, after = labels + (random.random((2, 200, 1)) < [[[0.1]], [[0.4]]])
    limits = read_limits(["mae=0.1", "rmse=0.1", "99%"])
    (result,) = compared(before, after, labels, tmp_path, limits)

    for metric in ("mae", "rmse"):
        limit_result = next(r for r in result.limit_results if r.limit.metric == metric)
        assert limit_result.interval[0] < limit_result.observed < limit_result.interval[1], metric
        assert limit_result.observed == pytest.approx(0.3, abs=0.1)
        assert (limit_result.verdict, limit_result.p_value) == ("fail", None)


def test_the_last_batch_counts_like_the_others(tmp_path: Path) -> None:
    before, after, labels = classifier(0, 0, 65, 0)
    after[-1] = np.roll(before[-1], 1)
    (result,) = compared(before, after, labels, tmp_path)

    assert result.agreement == pytest.approx(64 / 65)
    assert result.samples == 65
