"""What values an option can take: each kind checks a value, and describes itself for a schema.

A value may come from Python, from ``edgekit.toml`` or as text from the shell: ``read`` takes all three
and gives one form. It raises ``ValueError`` with the reason; who calls it names the option.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgekit.names import names

N = TypeVar("N", int, float)

Choices = Callable[[], Iterable[str]]
"""A function, so that no package is imported before a value is checked."""


class Kind(Protocol):
    """What an option can take."""

    @property
    def metavar(self) -> str:
        """What stands for a value in ``--help``."""

    def read(self, value: Any) -> Any:
        """The value in its one form; ``ValueError`` with the reason where it has none."""

    def schema(self) -> dict[str, Any]:
        """The values as JSON Schema has them."""


@dataclass(frozen=True, slots=True)
class Switch:
    """True or false: a flag in the shell."""

    metavar: str = ""

    def read(self, value: Any) -> bool | None:
        """The value itself."""
        if value is not None and not isinstance(value, bool):
            raise ValueError("true or false is wanted")
        return value

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two others."""

    least: int = 1
    most: int | None = None
    metavar: str = "N"

    def read(self, value: Any) -> int:
        """The number as an ``int``."""
        number = _number(value, int)
        if number < self.least or (self.most is not None and number > self.most):
            raise ValueError(
                f"{self.least} or more is wanted"
                if self.most is None
                else f"a number from {self.least} to {self.most} is wanted"
            )
        return number

    def schema(self) -> dict[str, Any]:
        """An integer with its bounds."""
        most = {} if self.most is None else {"maximum": self.most}
        return {"type": "integer", "minimum": self.least, **most}


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time, longer than nothing; None is without end."""

    metavar: str = "SECONDS"

    def read(self, value: Any) -> float | None:
        """The seconds as a ``float``."""
        if value is None:
            return None
        seconds = _number(value, float)
        if not 0 < seconds < inf:
            raise ValueError("a number of seconds above 0 is wanted")
        return seconds

    def schema(self) -> dict[str, Any]:
        """A number above zero."""
        return {"type": "number", "exclusiveMinimum": 0}


@dataclass(frozen=True, slots=True)
class Duration:
    """A time as people write it, ``90``, ``"90s"``, ``"10min"`` or ``"1.5h"``; None is without end."""

    metavar: str = "TIME"

    def read(self, value: Any) -> float | None:
        """The seconds as a ``float``."""
        if value is None:
            return None
        text = str(value).strip()
        unit = next((u for u in sorted(_UNITS, key=len, reverse=True) if text.endswith(u)), "")
        try:
            seconds = _number(text.removesuffix(unit).strip(), float) * _UNITS.get(unit, 1)
        except ValueError:
            seconds = -1
        if isinstance(value, bool) or not 0 < seconds < inf:
            raise ValueError("a time above 0 is wanted, as 90s, 10min or 1.5h")
        return seconds

    def schema(self) -> dict[str, Any]:
        """Seconds, or a text."""
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}


_UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some names; None is none of them."""

    choices: Choices
    metavar: str = "NAME"

    def read(self, value: Any) -> str | None:
        """The name itself."""
        if value is None or value in (known := list(self.choices())):
            return value  # type: ignore[no-any-return]
        raise ValueError(f"choose from {', '.join(known)}")

    def schema(self) -> dict[str, Any]:
        """The names."""
        return {"enum": list(self.choices())}


