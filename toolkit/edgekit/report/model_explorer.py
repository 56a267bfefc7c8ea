"""The differences of two files as node data for Google's Model Explorer.

Its format is documented in the project's wiki and by ``model_explorer.node_data_builder``: values by the
names of the tensors that nodes make, and colours by thresholds.
"""

import json
from math import isinf
from pathlib import Path
from typing import Any

from edgekit.bundle.atomic import replacing
from edgekit.report.diff_result import FileDiff

_THRESHOLDS = ((10.0, "#b3261e"), (20.0, "#f2994a"), (30.0, "#f2d64b"), (40.0, "#b7d97a"))
"""SQNR in dB up to which a node has a colour: the gate's limit for plain numbers is 20 dB."""
_GOOD, _NEW = "#7bc47f", "#9db7e8"


def node_data(file: FileDiff, side: str = "b") -> dict[str, Any]:
    """Make node data for the graph of one of two files: the SQNR of each layer against the other file's.

    A layer that is equal in both has the value "equal", one that only this file has "only here", and one
    that was not compared what it computes in.

    Args:
        file: of ``edgekit.diff``.
        side: the file whose graph is looked at: ``b`` or ``a``.
    """
    results: dict[str, dict[str, Any]] = {}
    for layer in file.layers:
        here, there = (layer.b, layer.a) if side == "b" else (layer.a, layer.b)
        if here is None or here.operator == "input":
            continue
        if there is None:
            results[here.name] = {"value": "only here", "bgColor": _NEW}
        elif layer.sqnr_db is None:
            results[here.name] = {"value": layer.note or here.precision}
        elif isinf(layer.sqnr_db) and layer.sqnr_db > 0:
            results[here.name] = {"value": "equal", "bgColor": _GOOD}
        else:
            value = -100.0 if isinf(layer.sqnr_db) else round(layer.sqnr_db, 2)
            results[here.name] = {"value": value}
    other = file.a if side == "b" else file.b
    return {
        "name": f"SQNR dB against {Path(other.path).name}" if other else "SQNR dB",
        "results": results,
        "thresholds": [
            *({"value": value, "bgColor": colour} for value, colour in _THRESHOLDS),
            {"value": 1000, "bgColor": _GOOD},
        ],
    }


def write_node_data(file: FileDiff, path: Path) -> None:
    """Write node data for the graph of B, to be loaded beside it in Model Explorer."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(node_data(file), indent=2) + "\n", encoding="utf-8")
