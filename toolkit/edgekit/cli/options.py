"""Flags: those of declared options, and those that several commands share."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from edgekit.options.declared import RunOptions
from edgekit.options.kinds import Bounds, File, Kind, Names, Paths, Switch, Whole
from edgekit.options.option import Option
from edgekit.options.values import described, options_in
from edgekit.project import key_of

F = TypeVar("F", bound=Callable[..., Any])


class Value(click.ParamType[Any]):
    """A value of a kind of option; click names the flag where the kind refuses it."""

    def __init__(self, kind: Kind) -> None:
        self.name = "path" if isinstance(kind, (File, Paths)) else "value"
        self.kind = kind

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """What the kind reads."""
        try:
            return self.kind.read(value)
        except ValueError as error:
            self.fail(f"{value}: {error}.", param, ctx)

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """The kind's names, of several joined by commas the last; else files."""
        choices = getattr(self.kind, "choices", None)
        if choices is None:
            return [CompletionItem(incomplete, type="file")]
        several = isinstance(self.kind, Names)
        before = incomplete[: incomplete.rfind(",") + 1] if several else ""
        given = before.split(",")
        return [
            CompletionItem(before + name)
            for name in choices()
            if name not in given and (before + name).startswith(incomplete)
        ]


class Numbers(click.ParamType[Any]):
    """Whole numbers of 1 or more, joined by commas."""

    name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The numbers as a tuple, each once."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(Whole().read(number) for number in Names().read(value))
        except ValueError as error:
            self.fail(f"{value}: {error}.", param, ctx)


class Fraction(click.ParamType[Any]):
    """A fraction, as ``90%`` or ``0.9``."""

    name = "fraction"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The fraction as a number of 0 to 1."""
        if isinstance(value, float):
            return value
        try:
            return float(value[:-1]) / 100 if value.endswith("%") else float(value)
        except ValueError:
            self.fail(f"{value!r}: a fraction is written 90% or 0.9.", param, ctx)


def options_of(declared: type) -> Callable[[F], F]:
    """Give a command a flag, or an argument, for each option of a type of ``edgekit.options.declared``.

    What is not typed is None, or empty where a flag may be repeated: see ``typed``.
    """

    def decorate(command: F) -> F:
        for name, option in reversed(options_in(declared).items()):
            command = _parameter(name, option)(command)
        return command

    return decorate


def typed(parameters: dict[str, Any]) -> dict[str, Any]:
    """The options that were typed, without those that were left out."""
    return {name: value for name, value in parameters.items() if value not in (None, ())}


def _parameter(name: str, option: Option) -> Callable[[F], F]:
    kind = option.kind
    if option.positional:
        several = isinstance(kind, Paths)
        shown = f"[{kind.metavar}]{'...' if several else ''}"
        return click.argument(
            name,
            required=False,
            nargs=-1 if several else 1,
            metavar=shown,
            type=Value(File() if several else kind),
        )
    flag = f"--{key_of(name)}"
    text = described(option)
    if isinstance(kind, Switch):
        either = f"{flag}/--no-{key_of(name)}" if option.default is None else flag
        return click.option(either, name, is_flag=True, default=None, help=text)
    return click.option(
        *filter(None, [option.short, flag]),
        name,
        multiple=isinstance(kind, Bounds),
        type=str if isinstance(kind, Bounds) else Value(kind),
        metavar=kind.metavar,
        help=text,
    )


def completed_by(names: Callable[[], Iterable[str]]) -> Callable[[Any, Any, str], list[str]]:
    """What completes a flag in the shell: the names that begin as what was typed."""
    return lambda _context, _flag, incomplete: [
        name for name in names() if name.startswith(incomplete)
    ]


def target_names() -> Iterable[str]:
    """The targets of ``edgekit export``."""
    from edgekit.targets.table import TARGETS

    return TARGETS


def _device_names() -> Iterable[str]:
    from edgekit_runtimes import DEVICES

    return dict.fromkeys(["cpu", "gpu", "npu", "auto", *(device.name for device in DEVICES)])


def printing_options(command: F) -> F:
    """Flags that say what is printed."""
    for option in (
        click.option("--verbose", "-v", is_flag=True, help="Print each step with its time."),
        click.option("--quiet", "-q", is_flag=True, help="Print errors only."),
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
    ):
        command = option(command)
    return command


device_option = click.option(
    "--device",
    metavar="DEVICE",
    default="cpu",
    show_default=True,
    help="cpu, gpu, npu, auto (the fastest), or a name that `edgekit devices` lists.",
    shell_complete=completed_by(_device_names),
)

threads_option = click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Threads for one call. [default: 1, or what auto finds]",
)

devices_option = click.option(
    "--devices",
    type=Value(Names()),
    metavar="NAMES",
    default="cpu",
    show_default=True,
    help="Devices to run each file on, joined by commas.",
)

scale_option = click.option(
    "--scale",
    type=Value(options_in(RunOptions)["scale"].kind),
    metavar="HOW",
    help=described(options_in(RunOptions)["scale"]),
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

file_argument = click.argument("model", type=click.Path(exists=True, path_type=Path))
