"""The values of declared options: checked, with defaults, and shown in signatures and help."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from edgekit.errors import OptionError, nearest
from edgekit.options.declared import FileOptions, LimitOptions, RunOptions, SavedOptions
from edgekit.options.option import Option

F = TypeVar("F", bound=Callable[..., Any])

_SHARED: tuple[type, ...] = (FileOptions, SavedOptions, LimitOptions, RunOptions)


def options_in(declared: type) -> dict[str, Option]:
    """The options of one of the types above, by name; those that several types share come last."""
    options = {name: hint.__metadata__[0] for name, hint in declared.__annotations__.items()}
    shared = [name for base in _SHARED for name in base.__annotations__ if name in options]
    return {name: options[name] for name in options if name not in shared} | {
        name: options[name] for name in shared
    }


def read_option(name: str, option: Option, value: Any) -> Any:
    """One value in its one form.

    Raises:
        OptionError: the option cannot take it.
    """
    try:
        return option.kind.read(value)
    except ValueError as error:
        raise OptionError(f"{name}={value!r}: {error}.") from error


def resolve(declared: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every option of a type, checked: what was given, and defaults for the rest.

    Raises:
        OptionError: a value that its option cannot take.
        TypeError: an option that there is not.
    """
    options = options_in(declared)
    if unknown := [name for name in given if name not in options]:
        raise TypeError(
            f"unexpected keyword argument {unknown[0]!r}{nearest(unknown[0], options)}: the options are "
            f"{', '.join(options)}"
        )
    return {
        name: read_option(name, option, given[name]) if name in given else option.default
        for name, option in options.items()
    }


def with_options(declared: type) -> Callable[[F], F]:
    """Show the options of a type in the signature and the docstring of a function that takes them.

    The function ends its parameters with ``**options``, and its docstring has a line ``{options}``.
    """

    def document(function: F) -> F:
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = options_in(declared)
        for name, option in options.items():
            hint = declared.__annotations__[name].__origin__
            annotation = getattr(hint, "__forward_arg__", hint)
            parameters.append(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=option.default,
                    annotation=annotation,
                )
            )
        shown = signature.replace(parameters=parameters)
        function.__signature__ = shown  # type: ignore[attr-defined]
        lines = (f"{name}: {described(option)}" for name, option in options.items())
        function.__doc__ = (function.__doc__ or "").replace("{options}", "\n        ".join(lines))
        return function

    return document


def described(option: Option) -> str:
    """The help of an option, with its default."""
    default = option.default_help or option.default
    if isinstance(default, tuple):
        default = ",".join(default)
    known = default not in ("", None, False)
    return f"{option.help} [default: {default}]" if known else option.help
