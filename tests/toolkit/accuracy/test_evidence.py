"""What limits alone do not see: junk outputs, and samples that prove nothing, at the whole gate."""

from pathlib import Path

import numpy as np
import pytest
from support.recordings import judged, predicting

from edgekit.data.samples import Array
from edgekit.report.result import Report

RANDOM = np.random.default_rng(0)


def verdict(report: Report) -> tuple[str, str]:
    return report.verdict, report.files[0].results[0].reason


def mostly_0(count: int = 1000, part: float = 0.02, classes: int = 3) -> Array:
    """Classes, of which few are not 0."""
    return np.where(RANDOM.random(count) < part, RANDOM.integers(1, classes, count), 0)


def test_a_constant_answer_fails_where_most_samples_are_of_one_class(tmp_path: Path) -> None:
    classes = mostly_0()
    constant = predicting(np.zeros_like(classes), 3)
    found = verdict(
        judged(tmp_path / "a", predicting(classes, 3), {"int8": constant}, max_drop=0.05)
    )
    labelled = verdict(
        judged(tmp_path / "b", predicting(classes, 3), {"int8": constant}, classes, max_drop=0.05)
    )

    for outcome, reason in (found, labelled):
        assert outcome == "fail", reason
    assert "by chance alone" in labelled[1]


def test_a_rare_class_that_a_file_keeps_lets_it_pass(tmp_path: Path) -> None:
    classes = mostly_0()
    report = judged(tmp_path, predicting(classes, 3), {"int8": predicting(classes, 3)}, classes)

    assert report.verdict == "pass", str(report)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_an_original_at_chance_lets_no_file_pass(classes: int, tmp_path: Path) -> None:
    predicted = RANDOM.integers(0, classes, 1000)
    labels = RANDOM.integers(0, classes, 1000)
    labels[:4] = predicted[:4]
    outputs = predicting(predicted, classes)
    outcome, reason = verdict(judged(tmp_path, outputs, {"int8": outputs}, labels))

    assert outcome == "inconclusive", reason
    assert "the original itself is right in" in reason
    assert "do the labels belong to this model?" in reason


def test_a_limit_on_a_value_does_not_pass_at_chance_either(tmp_path: Path) -> None:
    outputs, labels = predicting(RANDOM.integers(0, 4, 1000), 4), RANDOM.integers(0, 4, 1000)
    report = judged(tmp_path, outputs, {"int8": outputs}, labels, min="top1=0.1")

    assert {limit.verdict for limit in report.files[0].results[0].limit_results} == {"inconclusive"}


def test_an_original_that_is_weak_but_not_at_chance_is_judged(tmp_path: Path) -> None:
    labels = RANDOM.integers(0, 10, 1000)
    outputs = predicting(np.where(RANDOM.random(1000) < 0.4, labels, (labels + 1) % 10), 10)

    assert judged(tmp_path, outputs, {"int8": outputs}, labels).verdict == "pass"


def test_predictions_that_agree_in_less_than_half_fail_although_accuracy_stays(
    tmp_path: Path,
) -> None:
    labels = RANDOM.integers(0, 10, 1000)
    right = RANDOM.random(1000) < 0.4
    before = np.where(right, labels, (labels + 1) % 10)
    after = np.where(np.roll(right, 500), labels, (labels + 2) % 10)
    outcome, reason = verdict(
        judged(
            tmp_path, predicting(before, 10), {"int8": predicting(after, 10)}, labels, max_drop=0.2
        )
    )

    assert outcome == "fail"
    assert reason.startswith("predictions agree with the original's in ")


