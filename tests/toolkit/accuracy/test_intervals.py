"""What a drop's interval covers, and what a verdict says."""

from functools import cache
from math import inf, nan

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from edgekit.accuracy.intervals import (
    Interval,
    Verdict,
    drop_interval,
    fraction_interval,
    mcnemar,
    verdict_of,
    worst,
)


@pytest.mark.parametrize(
    ("lost", "won", "count", "low", "high"),
    [
        # Fagerland, Lydersen and Laake (2014), Statistics in Medicine 33, table V, Tango's: airways before
        # and after a transplantation.
        (1, 7, 21, -0.517, -0.026),
        # R's PropCIs, scoreci.mp(b = 40, c = 20, n = 160).
        (40, 20, 160, 0.0309, 0.2181),
        # By hand: 1.959964^2 / (1000 + 1.959964^2).
        (0, 0, 1000, -0.003827, 0.003827),
    ],
)
def test_the_interval_is_tangos_or_wider_by_little(
    lost: int, won: int, count: int, low: float, high: float
) -> None:
    """Wider by Laud's correction for skewness, where that widens it."""
    found = drop_interval(lost, won, count)

    assert found == pytest.approx((low, high), rel=0.012)
    assert found[0] <= low + 5e-4 and found[1] >= high - 5e-4


@pytest.mark.parametrize(
    ("lost", "won", "count", "low", "high"),
    [(20, 5, 1000, 0.00555, 0.02625), (2, 1, 1000, -0.00380, 0.00636), (5, 2, 100, -0.0275, 0.0951)],
)  # fmt: skip
def test_the_interval_is_what_the_score_does_not_reject(
    lost: int, won: int, count: int, low: float, high: float
) -> None:
    """By a search over all pairs of probabilities for the most likely with such a drop."""
    assert drop_interval(lost, won, count) == pytest.approx((low, high), abs=1e-4)
    for drop, direction in zip(drop_interval(lost, won, count), (-1, 1), strict=True):
        gained = np.linspace(max(0, -drop), 0.1, 400_001)[1:]
        kept = 1 - 2 * gained - drop
        likely = (
            lost * np.log(np.maximum(gained + drop, 1e-300))
            + won * np.log(gained)
            + (count - lost - won) * np.log(kept)
        )
        changed = 2 * gained[likely.argmax()] + drop
        score = ((lost - won) / count - drop) / np.sqrt((changed - drop**2) / count)
        skewness = (drop - 3 * changed * drop + 2 * drop**3) / (changed - drop**2) ** 1.5
        lean = skewness / np.sqrt(count) / 6 * (1.959964**2 - 1)
        assert -direction * score == pytest.approx(1.959964 + max(-direction * lean, 0), rel=2e-3)


@pytest.mark.parametrize(("lost", "won", "count"), [(5, 2, 100), (0, 9, 40), (30, 30, 1000)])
def test_the_other_way_round_the_interval_is_mirrored(lost: int, won: int, count: int) -> None:
    low, high = drop_interval(lost, won, count)

    assert drop_interval(won, lost, count) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("lost", "won", "count", "expected"),
    [
        (0, 0, 0, (-1.0, 1.0)),
        (1, 0, 1, (-0.846098, 1.0)),
        (0, 1, 1, (-1.0, 0.846098)),
        (0, 0, 1, (-0.975, 0.975)),  # 1 - 0.025
    ],
)
def test_the_interval_stays_between_minus_one_and_one(
    lost: int, won: int, count: int, expected: tuple[float, float]
) -> None:
    assert drop_interval(lost, won, count) == pytest.approx(expected, abs=1e-6)


SHARES = [
    (0.03, 0.02, 1000),
    (0.02, 0.01, 1000),
    (0.02, 0.0, 1000),
    (0.01, 0.0, 1000),
    (0.005, 0.005, 1000),
    (0.003, 0.002, 1000),
    (0.004, 0.0, 1000),
    (0.04, 0.01, 300),
    (0.10, 0.05, 200),
    (0.01, 0.01, 200),
    (0.30, 0.10, 50),
]
"""Of changes, at least four of which are expected."""


@pytest.mark.parametrize(("p_lost", "p_won", "count"), SHARES)
def test_the_interval_holds_the_true_drop_in_93_to_97_of_100_pairs_of_models(
    p_lost: float, p_won: float, count: int
) -> None:
    above, below = _errors(p_lost, p_won, count)

    assert 0.93 <= 1 - above - below <= 0.971
    assert max(above, below) <= 0.033


@pytest.mark.parametrize("count", [50, 276, 1000])
@pytest.mark.parametrize("won", [0, 0.5, 3])
def test_however_few_predictions_change_the_true_drop_is_beyond_the_upper_end_in_1_of_40_pairs(
    won: float, count: int
) -> None:
    """Exactly, over all pairs that there can be: a pass is no easier. With Bonett and Price's: 1 of 15."""
    for more in (0.2, 1, 2, 2.8, 3.5, 4.5, 5.5, 7, 9):
        above, _ = _errors((won + more) / count, won / count, count)
        assert above <= 0.028, more


