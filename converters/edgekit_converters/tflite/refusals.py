"""Why TensorFlow's converter refuses a model, in one sentence that names the layer."""

import re
from collections.abc import Mapping

_REMEDIES = {
    "DenseBincount": "Use keras.ops.one_hot, and keras.ops.sum over it, times the weights",
    "Bincount": "Use keras.ops.one_hot, and keras.ops.sum over it",
    "Erf": "keras.ops.gelu has an operator of its own",
    "AsString": "Hash or look words up outside the model",
    "StringToHashBucketFast": "Hash or look words up outside the model",
    "LookupTableFindV2": "Look numbers up outside the model, and let it take their places in the vocabulary",
    "SparseCross": "Cross features outside the model, and let it take the numbers of the buckets",
}
_OTHERWISE = "Compute it outside the model, or by another layer"


def refusal(error: Exception, kinds: Mapping[str, str], layers: Mapping[str, str]) -> str:
    """Return the reason, without the compiler's own words where the cause is an operator.

    Args:
        error: what the converter raised.
        kinds: the kind of each operator of the graph, by its name.
        layers: the name of the layer of each name scope.
    """
    missing = dict.fromkeys(re.findall(r"'tf\.(\w+)' op is neither a custom op", str(error)))
    missing.pop("Placeholder", None)  # the table of a look-up
    if not missing:
        return f"TensorFlow cannot convert this model: {_first_cause(error)}"
    kind, *_ = missing
    scopes = [name.split("/")[:-1] for name, other in kinds.items() if other == kind]
    around = ["/".join(scope[:end]) for scope in scopes for end in range(len(scope), 0, -1)]
    layer = next((layers[scope] for scope in around if "/" in scope and scope in layers), None)
    where = f"the layer {layer!r}" if layer else "an operation of the model (keras.ops)"
    listed = " and ".join(missing)
    return (
        f"{where} computes {listed}, which TFLite has no operator for; the ONNX file is made from it. "
        f"{_REMEDIES.get(kind, _OTHERWISE)}."
    )


def _first_cause(error: Exception) -> str:
    """Return the first line that says something, without the place in a source file before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    first = (errors or lines or [type(error).__name__])[0]
    return first.rpartition("error: ")[2]