def test_a_low_sqnr_is_not_passed_by_an_accuracy_that_stays(tmp_path: Path) -> None:
    labels = RANDOM.integers(0, 10, 1000)
    sure, unsure = predicting(labels, 10), 0.1 * predicting(labels, 10) + 0.09
    outcome, reason = verdict(judged(tmp_path / "a", sure, {"int8": unsure}, labels))

    assert outcome == "inconclusive"
    assert "quantization alone does not do that" in reason
    own = judged(tmp_path / "b", sure, {"int8": unsure}, labels, min={"sqnr": -3})
    assert own.verdict == "pass", "the user's limit takes the place of ours"


def test_a_regression_that_answers_the_mean_fails_whatever_its_sqnr(tmp_path: Path) -> None:
    prices = RANDOM.normal(300, 10, (500, 1))
    mean = np.full_like(prices, 300)
    outcome, reason = verdict(judged(tmp_path / "a", prices, {"int8": mean}))

    assert outcome == "fail"
    assert "the file hardly tells them apart" in reason
    near = prices + RANDOM.normal(0, 1, prices.shape)
    assert judged(tmp_path / "b", prices, {"int8": near}).verdict == "pass"


def test_a_regression_no_better_than_the_mean_lets_no_file_pass(tmp_path: Path) -> None:
    values = RANDOM.normal(0, 1, (500, 1))
    outcome, reason = verdict(
        judged(tmp_path, values, {"int8": values}, RANDOM.permutation(values))
    )

    assert outcome == "inconclusive"
    assert "the original itself has an R2 of -" in reason


@pytest.mark.parametrize("repeated", ["values", "classes"])
def test_one_sample_many_times_proves_nothing(repeated: str, tmp_path: Path) -> None:
    one = np.array([[0.7, 0.2, 0.1]]) if repeated == "classes" else np.array([[5.0, 2.0, 1.0]])
    outputs = np.repeat(one, 1000, axis=0)
    outcome, reason = verdict(judged(tmp_path, outputs, {"int8": outputs + 1e-3 * one}))

    assert outcome == "inconclusive"
    assert "for every sample" in reason


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_fail_even_at_chance(value: float, tmp_path: Path) -> None:
    labels = RANDOM.integers(0, 10, 300)
    outputs = predicting(labels, 10)
    broken = outputs.copy()
    broken[:2] = value

    for number, known in enumerate((labels, (labels + 1) % 10, None)):
        report = judged(tmp_path / str(number), outputs, {"int8": broken}, known, max_drop=1.0)
        assert report.verdict == "fail"


def test_an_original_that_is_not_finite_lets_no_file_pass(tmp_path: Path) -> None:
    labels = RANDOM.integers(0, 10, 300)
    outputs = np.full((300, 10), np.nan)

    for number, known in enumerate((labels, None)):
        report = judged(tmp_path / str(number), outputs, {"int8": outputs}, known)
        assert report.verdict == "fail"


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_few_samples_let_nothing_pass(count: int, tmp_path: Path) -> None:
    labels = np.arange(count) % 10
    outputs = predicting(labels, 10)

    for number, known in enumerate((labels, None)):
        report = judged(tmp_path / str(number), outputs, {"int8": outputs}, known)
        assert report.verdict != "pass", f"{count} samples, {'labels' if number == 0 else 'none'}"


@pytest.mark.parametrize(("moved", "expected"), [(0.0, "pass"), (0.3, "inconclusive")])
def test_a_detector_whose_boxes_are_not_the_labels_lets_no_file_pass(
    moved: float, expected: str, tmp_path: Path
) -> None:
    corners = RANDOM.uniform(0, 0.3, (200, 1, 2))
    boxes = np.concatenate([corners, corners + 0.2], axis=2)
    rows = np.concatenate([boxes, np.full((200, 1, 1), 0.9), np.zeros((200, 1, 1))], axis=2)
    truth = np.concatenate([boxes + moved, np.zeros((200, 1, 1))], axis=2)
    report = judged(tmp_path, rows, {"int8": rows}, truth, task="detection")

    assert verdict(report)[0] == expected
    assert ("do the labels belong to this model" in verdict(report)[1]) == (moved > 0)
