"""What levers need to know of a model: measured once, kept, and a note where it cannot be measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.bundle.plain import from_plain, to_plain
from edgekit.data.samples import DataError
from edgekit.inference.assignment import GraphCosts, OperatorCost, TensorCost
from edgekit.inference.node_costs import ort_costs
from edgekit.inference.operator_costs import litert_costs
from edgekit.workflows.tune.bench import Bench, float32
from edgekit.workflows.tune.ladder import Rung
from edgekit.workflows.tune.trial import Trial
from edgekit_converters import FORMATS, ConversionError, Recipe
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
            quantized.graph,
            quantized.file,
            calibration,
            mapped=bench.elsewhere.map,
            progress=bench.watch.advance,
        )

    found = dict(_known(bench, "noise of each tensor", (repr(recipe),), measure, {}))
    bench.noises = bench.noises or found
    return found


def costs_of(bench: Bench, form: str, base: Rung) -> GraphCosts | None:
    """What each operator takes in float32 and in int8 in a format's runtime, on this processor.

    None where it cannot be measured.
    """

    def measure() -> Any:
        quantized = bench.variants.write(base[1], {}).quantized
        assert quantized is not None
        pair = bench.variants.job.integer_graph, quantized.file
        return to_plain(_COSTS[form](bench, pair, base))

    what = f"cost of each operator in {FORMATS[form].title}"
    plain = _known(bench, what, (), measure, None) if form in _COSTS else None
    if plain is None:
        return None
    return GraphCosts(
        tuple(from_plain(OperatorCost, operator) for operator in plain["operators"]),
        tuple(from_plain(TensorCost, tensor) for tensor in plain["tensors"]),
        plain["ends"],
    )


def _litert(bench: Bench, pair: tuple[Path, Path], base: Rung) -> GraphCosts:  # noqa: ARG001
    variants = bench.variants
    return litert_costs(*pair, original=variants.job.graph, forms=variants.forms)


def _onnx_runtime(bench: Bench, pair: tuple[Path, Path], base: Rung) -> GraphCosts:
    files = bench.file(float32("onnx")), bench.file(Trial("onnx", *base))
    return ort_costs(*pair, *files)


_COSTS: dict[str, Callable[[Bench, tuple[Path, Path], Rung], GraphCosts]] = {
    "tflite": _litert,
    "onnx": _onnx_runtime,
}
"""How the costs of a format's operators are measured."""


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
