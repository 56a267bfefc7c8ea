"""What a drop's interval covers, and what a verdict says."""

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
    ("lost", "won", "count", "low", "high", "digits"),
    [
        # The example of ci.prop.ps in Bonett's own R package, statpsych.
        (26, 4, 48, 0.2548067, 0.6251933, 7),
        # Fagerland, Lydersen and Laake (2014), table V: airways before and after a transplantation.
        (1, 7, 21, -0.508, -0.013, 3),
        # The tests of the R package contingencytables, on Cavo et al. (2012).
        (6, 16, 161, -0.1195, -0.0032, 4),
        # By hand: (3/102) -+ 1.959964 sqrt((9/102 - (3/102)^2) / 102) = 0.029412 -+ 0.057363.
        (5, 2, 100, -0.027951, 0.086774, 6),
    ],
)
def test_the_interval_is_the_published_one(
    lost: int, won: int, count: int, low: float, high: float, digits: int
) -> None:
    assert tuple(round(end, digits) for end in drop_interval(lost, won, count)) == (low, high)


@pytest.mark.parametrize(("lost", "won", "count"), [(5, 2, 100), (0, 9, 40), (30, 30, 1000)])
def test_the_other_way_round_the_interval_is_mirrored(lost: int, won: int, count: int) -> None:
    low, high = drop_interval(lost, won, count)

    assert drop_interval(won, lost, count) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("lost", "won", "count", "expected"),
    [
        (0, 0, 0, (-1.0, 1.0)),
        (1, 0, 1, (-0.733536, 1.0)),  # 1/3 -+ 1.959964 sqrt((1 - 1/9) / 3), cut at 1
        (0, 1, 1, (-1.0, 0.733536)),
    ],
)
def test_the_interval_stays_between_minus_one_and_one(
    lost: int, won: int, count: int, expected: tuple[float, float]
) -> None:
    assert drop_interval(lost, won, count) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("p_lost", "p_won", "count"),
    [
        (0.03, 0.02, 1000),
        (0.02, 0.01, 1000),
        (0.02, 0.0, 1000),
        (0.04, 0.01, 300),
        (0.10, 0.05, 200),
        (0.30, 0.10, 50),
    ],
)
def test_the_interval_covers_the_true_drop_in_95_of_100_pairs_of_models(
    p_lost: float, p_won: float, count: int
) -> None:
    shares = [p_lost, p_won, 1 - p_lost - p_won]
    pairs = np.random.default_rng(0).multinomial(count, shares, size=4000)
    intervals = [drop_interval(int(lost), int(won), count) for lost, won, _ in pairs]
    covered = np.mean([low <= p_lost - p_won <= high for low, high in intervals])

    assert 0.93 <= covered <= 0.98


@pytest.mark.parametrize(
    ("lost", "won", "count", "limit", "verdict"),
    [
        (5, 20, 1000, 0.01, "pass"),  # -2.6% .. -0.5%
        (5, 2, 1000, 0.01, "pass"),  # -0.3% .. 0.9%
        (5, 2, 1000, 0.008, "inconclusive"),
        (40, 5, 1000, 0.01, "fail"),  # 2.2% .. 4.8%
        (20, 5, 1000, 0.01, "inconclusive"),  # 0.5% .. 2.5%
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
    # Without a change the interval is -+ 1.959964 sqrt(2) / (count + 2): within 1% from 276 on.
    [
        (4, "inconclusive"),
        (100, "inconclusive"),
        (275, "inconclusive"),
        (276, "pass"),
        (1000, "pass"),
    ],
)
def test_no_change_at_all_proves_something_on_enough_samples_only(
    count: int, verdict: Verdict
) -> None:
    assert verdict_of(drop_interval(0, 0, count), 0.01) == verdict


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