def _errors(p_lost: float, p_won: float, count: int) -> tuple[float, float]:
    """The probability that the true drop is above the interval, and below it."""
    above = below = 0.0
    lost, won = (np.arange(stats.binom.isf(1e-6, count, p) + 1, dtype=int) for p in (p_lost, p_won))
    shares = stats.binom.pmf(lost, count, p_lost)[:, np.newaxis] * stats.binom.pmf(
        won, count - lost[:, np.newaxis], p_won / (1 - p_lost)
    )
    for row, column in np.argwhere(shares > 1e-6).tolist():
        low, high = _known(row, column, count)
        above += shares[row, column] * (high < p_lost - p_won)
        below += shares[row, column] * (low > p_lost - p_won)
    return above, below


_known = cache(drop_interval)


@pytest.mark.parametrize(
    ("lost", "won", "count", "limit", "verdict"),
    [
        (5, 20, 1000, 0.01, "pass"),  # -2.6% .. -0.5%
        (5, 2, 1000, 0.01, "pass"),  # -0.3% .. 0.99%
        (5, 2, 1000, 0.008, "inconclusive"),
        (40, 5, 1000, 0.01, "fail"),  # 2.3% .. 5.0%
        (20, 5, 1000, 0.01, "inconclusive"),  # 0.6% .. 2.6%
        (20, 5, 1000, 0.03, "pass"),
        (3, 0, 20, 0.01, "inconclusive"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side_of_the_limit(
    lost: int, won: int, count: int, limit: float, verdict: Verdict
) -> None:
    assert verdict_of(drop_interval(lost, won, count), limit) == verdict


def test_a_limit_at_either_end_of_the_interval_is_decided() -> None:
    low, high = interval = drop_interval(20, 5, 1000)

    assert verdict_of(interval, high) == "pass"
    assert verdict_of(interval, np.nextafter(high, 0)) == "inconclusive"
    assert verdict_of(interval, low) == "inconclusive"
    assert verdict_of(interval, np.nextafter(low, 0)) == "fail"


@pytest.mark.parametrize(
    ("count", "verdict"),
    # Without a change the ends are 1.959964^2 / (count + 1.959964^2) from zero: within 1% from 381 on.
    [
        (4, "inconclusive"),
        (100, "inconclusive"),
        (380, "inconclusive"),
        (381, "pass"),
        (1000, "pass"),
    ],
)
def test_no_change_at_all_proves_something_on_enough_samples_only(
    count: int, verdict: Verdict
) -> None:
    assert verdict_of(drop_interval(0, 0, count), 0.01) == verdict
    high = drop_interval(0, 0, count)[1]
    assert (1 - high) ** count <= 0.025 * (1 + 1e-9), "none of so many changes in 1 of 40 cases"


# A fraction, and the test of a change.


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17, table I, method 3: Wilson's
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_fraction_is_the_published_one(
    count: int, of: int, low: float, high: float
) -> None:
    assert fraction_interval(count, of) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("count", "of"), [(0, 1), (1, 1), (3, 7), (997, 1000), (20_000, 20_000)])
def test_the_interval_of_a_fraction_is_statsmodels(count: int, of: int) -> None:
    assert fraction_interval(count, of) == pytest.approx(
        proportion_confint(count, of, method="wilson"), abs=1e-12
    )


def test_of_no_samples_nothing_is_known() -> None:
    assert fraction_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("lost", "won", "p_value", "digits"),
    [
        # Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91, the exact
        # conditional test: airways before and after a transplantation, and Cavo et al. (2012).
        (1, 7, 0.0703, 4),
        (6, 16, 0.0525, 4),
        # statsmodels' own documentation of mcnemar.
        (59, 6, 0.0, 8),
        (0, 0, 1.0, 8),
        (3, 3, 1.0, 8),
    ],
)
def test_mcnemars_test_is_the_published_one(
    lost: int, won: int, p_value: float, digits: int
) -> None:
    assert round(mcnemar(lost, won), digits) == p_value


@pytest.mark.parametrize(("lost", "won"), [(1, 0), (0, 5), (12, 30), (40, 7), (500, 460)])
def test_mcnemars_test_is_that_of_others(lost: int, won: int) -> None:
    theirs = statsmodels_mcnemar([[900, lost], [won, 300]], exact=True).pvalue

    assert mcnemar(lost, won) == pytest.approx(theirs)
    assert mcnemar(lost, won) == pytest.approx(stats.binomtest(won, lost + won).pvalue)


# The verdict at its ends, and how many samples it takes.


@pytest.mark.parametrize(
    ("interval", "limit", "verdict"),
    [
        ((0.0, 0.01), 0.01, "pass"),
        ((0.01, 0.01), 0.01, "pass"),
        ((0.01, 0.02), 0.01, "inconclusive"),
        ((0.011, 0.02), 0.01, "fail"),
        ((-inf, inf), 0.01, "inconclusive"),
        ((-inf, 0.0), 0.01, "pass"),
        ((inf, inf), 0.01, "fail"),
        ((-inf, -inf), 0.01, "pass"),
        ((nan, nan), 0.01, "fail"),
        ((0.0, nan), 0.01, "inconclusive"),
        ((nan, 0.02), 0.01, "fail"),
    ],
)
def test_a_verdict_at_its_ends(interval: Interval, limit: float, verdict: Verdict) -> None:
    assert verdict_of(interval, limit) == verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass", "inconclusive", "fail"], "fail"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "pass"], "pass"),
        ([], "pass"),
    ],
)
def test_the_worst_verdict_counts(verdicts: list[Verdict], expected: Verdict) -> None:
    assert worst(verdicts) == expected