@dataclass(frozen=True, slots=True)
class Text:
    """A name that another part of the program knows; None is none."""

    metavar: str = "NAME"

    def read(self, value: Any) -> str | None:
        """The text itself."""
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            raise ValueError("a name is wanted")
        return value

    def schema(self) -> dict[str, Any]:
        """A text."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Names:
    """One or more names: ``"int8"``, ``"float32,int8"`` or a sequence. Each counts once."""

    choices: Choices | None = None
    """None where another part of the program knows them."""
    metavar: str = "NAMES"
    may_be_empty: bool = False

    def read(self, value: Any) -> tuple[str, ...]:
        """The names, in the order of the choices or as they were given."""
        if not isinstance(value, Sequence) or any(not isinstance(name, str) for name in value):
            raise ValueError("a name, or a list of names, is wanted")
        given = tuple(dict.fromkeys(names(value)))
        if not given and not self.may_be_empty:
            raise ValueError(f"at least one is wanted{self._of_which()}")
        return given if self.choices is None else tuple(_chosen(given, self.choices))

    def schema(self) -> dict[str, Any]:
        """A name or a list of names; several in one text are left to ``read``."""
        name: dict[str, Any] = {"type": "string"}
        if self.choices is not None:
            name = {"enum": list(self.choices())}
        least = {} if self.may_be_empty else {"minItems": 1}
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": name, **least}]}

    def _of_which(self) -> str:
        return f" of {', '.join(self.choices())}" if self.choices else ""


@dataclass(frozen=True, slots=True)
class File:
    """A file's path, or a folder's."""

    metavar: str = "PATH"

    def read(self, value: Any) -> Path | None:
        """The path."""
        if value is not None and not isinstance(value, (str, PathLike)):
            raise ValueError("a path is wanted")
        return None if value is None else Path(value)

    def schema(self) -> dict[str, Any]:
        """A text."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Anything:
    """What another part of the program reads: a model, samples."""

    metavar: str = ""

    def read(self, value: Any) -> Any:
        """The value itself."""
        return value

    def schema(self) -> dict[str, Any]:
        """A text: a file or a function's name."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Paths:
    """Files or folders: one, or a sequence."""

    metavar: str = "PATH..."

    def read(self, value: Any) -> tuple[Path, ...]:
        """The paths."""
        several = [value] if isinstance(value, (str, PathLike)) else value
        try:
            return tuple(map(Path, several))
        except TypeError:
            raise ValueError("a path, or a list of paths, is wanted") from None

    def schema(self) -> dict[str, Any]:
        """A path or a list of paths."""
        path = {"type": "string"}
        return {"anyOf": [path, {"type": "array", "items": path, "minItems": 1}]}


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The names of a model's classes, in order: a sequence, or a text file with one a line."""

    metavar: str = "FILE"

    def read(self, value: Any) -> tuple[str, ...]:
        """The names."""
        if isinstance(value, (str, PathLike)):
            try:
                return tuple(Path(value).read_text(encoding="utf-8").splitlines())
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"cannot be read as a text file: {error}") from error
        if not isinstance(value, Sequence):
            raise ValueError("a list of names, or a text file's path, is wanted")
        return tuple(_texts(value))

    def schema(self) -> dict[str, Any]:
        """A path or a list of names."""
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits on metrics: ``0.01``, ``"1%"``, ``"f1=2%"``, a list of such, or ``{"f1": "2%"}``.

    ``edgekit.accuracy.limits`` knows the metrics, and reads them.
    """

    metavar: str = "METRIC=VALUE"
    repeated: bool = True

    def read(self, value: Any) -> tuple[str, ...]:
        """The bounds as text, one each."""
        if isinstance(value, Mapping):
            value = [f"{name}={bound}" for name, bound in value.items()]
        several = [value] if isinstance(value, (str, int, float)) else value
        if not isinstance(several, Iterable) or any(
            isinstance(bound, bool) or not isinstance(bound, (str, int, float)) for bound in several
        ):
            raise ValueError('0.01, "1%", "f1=2%", a list of such, or {"f1": "2%"} is wanted')
        return tuple(map(str, several))

    def schema(self) -> dict[str, Any]:
        """A number, a text, a list of texts, or a table by metric."""
        bound = {"type": ["number", "string"]}
        return {
            "anyOf": [
                bound,
                {"type": "array", "items": bound},
                {"type": "object", "additionalProperties": bound},
            ]
        }


def _number(value: Any, kind: type[N]) -> N:
    wrong = ValueError(f"a {'whole ' if kind is int else ''}number is wanted")
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        raise wrong
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise wrong from None


def _chosen(names: Sequence[Any], choices: Choices) -> list[str]:
    known = list(choices())
    if unknown := [name for name in names if name not in known]:
        wrong = f"{', '.join(map(str, unknown))}: " if len(names) > 1 else ""
        raise ValueError(f"{wrong}choose from {', '.join(known)}")
    return [name for name in known if name in names]


def _texts(values: Iterable[Any]) -> list[str]:
    texts = list(values)
    if any(not isinstance(text, str) for text in texts):
        raise ValueError("names are wanted")
    return texts
