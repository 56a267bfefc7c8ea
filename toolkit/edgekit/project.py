"""``edgekit.toml``: a project's model, data, targets and limits, for convert, validate and pytest."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.data.samples import DataError
from edgekit.errors import nearest

FILE = "edgekit.toml"

_PATHS = {"output", "labels", "html", "junit", "save"}
"""Looked for in the file's own folder; so are models and data, unless they name a function."""

_PARAMETERS = {
    "max-drop": "max_drop",
    "min": "floors",
    "max": "ceilings",
    "per-layer": "per_layer",
}
_WHOLE = ("batch", "samples", "opset", "worst")
_REPEATED = ("max-drop", "min", "max")
# What each table may hold: the options of the command of that name, without the dashes in front.
_SHARED = ("model", "data", "scale", "trust", "max-drop", "min", "max", "strict", "timeout")
KEYS: dict[str, tuple[str, ...]] = {
    "": ("model", "data", "output", "convert", "validate"),
    "convert": (*_SHARED, "output", "to", "precision", "batch", "io", "samples", "opset", "labels"),
    "validate": (
        *_SHARED,
        "candidates",
        "samples",
        "device",
        "metric",
        "per-layer",
        "worst",
        "html",
        "junit",
        "save",
    ),
}


@dataclass(frozen=True, slots=True)
class Project:
    """What the file says, with its paths made whole."""

    convert: Mapping[str, Any] = field(default_factory=dict)
    validate: Mapping[str, Any] = field(default_factory=dict)


def read_project(path: Path) -> Project:
    """Reads an ``edgekit.toml``; an empty project where there is none.

    ``model``, ``data`` and ``output`` at the top are for all commands; a command's own table comes
    first. Without ``candidates``, ``validate`` judges what ``convert`` writes.

    Raises:
        DataError: it is no TOML, or has a key that means nothing.
    """
    if not path.is_file():
        return Project()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: this is no TOML: {error}") from error
    for table in KEYS:
        given = told if not table else told.get(table, {})
        if not isinstance(given, dict):
            raise DataError(f"{path}: {table} is a table: write [{table}] above its keys.")
        for key in given:
            if key not in KEYS[table]:
                where = f"[{table}]" if table else "the file"
                raise DataError(
                    f"{path}: {where} has no key {key!r}{nearest(key, KEYS[table])}. It may hold "
                    f"{', '.join(KEYS[table])}."
                )
    for table in ("convert", "validate"):
        for key, value in told.get(table, {}).items():
            if key in _WHOLE and type(value) is not int:
                raise DataError(f"{path}: [{table}] {key} = {value!r}: a whole number is wanted.")
    common = {key: told[key] for key in ("model", "data", "output") if key in told}
    convert = {**common, **told.get("convert", {})}
    validate = {**common, "candidates": [convert.get("output", "out")], **told.get("validate", {})}
    validate.pop("output", None)
    return Project(*({k: _placed(k, v, path) for k, v in t.items()} for t in (convert, validate)))


def defaults(project: Project) -> dict[str, dict[str, Any]]:
    """The project as the command's defaults, by command and parameter."""
    return {
        "convert": {_PARAMETERS.get(k, k): _typed(k, v) for k, v in project.convert.items()},
        "validate": {
            _PARAMETERS.get(k, k): v if k == "candidates" else _typed(k, v)
            for k, v in project.validate.items()
        },
    }


def _typed(key: str, value: Any) -> Any:
    """A value as it would be typed in the shell."""
    if key in _REPEATED:
        several = value if isinstance(value, (list, dict)) else [value]
        if isinstance(several, dict):
            return [f"{name}={v}" for name, v in several.items()]
        return [str(v) for v in several]
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _placed(key: str, value: Any, path: Path) -> Any:
    """Paths are those from the file's folder, whatever folder the command is typed in."""
    if isinstance(value, list):
        return [_placed(key, v, path) for v in value]
    if not isinstance(value, str) or key not in {*_PATHS, "model", "data", "candidates"}:
        return value
    near = path.parent / value
    return str(near) if key in _PATHS or key == "candidates" or near.exists() else value
