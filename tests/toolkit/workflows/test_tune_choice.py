"""The choice among candidates, as pure numbers: who is judged, in which order, and how often it errs."""

from collections.abc import Callable
from functools import cache
from math import inf

import numpy as np
import pytest

from edgekit.accuracy.forecast import safety
from edgekit.accuracy.intervals import drop_interval, verdict_of
from edgekit.accuracy.limits import Limit
from edgekit.accuracy.results import OutputResult
from edgekit.accuracy.verdicts import LimitResult
from edgekit.workflows.tune.choice import Standing, choose, finalists, safest

BUDGET = 0.01
CHOOSING, JUDGING = 200, 1000


@cache
def result(lost: int, won: int, count: int, *, budget: float = BUDGET) -> OutputResult:
    """A file of which so many predictions changed."""
    interval = drop_interval(lost, won, count)
    verdict = verdict_of(interval, budget)
    limit = Limit("drop", budget, "top1")
    drop = (lost - won) / count
    limited = LimitResult(limit, drop, interval, verdict, changes=(lost, won))
    return OutputResult("digit", "classes", count, 30.0, 0.1, 1.0, (), (limited,))


@cache
def expected(lost: int, won: int) -> float:
    """How safely a file will be proven of which so many predictions changed on the choosing samples."""
    return safety([result(lost, won, CHOOSING)], JUDGING)


def standing(key: str, cost: float, safety: float, sqnr: float = 30.0) -> Standing[str]:
    return Standing(key, cost, safety, sqnr)


def always(answer: bool) -> Callable[[str], bool]:
    return lambda key: answer


def test_the_walk_goes_from_the_safest_to_the_fastest_and_ends_at_the_first_not_proven() -> None:
    candidates = [
        standing("fast", 1.0, 1.1), standing("middle", 2.0, 2.0), standing("safe", 3.0, 3.0),
    ]  # fmt: skip

    every = choose(candidates, always(True), way_out=10.0)
    assert every.chosen == "fast"
    assert every.judged == (("safe", True), ("middle", True), ("fast", True))

    halted = choose(candidates, lambda key: key == "safe", way_out=10.0)
    assert halted.chosen == "safe"
    assert halted.judged == (("safe", True), ("middle", False)), "nobody is judged behind it"

    assert choose(candidates, always(False), way_out=10.0).chosen is None


def test_only_who_is_cheaper_than_all_who_are_safer_is_judged() -> None:
    candidates = [
        standing("slower than float", 9.9, 9.0),
        standing("safe", 3.0, 5.0),
        standing("dominated", 3.5, 4.0),
        standing("no gain to speak of", 2.97, 3.0),
        standing("fast", 2.0, 1.0),
        standing("hopeless", 0.5, 0.99),
    ]
    assert finalists(candidates, way_out=10.0) == ["safe", "fast"]
    assert safest(candidates) == "slower than float"
    assert finalists([], way_out=10.0) == []
    assert safest([]) is None


def test_sqnr_breaks_ties_only() -> None:
    alike = [standing("noisy", 3.0, 2.0, 20.0), standing("clean", 3.0, 2.0, 40.0)]
    assert finalists(alike, way_out=10.0) == ["clean"]
    assert finalists([*alike, standing("safer", 2.0, 2.1, 10.0)], way_out=10.0) == ["safer"]


@pytest.mark.parametrize(("most", "kept"), [(1, "g"), (2, "ag"), (3, "adg"), (4, "aceg")])
def test_of_many_the_ends_and_some_between_are_judged(most: int, kept: str) -> None:
    many = [standing(name, 10.0 - place, 10.0 - place) for place, name in enumerate("abcdefg")]
    assert finalists(many, way_out=100.0, most=most) == list(kept)


def test_a_forecast_carries_the_interval_over_to_other_samples() -> None:
    unchanged = [result(0, 0, CHOOSING)]
    assert safety(unchanged, CHOOSING) < 1, "200 samples prove nothing of one point"
    assert safety(unchanged, 380) < 1 < safety(unchanged, 381), "381 do, where none changes"
    assert safety([result(1, 0, CHOOSING)], 1000) < 1 < safety([result(1, 1, CHOOSING)], 2000)
    assert safety([result(9, 0, CHOOSING)], 100_000) < 0, "a drop of 4.5 points is never proven"
    assert safety([result(0, 0, 200), result(4, 0, 200)], 1000) == safety([result(4, 0, 200)], 1000)
    assert safety([], 1000) == inf


def test_outputs_that_are_the_originals_bit_by_bit_are_expected_to_pass() -> None:
    """Their SQNR is infinite, and so are both ends of its interval."""
    limited = LimitResult(Limit("min", 20, "sqnr"), inf, (inf, inf), "pass")
    output = OutputResult("pose", "values", 200, inf, 0.0, None, (), (limited,))
    assert safety([output], 1000) == inf


def test_a_forecast_of_few_is_what_those_samples_then_say() -> None:
    for lost, won in ((0, 0), (3, 1), (2, 2), (0, 4)):
        few, many = result(lost, won, 250), result(4 * lost, 4 * won, 1000)
        assert (safety([few], 1000) >= 1) == (many.verdict == "pass"), (lost, won)


def test_doubtful_samples_are_never_expected_to_prove() -> None:
    """As where the original is right by chance only: ``with_doubt`` lets nothing pass."""
    limited = LimitResult(Limit("drop", BUDGET), 0.0, (-0.001, 0.001), "inconclusive", "why")
    output = OutputResult("digit", "classes", 200, 30.0, 0.1, 1.0, (), (limited,))
    assert safety([output], 1000) == -inf


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_of_simulated_searches_at_most_one_in_forty_ships_what_is_beyond_the_budget(
    seed: int, shared: float
) -> None:
    """1,000 searches among 16 candidates whose true drops are known, most near the budget or beyond.

    ``shared`` is the part of the changed samples that are the same for all candidates, as hard samples
    are. Faster candidates lose more, as in life.
    """
    chance = np.random.default_rng(seed)
    beyond = shipped = 0
    for _ in range(1000):
        drops = np.sort(chance.choice([0.0, 0.004, 0.009, 0.0105, 0.013, 0.02], 16))[::-1]
        churn = chance.uniform(0.0, 0.02, 16)  # changes that even out

        def outcomes(
            count: int, drops: object = drops, churn: object = churn
        ) -> list[tuple[int, int]]:
            common = chance.random(count)
            results = []
            for drop, both in zip(drops, churn, strict=True):  # type: ignore[call-overload]
                own = chance.random(count)
                luck = np.where(chance.random(count) < shared, common, own)
                lost = int((luck < drop + both / 2).sum())
                results.append((lost, int((luck > 1 - both / 2).sum())))
            return results

        standings = [
            Standing(key, float(key + 1), expected(*seen), 30.0)
            for key, seen in enumerate(outcomes(CHOOSING))
        ]
        judged = outcomes(JUDGING)
        choice = choose(
            standings,
            lambda key, j=judged: result(*j[key], JUDGING).verdict == "pass",
            way_out=100.0,
        )
        if choice.chosen is not None:
            shipped += 1
            beyond += bool(drops[choice.chosen] > BUDGET)
    print(f"seed {seed}, shared {shared}: {shipped} shipped, {beyond} of 1000 beyond the budget")

    assert shipped > 300, "a search that never ships anything errs never"
    assert beyond <= 25
