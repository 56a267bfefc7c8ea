"""Intervals of values without a formula: what they cover, and how they compare with known ones."""

import warnings
from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.outputs import Array, compared, guesses
from support.simulated import Draw, covered, labels, truth_of, yes_or_no

from edgekit.accuracy.intervals import Interval
from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.resampling import bootstrap_interval, jackknife_interval, one_by_one
from edgekit.accuracy.task_names import Task

Method = Callable[..., Interval]


def mean_of(samples: Array) -> Callable[[Array], Array]:
    return lambda weights: weights @ samples / weights.sum(axis=1)


@pytest.mark.parametrize("count", [40, 400, 1300])
@pytest.mark.parametrize("method", [jackknife_interval, bootstrap_interval])
def test_the_interval_of_a_mean_is_near_students(method: Method, count: int) -> None:
    samples = np.random.default_rng(1).normal(5, 2, count)

    found = method(mean_of(samples), count)

    error = samples.std(ddof=1) / np.sqrt(count)
    students = stats.t.interval(0.95, count - 1, samples.mean(), error)
    assert found == pytest.approx(students, abs=0.1 * (found[1] - found[0]))


@pytest.mark.parametrize("method", [jackknife_interval, bootstrap_interval])
def test_both_models_are_weighed_together(method: Method) -> None:
    """What makes a sample hard for both models cancels: unpaired, the interval is 200 times as wide."""
    random = np.random.default_rng(3)
    hard = random.normal(0, 10, 200)
    before, after = mean_of(hard), mean_of(hard + random.normal(0.5, 0.05, 200))

    low, high = method(lambda weights: after(weights) - before(weights), 200)

    assert 0.48 < low < high < 0.52


@pytest.mark.parametrize("method", [jackknife_interval, bootstrap_interval])
def test_it_is_always_the_same(method: Method) -> None:
    values = mean_of(np.random.default_rng(4).normal(size=1100))

    assert method(values, 1100) == method(values, 1100)


@pytest.mark.parametrize(
    ("count", "value", "expected"),
    [(50, 1.0, (1.0, 1.0)), (1, 1.0, (-inf, inf)), (50, inf, (inf, inf)), (50, -inf, (-inf, -inf)),
     (50, nan, (-inf, inf))],
)  # fmt: skip
@pytest.mark.parametrize("method", [jackknife_interval, bootstrap_interval])
def test_what_does_not_vary_has_a_point_for_an_interval_and_no_warning(
    method: Method, count: int, value: float, expected: Interval
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert method(lambda weights: np.full(len(weights), value), count) == expected


def test_a_function_of_samples_is_called_with_those_that_were_drawn() -> None:
    statistics = np.arange(4.0)[:, np.newaxis]
    values = one_by_one(lambda drawn: float(drawn.sum()), statistics)

    assert values(np.array([[1.0, 1, 1, 1], [0, 2, 0, 2]])).tolist() == [6, 8]


@pytest.mark.parametrize(
    ("metric", "task", "draw", "count"),
    [("roc_auc", "binary", yes_or_no(0.1), 200), ("average_precision", "binary", yes_or_no(0.1), 200),
     ("f1", "multilabel", labels([0.4, 0.2, 0.1]), 200)],
)  # fmt: skip
def test_with_twenty_positives_19_of_20_intervals_hold_the_truth(
    metric: str, task: Task, draw: Draw, count: int
) -> None:
    """400 pairs, of which 95% is 380 -+ 9; `make bench` has 1,000 of every metric."""
    found = covered(metric, task, draw, count, 400, truth_of(metric, task, draw))

    assert 0.925 <= found.held <= 0.98
    assert found.worse <= 0.045


@pytest.mark.timeout(12)
def test_roc_auc_of_ten_classes_takes_no_twenty_seconds(tmp_path: Path) -> None:
    """It did, of draws that each sorted all scores again. `make bench` has the seconds."""
    random = np.random.default_rng(5)
    truth = random.integers(0, 10, 1000)
    before, after = guesses(10, truth, random), guesses(10, truth, random)

    (result,) = compared(before, after, truth, tmp_path, metrics="roc_auc")

    area = result.metric("roc_auc")
    assert area is not None and area.interval is not None
    assert area.interval[0] < area.interval[1]


def test_of_a_handful_of_positives_nothing_is_known(tmp_path: Path) -> None:
    """With five, four of five intervals would hold the truth: so there is none, and no verdict."""
    truth, before, after = yes_or_no(0.5)(np.random.default_rng(6), 100)
    truth[:] = 0
    truth[:5] = 1
    limits = read_limits(["roc_auc=1%", "99%"])
    (result,) = compared(before, after, truth, tmp_path, limits)

    area = next(r for r in result.limit_results if r.limit.metric == "roc_auc")
    assert (area.verdict, area.interval) == ("inconclusive", (-inf, inf))
    assert "have more of the rarer classes" in area.reason
    assert "inf" not in area.reason
