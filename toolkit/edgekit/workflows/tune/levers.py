"""What levers need to know of a model: measured once, kept, and a note where it cannot be measured."""

import json
from collections.abc import Callable
from typing import Any

from edgekit.bundle.plain import from_plain, to_plain
from edgekit.data.samples import DataError
from edgekit.inference.assignment import GraphCosts, OperatorCost, TensorCost
from edgekit.inference.operator_costs import litert_costs
from edgekit.workflows.tune.bench import Bench
from edgekit_converters import ConversionError, Recipe
from edgekit_converters.tflite.sensitivity import sensitivities
from edgekit_runtimes import ModelError


def equalizes(bench: Bench) -> bool:
    """Whether there are channels to equalize."""

    def measure() -> bool:
        return bench.variants.equalized is not None

    return bool(_known(bench, "equalized channels", (), measure, False))


def noises_of(bench: Bench, recipe: Recipe) -> dict[str, float]:
    """The noise of rounding each tensor alone, by name; none where it cannot be measured."""

    def measure() -> dict[str, float]:
        quantized = bench.variants.write(recipe, {}).quantized
        assert quantized is not None
        calibration = bench.variants.samples
        return sensitivities(
            quantized.graph, quantized.file, calibration, progress=bench.watch.advance
        )

    found = dict(_known(bench, "noise of each tensor", (repr(recipe),), measure, {}))
    bench.noises = bench.noises or found
    return found


def costs_of(bench: Bench, recipe: Recipe) -> GraphCosts | None:
    """What each operator takes in LiteRT in float32 and int8; None where it cannot be measured."""

    def measure() -> Any:
        quantized = bench.variants.write(recipe, {}).quantized
        assert quantized is not None
        costs = litert_costs(bench.variants.job.integer_graph, quantized.file)
        return to_plain(costs)

    plain = _known(bench, "cost of each operator", (), measure, None)
    if plain is None:
        return None
    return GraphCosts(
        tuple(from_plain(OperatorCost, operator) for operator in plain["operators"]),
        tuple(from_plain(TensorCost, tensor) for tensor in plain["tensors"]),
        plain["ends"],
    )


def _known(
    bench: Bench, what: str, of: tuple[object, ...], measure: Callable[[], Any], without: Any
) -> Any:
    """What was kept under a name, or is measured now; and what stands for it where that fails."""
    named = what, *of
    if found := bench.kept.find(*named):
        return found[0]["known"]
    if what in bench.crashed:
        bench.note(f"the {what} is not used: {bench.crashed[what]}")
        return without
    bench.watch.begin(f"the {what}")
    bench.running.write_text(json.dumps([what, f"the {what}"]), encoding="utf-8")
    try:
        known = measure()
    except (ConversionError, ModelError, DataError) as error:
        bench.note(f"the {what} is not used: {error}")
        return without
    finally:
        bench.running.unlink(missing_ok=True)
    bench.kept.keep({"known": known}, of=named)
    return known
