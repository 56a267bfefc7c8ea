"""The figures of a report against SciPy and against evidently's definitions, on the same numbers."""

import numpy as np
import pytest
from scipy import stats
from support.drift import DATA, reference_of, split

from edgekit.data.samples import Array
from edgekit_runtimes.monitoring.bins import distribution_of, quantile, stability_index
from edgekit_runtimes.monitoring.changes import chance_of_classes, chance_of_counts
from edgekit_runtimes.monitoring.monitor import Monitor, MonitorOptions

EVERY = MonitorOptions(time_share=1, warn=False)


@pytest.mark.parametrize("channel", [0, 3, 12, 27])
@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_figures_are_those_of_the_values_themselves(channel: int, shift: float) -> None:
    calibration, live = split(DATA["cancer"](), 200)
    live = live[:350].copy()
    live[:, channel] += shift * live[:, channel].std()
    monitor = Monitor(reference_of(calibration), EVERY)
    for start in range(0, 350, 25):
        monitor.observe({"x": live[start : start + 25]}, {})

    report = monitor.report()
    one = next(s for s in report.inputs[0].statistics if s.channel == channel)
    before, now = calibration[:, channel], live[:, channel]

    assert report.recent == 350
    # Read at 21 edges, the distance may be a bin's share less, and never more.
    exact = stats.ks_2samp(before, now).statistic
    assert exact - 1 / 18 <= one.ks <= exact + 1e-9
    assert one.mean == pytest.approx(now.mean(), rel=1e-5)
    assert one.spread == pytest.approx(now.std(), rel=1e-3)
    assert one.psi == pytest.approx(evidently_psi(before, now), abs=1e-9)
    shares = np.searchsorted(np.sort(now), one.quantiles, side="right") / len(now)
    if shift < 2:  # beyond the reference's samples there is no edge to read at
        assert shares == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95], abs=0.06)


def evidently_psi(before: Array, now: Array) -> float:
    """Evidently's index, with zeros filled, on bins of the reference's quantiles."""
    edges = np.array(distribution_of("value", None, before).edges)
    a, b = (
        np.histogram(values, [-np.inf, *np.nextafter(edges, np.inf), np.inf])[0] / len(values)
        for values in (before, now)
    )
    used = (a > 0) | (b > 0)
    a, b = np.maximum(a[used], 1e-4), np.maximum(b[used], 1e-4)
    return float(np.sum((b - a) * np.log(b / a)))


def test_the_share_outside_the_range_is_counted() -> None:
    calibration, live = split(DATA["digits"](), 200)
    monitor = Monitor(reference_of(calibration), EVERY)
    monitor.observe({"x": live[:25] * 1.2}, {})

    (outside,) = (s for s in monitor.report().inputs[0].statistics if s.statistic == "outside")

    assert outside.mean == pytest.approx((live[:25] * 1.2 > 1).mean(), rel=1e-6)
    assert outside.expected_mean == 0


@pytest.mark.parametrize(("n", "m"), [(50, 25), (200, 100), (1000, 400), (30, 100)])
def test_chances_are_bounds(n: int, m: int) -> None:
    """Of the same distribution, a chance of p comes up in no more than p of the draws."""
    random = np.random.default_rng(0)
    chances = []
    for _ in range(2000):
        reference = distribution_of("value", None, random.normal(size=n))
        places = np.searchsorted(reference.edges, random.normal(size=m))
        seen = np.bincount(places, minlength=len(reference.counts))
        chances.append(float(chance_of_counts(np.array([reference.counts]), seen[np.newaxis])[0]))

    for p in (0.5, 0.1, 0.01):
        assert np.mean(np.exp(chances) <= p) <= p


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_chances_of_classes_are_bounds_too(classes: int) -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(classes))
    chances = [
        chance_of_classes(random.multinomial(300, shares), random.multinomial(100, shares))
        for _ in range(2000)
    ]

    for p in (0.5, 0.1, 0.01):
        assert np.mean(np.exp(chances) <= p) <= p
    few = np.where(np.arange(classes) * 5 <= classes, shares, 0)
    only = random.multinomial(100, few / few.sum())
    assert chance_of_classes(random.multinomial(300, shares), only) < np.log(1e-7)


def test_quantiles_and_index_of_nothing_are_no_errors() -> None:
    assert np.isnan(quantile([0.0, 1.0], np.zeros(3, np.int64), 0.5))
    assert stability_index(np.zeros(3, np.int64), np.zeros(3, np.int64)) == 0
