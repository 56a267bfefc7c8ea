"""What a drop's interval covers, and what a verdict says."""

import numpy as np
import pytest

from edgekit.statistics import Verdict, drop_interval, judge


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
        (5, 20, 1000, 0.01, "holds"),  # -2.6% .. -0.5%
        (5, 2, 1000, 0.01, "holds"),  # -0.3% .. 0.9%
        (5, 2, 1000, 0.008, "not proven"),
        (40, 5, 1000, 0.01, "fails"),  # 2.2% .. 4.8%
        (20, 5, 1000, 0.01, "not proven"),  # 0.5% .. 2.5%
        (20, 5, 1000, 0.03, "holds"),
        (3, 0, 20, 0.01, "not proven"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side_of_the_limit(
    lost: int, won: int, count: int, limit: float, verdict: Verdict
) -> None:
    assert judge(drop_interval(lost, won, count), limit) == verdict


def test_a_limit_at_either_end_of_the_interval_is_decided() -> None:
    low, high = interval = drop_interval(20, 5, 1000)

    assert judge(interval, high) == "holds"
    assert judge(interval, np.nextafter(high, 0)) == "not proven"
    assert judge(interval, low) == "not proven"
    assert judge(interval, np.nextafter(low, 0)) == "fails"


@pytest.mark.parametrize(
    ("count", "verdict"),
    # Without a change the interval is -+ 1.959964 sqrt(2) / (count + 2): within 1% from 276 on.
    [(4, "not proven"), (100, "not proven"), (275, "not proven"), (276, "holds"), (1000, "holds")],
)
def test_no_change_at_all_proves_something_on_enough_samples_only(
    count: int, verdict: Verdict
) -> None:
    assert judge(drop_interval(0, 0, count), 0.01) == verdict
