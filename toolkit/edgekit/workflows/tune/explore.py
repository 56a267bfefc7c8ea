"""The search itself: which rungs of the ladder are tried, on which recipe, in what order."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from edgekit.workflows.tune.bench import Bench, float32, is_integer
from edgekit.workflows.tune.choice import GAIN, Standing, finalists
from edgekit.workflows.tune.ladder import (
    INT8,
    WEIGHTS_ONLY,
    Rung,
    beginnings,
    by_cost,
    by_sensitivity,
    corrected,
    equalized,
    other_ranges,
    trained_rounding,
)
from edgekit.workflows.tune.levers import costs_of, equalizes, noises_of
from edgekit.workflows.tune.trial import Measured, Trial
from edgekit_converters.tflite.operators import operators

_RUNGS, _INTEGER_RUNGS = 20, 7  # of a format, about
_TIMED = 6  # of those that may be judged, the most that are timed again
_CORRECTED = 2  # candidates that just miss, whose biases are corrected


def begin(bench: Bench, formats: Sequence[str]) -> None:
    """Measure what every search needs: float32 and plain int8 of each format."""
    for form in formats:
        bench.measure([float32(form), Trial(form, *INT8)])


def explore(bench: Bench, formats: Sequence[str], options: Mapping[str, Any]) -> None:
    """Try the rungs of the ladder; what was measured is in ``bench`` whenever this is halted.

    First the ranges and the equalized channels, of which the best go on: they cost no time. Then, on
    these, operators in float, then what leaves activations in float, and at last other constants.
    """
    bench.watch.plan(len(formats) * (_INTEGER_RUNGS if options["integer_only"] else _RUNGS))

    def climb(rungs: Callable[[str, Rung], Iterable[Rung]]) -> None:
        for form in formats:
            trials = [Trial(form, *rung) for rung in rungs(form, best_integers(bench, form))]
            bench.measure(trials, _wanted(bench, options))
            bench.watch.best = _best(bench, formats, options)

    if equalizes(bench):
        climb(lambda form, base: equalized(base))
    climb(lambda form, base: other_ranges(base))
    if options["integer_only"]:
        climb(lambda form, base: corrected(base))
        climb(lambda form, base: trained_rounding(base) if _misses(bench, form, base) else ())
        return
    of_graph = operators(bench.variants.job.integer_graph)
    climb(lambda form, base: beginnings(of_graph, base))
    climb(lambda form, base: by_sensitivity(of_graph, noises_of(bench, base[1]), base))
    climb(lambda form, base: _by_cost(bench, form, base, options))
    climb(lambda form, base: WEIGHTS_ONLY)
    climb(lambda form, base: _nearly(bench, form, options))


def _by_cost(bench: Bench, form: str, base: Rung, options: Mapping[str, Any]) -> Iterator[Rung]:
    """The cheapest splits by the costs of operators, which are measured on this processor."""
    costs = costs_of(bench, form, base) if options["device"] == "cpu" else None
    if costs is not None:
        yield from by_cost(costs, noises_of(bench, base[1]), base)


def _misses(bench: Bench, form: str, base: Rung) -> bool:
    """Whether the best file of integers is not expected to be proven."""
    best = bench.measured.get(Trial(form, *base).key)  # None where no such file could be made
    return best is not None and (best.safety is None or best.safety < 1)


def _nearly(bench: Bench, form: str, options: Mapping[str, Any]) -> Iterator[Rung]:
    """The fastest candidates that just miss, and are faster than all that do not, with biases corrected."""
    known = standings(bench, form, options)
    sure = min((s.cost for s in known if s.safety >= 1), default=way_out(bench, form, options))
    near = [s for s in known if 0 < s.safety < 1 and s.cost < GAIN * sure]
    near.sort(key=lambda s: s.cost)
    for standing in near[:_CORRECTED]:
        trial = bench.measured[standing.key].trial
        yield from corrected((trial.title, trial.recipe))


def best_integers(bench: Bench, form: str) -> Rung:
    """The recipe of the candidate of integers alone that is likeliest to be proven: float goes on top of it."""
    integers = [
        m
        for m in bench.measured.values()
        if m.trial.format == form and is_integer(m.trial) and m.results is not None
    ]
    best = max(integers, key=lambda m: (m.safety or 0.0, m.sqnr_db), default=None)
    return INT8 if best is None else (best.trial.title, best.trial.recipe)


def time_finalists(bench: Bench, form: str, options: Mapping[str, Any]) -> None:
    """Time those that may be judged once more and for longer, side by side: the fastest of many are so by luck."""
    known = standings(bench, form, options)
    expected = finalists(known, way_out=way_out(bench, form, options), most=_TIMED)
    if expected and options["prefer"] == "speed":
        plain = Trial(form, *INT8).key
        bench.time_again(dict.fromkeys([*expected, *([plain] if plain in bench.measured else [])]))


def standings(bench: Bench, form: str, options: Mapping[str, Any]) -> list[Standing[str]]:
    """What the choosing samples say of a format's candidates; float32 is the way out, and none of them."""
    anchor = bench.measured[float32(form).key]
    cheaper = [
        m
        for m in bench.measured.values()
        if m.trial.format == form and m is not anchor and m.results is not None
    ]
    if (
        options["prefer"] == "accuracy"
    ):  # of what gains anything at all, the safest: all cost the same
        cheaper = [m for m in cheaper if m.ms < anchor.ms or m.bytes < anchor.bytes]
    return [
        Standing(m.trial.key, cost(m, options["prefer"]), m.safety or 0.0, m.sqnr_db)
        for m in cheaper
    ]


def cost(measured: Measured, prefer: str) -> float:
    """What is to be small."""
    return {"speed": measured.ms, "size": float(measured.bytes), "accuracy": 1.0}[prefer]


def way_out(bench: Bench, form: str, options: Mapping[str, Any]) -> float:
    """The cost of what is taken where nothing is proven: of float32, where that may ship."""
    if options["integer_only"]:
        return float("inf")
    if options["prefer"] == "accuracy":
        return 2.0
    return cost(bench.measured[float32(form).key], options["prefer"])


def _wanted(bench: Bench, options: Mapping[str, Any]) -> Callable[[Measured], bool]:
    """Whether a candidate can still be chosen, so that it is worth evaluating."""

    def wanted(measured: Measured) -> bool:
        if options["frontier"] or options["integer_only"] or options["prefer"] != "speed":
            return True
        return bench.ratio(measured) < GAIN

    return wanted


def _best(bench: Bench, formats: Sequence[str], options: Mapping[str, Any]) -> str:
    """The cheapest candidate of each format that is expected to be proven: its time over float32's."""
    words = []
    for form in formats:
        expected = finalists(
            standings(bench, form, options), way_out=way_out(bench, form, options), most=1
        )
        if expected:
            best = bench.measured[expected[0]]
            words.append(f"{bench.ratio(best):.2f}x")
    return " and ".join(words)
