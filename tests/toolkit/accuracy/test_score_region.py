"""The interval of F1: all values that the counts do not reject, kinds of change included that were not seen."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from support.outputs import Array
from support.simulated import covered, estimate, interval, truth_of, yes_or_no

from edgekit.accuracy.score_region import kinds_of, region_interval


@pytest.mark.parametrize(("count", "of"), [(81, 263), (15, 148), (0, 20), (1, 29), (400, 400)])
def test_of_a_fraction_it_is_wilsons(count: int, of: int) -> None:
    found = region_interval(
        lambda weights: weights[:, 0] / weights.sum(axis=1), np.array([count, of - count], float)
    )

    assert found == pytest.approx(proportion_confint(count, of, method="wilson"), abs=1e-4)


def test_no_probabilities_that_the_counts_do_not_reject_give_more() -> None:
    counts = np.array([30.0, 4, 2, 5, 50, 3, 6, 0])  # the last: a positive that both miss

    def f1_drop(weights: Array) -> Array:
        both, lost, won, neither, _, before, after, missed = weights.T
        was = 2 * (both + lost) / (2 * (both + lost) + won + neither + missed + before)
        is_ = 2 * (both + won) / (2 * (both + won) + lost + neither + missed + after)
        return np.asarray(was - is_)

    low, high = region_interval(f1_drop, counts)
    shares, seen = counts / counts.sum(), counts > 0
    ways = np.random.default_rng(0).dirichlet(np.ones(len(counts)), 100_000)
    steps = np.linspace(0, 0.5, 51)[:, np.newaxis, np.newaxis]
    tried = (shares + steps * (ways - shares))[1:]
    chi = counts.sum() * ((shares[seen] ** 2 / tried[..., seen]).sum(axis=-1) - 1)
    drops = f1_drop(tried[chi <= 1.959964**2])

    assert len(drops) > 10_000
    assert low <= drops.min() and drops.max() <= high
    assert drops.max() - drops.min() > 0.5 * (high - low)


def test_kinds_that_were_not_seen_are_counted_as_none() -> None:
    truth = np.array([0, 0, 1, 1, 1])
    kinds, counts = kinds_of(truth, np.array([0, 0, 1, 1, 0]), np.array([0, 0, 1, 0, 0]))

    found = dict(zip(map(tuple, kinds.tolist()), counts.tolist(), strict=True))
    assert found == {
        (0, 0, 0): 2, (1, 1, 1): 1, (1, 1, 0): 1, (1, 0, 0): 1,
        (0, 0, 1): 0, (0, 1, 0): 0, (1, 0, 1): 0,
    }  # fmt: skip


@pytest.mark.parametrize("count", [100, 1000])
def test_without_a_change_f1_may_still_drop_as_one_lost_positive_in_so_many_lets_it(
    count: int,
) -> None:
    positive = np.arange(count) < count // 5
    scores = np.where(positive, 0.9, 0.1)[:, np.newaxis]
    _, high = interval(estimate("f1", "binary", (positive.astype(int), scores, scores)))

    lost = 1 - 0.025 ** (1 / count)  # of all, up to which none is seen in 1 of 40
    hit = (1 - lost) / 5
    assert high >= 1 - 2 * hit / (2 * hit + lost)


def test_a_pass_on_few_positives_is_as_hard_as_the_interval_says() -> None:
    """The jackknife left the truth beyond its end in 7 of 100 pairs; 200 pairs here."""
    draw = yes_or_no(0.02, 0.3, 0.1)
    found = covered("f1", "binary", draw, 1000, 200, truth_of("f1", "binary", draw))

    assert found.worse <= 0.04
    assert found.width < 0.25
