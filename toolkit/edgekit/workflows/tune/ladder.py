"""The ladder: the recipes that a search tries, from plain int8 to what gives up the most integers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from edgekit.inference.assignment import GraphCosts, OperatorCost, assignments
from edgekit_converters import Recipe
from edgekit_converters.tflite.operators import Operator

Rung = tuple[str, Recipe]
"""A recipe, and what it is in words."""

FLOAT32: Rung = ("float32", Recipe("float32"))
INT8: Rung = ("int8", Recipe("int8"))
WEIGHTS_ONLY: tuple[Rung, ...] = (("dynamic", Recipe("dynamic")), ("float16", Recipe("float16")))

_BEGINNINGS = (2, 4, 8)  # operators
_TENSORS = (2, 4, 8, 16)
_SPLITS = 6
_ROUNDING_STEPS = 150


def other_ranges(base: Rung) -> Iterator[Rung]:
    """The ranges found in other ways than by the extremes, which a few samples decide."""
    title, recipe = base
    for method, words in _RANGES.items():
        yield f"{title}, {words}", replace(recipe, ranges=method)


def equalized(base: Rung) -> Iterator[Rung]:
    """The channels scaled to equal ranges, which changes nothing in float."""
    title, recipe = base
    yield f"{title}, equalized", replace(recipe, equalize=True)


_RANGES = {
    "percentile:99.99": "ranges of 99.99%",
    "percentile:99.9": "ranges of 99.9%",
    "mse": "ranges of least error",
}


def beginnings(operators: Sequence[Operator], base: Rung) -> Iterator[Rung]:
    """The first operators in float: few channels and large images are slow in integers, and lose most."""
    for count in _BEGINNINGS:
        if 2 * count > len(operators):
            return
        why = f"among the first {count} operators"
        kept = {operator.name: why for operator in operators[:count]}
        yield _with_float(base, f"first {count} operators in float", kept)


def by_sensitivity(
    operators: Sequence[Operator], noises: Mapping[str, float], base: Rung
) -> Iterator[Rung]:
    """The noisiest tensors in float: all operators that touch them, for each would round them again."""
    ranked = sorted((t for t in noises if noises[t] > 0), key=lambda t: (-noises[t], t))
    for count in _TENSORS:
        if count > len(ranked):
            return
        noisiest = set(ranked[:count])
        why = f"touches one of the {count} noisiest tensors"
        kept = {o.name: why for o in operators if o.tensors & noisiest}
        if 2 * len(kept) > len(operators):
            return
        yield _with_float(base, f"{count} noisiest tensors in float", kept)


def by_cost(costs: GraphCosts, noises: Mapping[str, float], base: Rung) -> Iterator[Rung]:
    """The operators in float of the cheapest splits, for noises of several weights: minimum cuts."""
    of_operator = {operator.name: operator for operator in costs.operators}
    for split in assignments(costs, noises, most=_SPLITS):
        if 0 < len(split.in_float) < len(of_operator):
            kept = {name: _why(of_operator[name]) for name in sorted(split.in_float)}
            yield _with_float(base, f"{len(kept)} operators in float by cost", kept)


def corrected(base: Rung) -> Iterator[Rung]:
    """Biases that make up for the mean error: constants come last, on a recipe that is settled."""
    title, recipe = base
    if not recipe.correct_bias and recipe.precision == "int8":
        yield f"{title}, biases corrected", replace(recipe, correct_bias=True)


def trained_rounding(base: Rung) -> Iterator[Rung]:
    """Weights whose rounding was trained against the float model, without labels."""
    title, recipe = base
    yield f"{title}, rounding trained", replace(recipe, rounding_steps=_ROUNDING_STEPS)


def _why(operator: OperatorCost) -> str:
    if operator.float_us is None or operator.int8_us is None:
        return "it has no integer form"
    if operator.float_us < operator.int8_us:
        return f"takes {operator.float_us:.3g} us in float32, {operator.int8_us:.3g} us in int8"
    return "beside others in float, it spares a crossing, or noise"


def _with_float(base: Rung, words: str, kept: Mapping[str, str]) -> Rung:
    title, recipe = base
    return f"{title}, {words}", replace(recipe, keep_float={**recipe.keep_float, **kept})
