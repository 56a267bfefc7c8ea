"""Dataclasses to plain values for JSON, and back."""

from dataclasses import MISSING, asdict, fields, is_dataclass
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Return dicts, lists, strings and numbers; infinity and NaN, which JSON lacks, become None."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): to_plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def from_plain(kind: type[T], plain: Any, **given: Any) -> T:
    """Build a dataclass of what ``to_plain`` made of one; keys that it does not know are left out.

    Args:
        kind: the dataclass.
        plain: its fields as JSON has them.
        given: the values of fields that are not in ``plain``, or not as plain values.

    Raises:
        ValueError: a value is missing, or of another type.

    >>> from edgekit_runtimes import TensorSpec
    >>> from_plain(TensorSpec, {"name": "x", "shape": [None, 4], "dtype": "float32"})
    TensorSpec(name='x', shape=(None, 4), dtype='float32', scale=None, zero_point=0)
    """
    if not isinstance(plain, dict):
        raise ValueError(f"{kind.__name__}: an object is wanted, and this is {plain!r}")
    hints = get_type_hints(kind)
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in given:
            values[field.name] = given[field.name]
        elif field.name in plain:
            values[field.name] = _value(hints[field.name], plain[field.name], field.name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{kind.__name__}: {field.name} is missing")
    return kind(**values)


def _value(hint: Any, plain: Any, name: str) -> Any:
    if hint is Any:
        return plain
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        if plain is None and NoneType in arguments:
            return None
        return _value(next(a for a in arguments if a is not NoneType), plain, name)
    if origin is Literal:
        if plain not in arguments:
            raise ValueError(
                f"{name}: one of {', '.join(arguments)} is wanted, and this is {plain!r}"
            )
        return plain
    if origin is tuple:
        if not isinstance(plain, list):
            raise ValueError(f"{name}: a list is wanted, and this is {plain!r}")
        kinds = [arguments[0]] * len(plain) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(plain):
            raise ValueError(f"{name}: {len(kinds)} values are wanted, and these are {plain!r}")
        return tuple(_value(kind, v, name) for kind, v in zip(kinds, plain, strict=True))
    if origin is dict:
        if not isinstance(plain, dict):
            raise ValueError(f"{name}: an object is wanted, and this is {plain!r}")
        return {key: _value(arguments[1], v, name) for key, v in plain.items()}
    if is_dataclass(hint):
        return from_plain(hint, plain)  # type: ignore[arg-type]
    number = hint is float and isinstance(plain, int) and not isinstance(plain, bool)
    if not number and type(plain) is not hint:
        raise ValueError(f"{name}: {hint.__name__} is wanted, and this is {plain!r}")
    return plain
