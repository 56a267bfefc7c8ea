"""The search itself: which rungs of the ladder are tried, on which recipe, in what order."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.workflows.tune.bench import Bench, float32
from edgekit.workflows.tune.choice import Standing, finalists
from edgekit.workflows.tune.ladder import INT8, WEIGHTS_ONLY, Rung, beginnings
from edgekit.workflows.tune.trial import Measured, Trial
from edgekit_converters.tflite.operators import operators

_FAST_ENOUGH = 0.98  # of float32's time, from which on a candidate gains nothing


def begin(bench: Bench, formats: Sequence[str]) -> None:
    """Measure what every search needs: float32 and plain int8 of each format."""
    for form in formats:
        bench.measure([float32(form), Trial(form, *INT8)])


def explore(bench: Bench, formats: Sequence[str], options: Mapping[str, Any]) -> None:
    """Try the rungs of the ladder; what was measured is in ``bench`` whenever this is halted."""
    graph: Path = bench.variants.job.integer_graph
    of_graph = operators(graph)

    def climb(rungs: Callable[[Rung], Sequence[Rung]]) -> None:
        for form in formats:
            bench.measure([Trial(form, *rung) for rung in rungs(INT8)], _wanted(bench, options))
            bench.watch.best = _best(bench, formats, options)

    if not options["integer_only"]:
        climb(lambda base: list(beginnings(of_graph, base)))
        climb(lambda base: WEIGHTS_ONLY)


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
        return bench.ratio(measured) < _FAST_ENOUGH

    return wanted


def _best(bench: Bench, formats: Sequence[str], options: Mapping[str, Any]) -> str:
    """The cheapest candidate of each format that is expected to be proven, in words."""
    words = []
    for form in formats:
        expected = finalists(
            standings(bench, form, options), way_out=way_out(bench, form, options), most=1
        )
        if expected:
            best = bench.measured[expected[0]]
            words.append(f"{best.trial.title} ({bench.ratio(best):.2f}x)")
    return "; ".join(words)
