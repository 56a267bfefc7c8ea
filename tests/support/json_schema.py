"""JSON Schemas of edgekit's documents, generated from the dataclasses that the documents are made of.

``PYTHONPATH=tests python -m support.json_schema`` writes them into ``toolkit/edgekit/schemas``.
"""

import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import edgekit.project
from edgekit.accuracy.intervals import Verdict
from edgekit.accuracy.results import OutputResult
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.recipes import RecipesDocument
from edgekit.bundle.schema import BISECTION, DIFF, MANIFEST, PREDICTIONS, RECIPE, REPORT
from edgekit.report.bisection import Bisection
from edgekit.report.diff_result import Diff
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report
from edgekit.workflows.run import PredictionsDocument

FOLDER = Path(edgekit.__file__).parent / "schemas"

Schema = dict[str, Any]

# What a document has that its dataclass has not, and the reverse; see the ``to_dict`` methods.
ADDED: Mapping[type, Mapping[str, Any]] = {
    Report: {"schema": Literal[REPORT], "verdict": Verdict},  # type: ignore[valid-type]
    FileResult: {"verdict": Verdict},
    Manifest: {"schema": Literal[MANIFEST]},  # type: ignore[valid-type]
    PredictionsDocument: {"schema": Literal[PREDICTIONS]},  # type: ignore[valid-type]
    RecipesDocument: {"schema": Literal[RECIPE]},  # type: ignore[valid-type]
    Bisection: {"schema": Literal[BISECTION], "same": bool},  # type: ignore[valid-type]
    Diff: {"schema": Literal[DIFF], "same": bool},  # type: ignore[valid-type]
    OutputResult: {"verdict": Verdict, "reason": str},
}
LEFT_OUT: Mapping[type, set[str]] = {
    Manifest: {"schema"},
    Report: {"pictures"},
    OutputResult: {"per_sample"},
}


def schema_of(root: type, title: str) -> Schema:
    """The schema of a dataclass's document; other dataclasses are definitions in it."""
    definitions: dict[str, Schema] = {}
    schema = _object(root, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **schema,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(cls: type, definitions: dict[str, Schema]) -> Schema:
    hints = typing.get_type_hints(cls)
    left_out = LEFT_OUT.get(cls, set())
    kinds = {
        **ADDED.get(cls, {}),
        **{f.name: hints[f.name] for f in fields(cls) if f.name not in left_out},
    }
    return {
        "type": "object",
        "properties": {name: _value(kind, definitions) for name, kind in kinds.items()},
        "required": list(kinds),
        "additionalProperties": False,
    }


def _value(kind: Any, definitions: dict[str, Schema]) -> Schema:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # ends a recursion
            definitions[kind.__name__] = _object(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if kind is float:
        return {"type": ["number", "null"]}  # null for infinite values and NaN
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_value(argument, definitions) for argument in arguments]}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": _value(arguments[1], definitions)}
    if origin is tuple and arguments[1:] == (...,):
        return {"type": "array", "items": _value(arguments[0], definitions)}
    if origin is tuple:
        items = [_value(argument, definitions) for argument in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    raise TypeError(f"no JSON Schema for {kind}")


_PLAIN = {str: "string", int: "integer", bool: "boolean", type(None): "null"}

SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "bisection.schema.json": lambda: schema_of(Bisection, "edgekit bisection"),
    "diff.schema.json": lambda: schema_of(Diff, "edgekit diff"),
    "edgekit.schema.json": edgekit.project.schema,
    "manifest.schema.json": lambda: schema_of(Manifest, "edgekit manifest"),
    "predictions.schema.json": lambda: schema_of(PredictionsDocument, "edgekit predictions"),
    "recipe.schema.json": lambda: schema_of(RecipesDocument, "edgekit recipe"),
    "report.schema.json": lambda: schema_of(Report, "edgekit report"),
}
"""The files in ``toolkit/edgekit/schemas``."""


def text(schema: Schema) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in SCHEMAS.items():
        (FOLDER / name).write_text(text(make()), encoding="utf-8")
