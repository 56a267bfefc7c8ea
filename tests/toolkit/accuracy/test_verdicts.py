"""Limits that are kept or not, and the sentence for it."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from support.outputs import (
    classifier,
    compared,
    regression,
)

from edgekit.accuracy.intervals import Verdict, drop_interval, fraction_interval
from edgekit.accuracy.limits import read_limits
from edgekit.data.samples import DataError

# Limits.


def test_a_limit_on_another_metric_stands_beside_the_main_ones(tmp_path: Path) -> None:
    before, after, labels = classifier(10, 8, 300, 5)
    (result,) = compared(before, after, labels, tmp_path, read_limits(["2%", "f1=3%"]))

    assert [(r.limit.metric, r.limit.value) for r in result.limit_results] == [
        ("top1", 0.02),
        ("f1", 0.03),
    ]


def test_a_limit_on_the_main_metric_replaces_the_default(tmp_path: Path) -> None:
    before, after, labels = classifier(10, 0, 300, 5)
    (result,) = compared(before, after, labels, tmp_path, read_limits("top1=8%"))

    assert [(r.limit.metric, r.limit.value, r.verdict) for r in result.limit_results] == [
        ("top1", 0.08, "pass")
    ]


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [("rmse=0.5", "pass"), ("rmse=10%rel", "pass"), ("rmse=0.01%rel", "inconclusive"),
     ("mae=1%", None), ("r2=20%rel", "pass")],
)  # fmt: skip
def test_a_drop_of_a_metric_that_is_no_fraction_is_in_its_unit_or_relative(
    limit: str, verdict: Verdict | None, tmp_path: Path
) -> None:
    before, after, labels = regression(60, 0.3)
    if verdict is None:
        with pytest.raises(DataError, match="not a fraction"):
            read_limits(limit)
        return
    (result,) = compared(before, after, labels, tmp_path, read_limits([limit, "50%"]))
    limit_result = next(r for r in result.limit_results if str(r.limit).endswith(limit))

    assert limit_result.verdict == verdict, limit_result
    name = limit.partition("=")[0]
    measure = result.metric(name)
    assert measure is not None and measure.original is not None
    scale = measure.original if limit.endswith("rel") else 1
    assert limit_result.observed == pytest.approx(measure.drop / scale)
    if verdict != "pass":
        assert ": relative rise " in limit_result.reason


def test_a_relative_drop_in_accuracy_is_a_fraction_of_the_originals(tmp_path: Path) -> None:
    before, after, labels = classifier(20, 0, 80, 100)  # 50% to 40%
    (result,) = compared(before, after, labels, tmp_path, read_limits("top1=15%rel"))

    (limit_result,) = result.limit_results
    assert limit_result.observed == pytest.approx(0.2)
    assert limit_result.interval == pytest.approx(tuple(2 * x for x in drop_interval(20, 0, 200)))
    assert result.reason.startswith("accuracy 50.0% -> 40.0%: relative drop 20.0% (95% CI ")


@pytest.mark.parametrize(
    ("floors", "ceilings", "verdict", "words"),
    [
        ("top1=0.5", None, "pass", ""),
        ("top1=0.85", None, "inconclusive", "accuracy 88.6% (95% CI 84.1% to 92.0%), limit at least 85%"),
        ("top1=99%", None, "fail", "accuracy 88.6% (95% CI 84.1% to 92.0%), limit at least 99%"),
        ("agreement=0.9", None, "pass", ""),
        (None, "kl=10", "pass", ""),
        (None, "kl=1e-9", "fail", "KL divergence "),
        (None, "max_error=2", "pass", ""),
        (None, "max_error=0.1", "fail", ", limit at most 0.1"),
    ],
)  # fmt: skip
def test_a_minimum_or_a_maximum_limits_the_files_value(
    floors: str | None, ceilings: str | None, verdict: Verdict, words: str, tmp_path: Path
) -> None:
    before, after, labels = classifier(5, 1, 225, 24)
    limits = read_limits("50%", floors, ceilings)
    (result,) = compared(before, after, labels, tmp_path, limits)

    main, limit_result = result.limit_results
    assert main.verdict == "pass"
    assert limit_result.verdict == verdict
    assert words in limit_result.reason, limit_result.reason
    if floors and floors.startswith("top1"):
        assert limit_result.interval == fraction_interval(226, 255)
        assert limit_result.p_value is None, "McNemar's test is of changes"


@pytest.mark.parametrize(("error", "verdict"), [(1e-6, "pass"), (0.1, "fail")])
def test_a_float_file_must_match_but_for_rounding(
    error: float, verdict: Verdict, tmp_path: Path
) -> None:
    random = np.random.default_rng(9)
    before, _, labels = classifier(0, 0, 100, 0)
    after = before + random.normal(0, error, before.shape)
    (result,) = compared(before, after, labels, tmp_path, is_float=True)

    assert [(r.limit.metric, r.limit.kind, r.limit.value) for r in result.limit_results] == [
        ("sqnr", "min", 60.0)
    ]
    assert result.verdict == verdict
    assert result.metrics[0].metric == "top1"


def test_a_float_file_has_to_meet_the_users_limits_too(tmp_path: Path) -> None:
    before, _, labels = classifier(0, 0, 100, 100)
    (result,) = compared(
        before, before, labels, tmp_path, read_limits(min="top1=0.9"), is_float=True
    )

    assert math.isinf(result.sqnr_db)
    assert result.verdict == "fail"
    assert "accuracy 50.0%" in result.reason


# What it says.


def test_a_reason_gives_values_an_interval_a_limit_and_a_p_value(tmp_path: Path) -> None:
    before, after, labels = classifier(40, 5, 945, 10)
    (result,) = compared(before, after, labels, tmp_path)

    assert result.reason == (
        "accuracy 98.5% -> 95.0%: drop 3.5 pt (95% CI 2.28 to 4.95), limit 1 pt, McNemar p < 0.0001"
    )


def test_a_reason_names_how_many_samples_would_decide(tmp_path: Path) -> None:
    before, after, labels = classifier(3, 1, 190, 6)
    (result,) = compared(before, after, labels, tmp_path, read_limits("3%"))

    found = re.fullmatch(
        r"accuracy 96\.5% -> 95\.5%: drop 1 pt \(95% CI -1\.43 to 3\.88\), limit 3 pt; "
        r"inconclusive with 200 samples: about ([\d,]+) would decide",
        result.reason,
    )
    assert found, result.reason
    (limit_result,) = result.limit_results
    assert limit_result.needed is not None and limit_result.needed > 200
    assert int(found[1].replace(",", "")) == pytest.approx(limit_result.needed, rel=0.02)  # "about"


def test_at_the_limit_no_number_of_samples_is_promised(tmp_path: Path) -> None:
    before, after, labels = classifier(2, 0, 195, 3)
    (result,) = compared(before, after, labels, tmp_path)

    assert result.verdict == "inconclusive"
    assert result.reason.endswith(
        "; inconclusive with 200 samples: too near the limit for any number to decide"
    )


def test_what_fails_comes_before_what_is_inconclusive(tmp_path: Path) -> None:
    before, after, labels = classifier(8, 2, 180, 10)
    limits = read_limits("3%", min="f1=99.9%")
    (result,) = compared(before, after, labels, tmp_path, limits)

    assert [r.verdict for r in result.limit_results] == ["inconclusive", "fail"]
    first, second = result.reason.split("; ", 1)
    assert first.startswith("F1 ") and second.startswith("accuracy ")


def test_of_a_lower_is_better_metric_the_reason_says_that_it_rose(tmp_path: Path) -> None:
    before, after, labels = regression(60, 4)
    (result,) = compared(before, after, labels, tmp_path, read_limits(["rmse=0.5", "99%"]))

    limit_result = next(r for r in result.limit_results if r.limit.metric == "rmse")
    assert limit_result.verdict == "fail"
    assert re.fullmatch(
        r"RMSE [\d.]+ -> [\d.]+: rise [\d.]+ \(95% CI [\d.]+ to [\d.]+\), limit 0\.5",
        limit_result.reason,
    )


def test_a_coefficient_is_no_percentage(tmp_path: Path) -> None:
    before, after, labels = regression(120, 8)
    (result,) = compared(before, after, labels, tmp_path)

    assert re.fullmatch(
        r"R2 0\.\d{3} -> 0\.\d{3}: drop [\d.]+ \(95% CI [\d.]+ to [\d.]+\), limit 0\.01",
        result.reason,
    ), result.reason
