"""``edgekit.toml``: a project's model, data, targets and limits, for convert, tune, validate and pytest."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError, nearest
from edgekit.options.declared import ConvertCommand, ValidateCommand
from edgekit.options.kinds import Anything, ClassNames, File, Kind, Paths
from edgekit.options.option import Option
from edgekit.options.tune import TuneCommand
from edgekit.options.values import described, options_in

FILE = "edgekit.toml"

_TABLES: dict[str, type] = {
    "convert": ConvertCommand,
    "tune": TuneCommand,
    "validate": ValidateCommand,
}
_COMMON = ("model", "data", "output")


class ProjectError(EdgekitError):
    """An ``edgekit.toml`` that cannot be read, or says what means nothing."""


@dataclass(frozen=True, slots=True)
class Project:
    """What the file gives for each command: checked values by the names that Python has for them."""

    convert: Mapping[str, Any] = field(default_factory=dict)
    tune: Mapping[str, Any] = field(default_factory=dict)
    validate: Mapping[str, Any] = field(default_factory=dict)


def read_project(path: Path) -> Project:
    """Read an ``edgekit.toml``; an empty project where there is none.

    ``model``, ``data`` and ``output`` at the top are for all commands; a command's own table comes
    first. Without ``candidates``, ``validate`` evaluates what ``convert`` writes. Paths start at the
    file's folder.

    Raises:
        ProjectError: it is not TOML, or has a key or a value that means nothing.
    """
    if not path.is_file():
        return Project()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # Python reads no number of thousands of digits
        raise ProjectError(f"{path}: not a TOML file: {error}") from error
    top = {key: value for key, value in content.items() if key not in _TABLES}
    common = _read(top, "", {key: options_in(ConvertCommand)[key] for key in _COMMON}, path)
    convert, tune, validate = (_table(content, name, path) for name in _TABLES)
    convert, tune = common | convert, common | tune
    output = convert.get("output", path.parent / options_in(ConvertCommand)["output"].default)
    common.pop("output", None)
    return Project(convert, tune, {**common, "candidates": (output,), **validate})


def schema() -> dict[str, Any]:
    """The JSON Schema of ``edgekit.toml``, by which an editor completes and checks it."""
    tables = {name: _schema_of(options_in(options)) for name, options in _TABLES.items()}
    common = _schema_of({key: options_in(ConvertCommand)[key] for key in _COMMON})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FILE,
        **common,
        "properties": common["properties"] | tables,
    }


def key_of(name: str) -> str:
    """An option's key in the file, which is also its flag without the dashes in front.

    >>> key_of("keep_float"), key_of("for_")  # a word of Python's has a dash behind it there
    ('keep-float', 'for')
    """
    return name.rstrip("_").replace("_", "-")


def _table(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ProjectError(f"{path}: {name} is a table: write [{name}] above its keys.")
    return _read(table, name, options_in(_TABLES[name]), path)


def _read(
    table: Mapping[str, Any], name: str, options: Mapping[str, Option], path: Path
) -> dict[str, Any]:
    names = {key_of(option): option for option in options}
    known = [*names] if name else [*names, *_TABLES]
    where = f"[{name}]" if name else "the file"
    values = {}
    for key, value in table.items():
        if key not in names:
            raise ProjectError(
                f"{path}: {where} has no key {key!r}{nearest(key, known)}. It may hold "
                f"{', '.join(known)}."
            )
        kind = options[names[key]].kind
        try:
            values[names[key]] = kind.read(_placed(kind, value, path.parent))
        except ValueError as error:
            raise ProjectError(f"{path}: {where} {key} = {value!r}: {error}.") from error
    return values


def _placed(kind: Kind, value: Any, folder: Path) -> Any:
    """Let a path start at the file's folder, whatever folder the command is typed in."""
    if isinstance(kind, Paths) and isinstance(value, list):
        return [_placed(kind, path, folder) for path in value]
    if not isinstance(value, str) or not isinstance(kind, (Anything, ClassNames, File, Paths)):
        return value
    near = folder / value
    is_name = isinstance(kind, Anything) and not near.exists()  # module:function, or random
    return value if is_name else str(near)


def _schema_of(options: Mapping[str, Option]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            key_of(name): {"description": described(option), **option.kind.schema()}
            for name, option in options.items()
        },
    }
