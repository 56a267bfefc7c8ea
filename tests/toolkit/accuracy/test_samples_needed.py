"""How many samples would decide an inconclusive verdict."""

from math import inf

import numpy as np
import pytest
from scipy import stats

from edgekit.accuracy.intervals import (
    Interval,
    drop_interval,
    samples_needed,
    samples_needed_paired,
    verdict_of,
)
from edgekit.accuracy.resampling import jackknife_interval


@pytest.mark.parametrize(
    ("lost", "won", "count", "limit"),
    [(4, 2, 200, 0.03), (6, 2, 100, 0.02), (1, 0, 100, 0.03), (0, 0, 100, 0.01), (20, 5, 1000, 0.01),
     (3, 3, 60, 0.02), (0, 2, 50, 0.01)],
)  # fmt: skip
def test_with_as_many_samples_as_are_asked_for_most_draws_are_decided_and_with_a_third_few(
    lost: int, won: int, count: int, limit: float
) -> None:
    assert verdict_of(drop_interval(lost, won, count), limit) == "inconclusive"
    wanted = samples_needed_paired(lost, won, count, limit)
    assert wanted is not None and wanted > count

    def decided(size: int) -> float:
        shares = [lost / count, won / count, 1 - (lost + won) / count]
        draws = np.random.default_rng(0).multinomial(size, shares, 2000)
        return float(
            np.mean(
                [verdict_of(drop_interval(*d[:2], size), limit) != "inconclusive" for d in draws]
            )
        )

    assert decided(wanted) >= 0.65  # four of five, but for whole numbers
    assert decided(wanted // 3) <= 0.75


@pytest.mark.parametrize(("drop", "limit"), [(0.0, 0.3), (0.1, 0.3), (0.6, 0.3)])
def test_the_same_of_metrics_that_are_no_fractions(drop: float, limit: float) -> None:
    random = np.random.default_rng(7)
    samples = stats.zscore(random.normal(size=40)) + drop
    interval = jackknife_interval(lambda weights: weights @ samples / weights.sum(axis=1), 40)
    wanted = samples_needed(40, drop, interval, limit)
    assert wanted is not None and wanted > 40

    def decided(size: int) -> float:
        """Of data like those seen; the interval of so many samples is the normal one."""
        means = random.normal(drop, 1 / np.sqrt(size), 1000)
        margin = 1.96 / np.sqrt(size)
        return float(
            np.mean([verdict_of((m - margin, m + margin), limit) != "inconclusive" for m in means])
        )

    assert decided(wanted) >= 0.65  # four of five, but for whole numbers
    assert decided(wanted // 3) <= 0.6


@pytest.mark.parametrize(
    ("drop", "interval", "limit"),
    [
        (0.01, (0.0, 0.02), 0.01),  # at the limit itself
        (0.5, (-inf, inf), 0.01),
        (0.0100001, (0.0, 0.02), 0.01),  # ten million would not do
    ],
)
def test_too_near_the_limit_no_number_of_samples_is_named(
    drop: float, interval: Interval, limit: float
) -> None:
    assert samples_needed(100, drop, interval, limit) is None


def test_at_the_limit_itself_no_number_of_pairs_is_named() -> None:
    assert samples_needed_paired(2, 0, 200, 0.01) is None
