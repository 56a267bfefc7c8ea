"""Two models compared sample by sample: the same figures as the gate's on all of them at once."""

import numpy as np
import pytest

from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.intervals import drop_interval
from edgekit.accuracy.live import WINDOW, LiveComparison
from edgekit.accuracy.metrics import find_metric

RANDOM = np.random.default_rng(3)


def scores(count: int) -> np.ndarray:  # type: ignore[type-arg]
    powers = np.exp(RANDOM.normal(size=(count, 5)))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_predictions_are_counted_without_end_and_added_up() -> None:
    first, second = scores(5000), scores(5000)
    second[:4000] = first[:4000]
    one, other = LiveComparison("digit"), LiveComparison("digit")
    for start in range(0, 5000, 7):
        comparison = one if start < 2000 else other
        comparison.add(first[start : start + 7], second[start : start + 7])
    one.merge(other)
    found = one.estimate()
    changed = int((first.argmax(axis=1) != second.argmax(axis=1)).sum())
    low, high = drop_interval(changed, 0, 5000)

    assert found is not None and (found.metric, found.samples) == ("agreement", 5000)
    assert found.value == pytest.approx(1 - changed / 5000)
    assert found.interval == pytest.approx((1 - high, 1 - low))
    assert sum(map(len, one._window)) <= WINDOW


def test_numbers_have_the_gates_interval_of_the_latest() -> None:
    first = RANDOM.normal(size=(WINDOW + 300, 3)).astype(np.float32)
    second = first + RANDOM.normal(scale=0.01, size=first.shape).astype(np.float32)
    second[:300] = 0
    comparison = LiveComparison("pose")
    for start in range(0, len(first), 50):
        comparison.add(first[start : start + 50], second[start : start + 50])
    found = comparison.estimate()
    sqnr = find_metric("sqnr")
    kept = sqnr.per_sample(first[300:].astype(np.float64), second[300:].astype(np.float64))
    expected = Estimate("sqnr", sqnr, None, kept)

    assert found is not None and found.samples == WINDOW
    assert found.value == pytest.approx(expected.value)
    assert found.interval == pytest.approx(expected.value_interval())


def test_what_is_not_finite_is_told_and_agrees_with_nothing() -> None:
    first = scores(10)
    second = first.copy()
    second[4] = np.nan
    second[4, first[4].argmax()] = np.nan
    comparison = LiveComparison("digit", "classes")
    comparison.add(first, second)
    found = comparison.estimate()

    assert found is not None and (found.value, found.not_finite) == (0.9, 1)
    assert "1 not finite" in str(found)
