"""The command's parameter types, and the options that its commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

PROJECT = "edgekit.toml"
"""What convert and validate would need flags for, in the folder where they are typed."""

F = TypeVar("F", bound=Callable[..., Any])


class Names(click.ParamType[Any]):
    """Names joined by commas, out of those that are known."""

    name = "names"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The names as a tuple, each once."""
        import edgekit_converters

        known: tuple[str, ...] = getattr(edgekit_converters, self.kind)
        names = tuple(dict.fromkeys(n.strip() for n in value.split(",") if n.strip()))
        if unknown := [n for n in names if n not in known]:
            self.fail(f"{', '.join(unknown)}: choose from {', '.join(known)}.", param, ctx)
        return names


class Listed(click.ParamType[Any]):
    """Values joined by commas."""

    name = "listed"

    def __init__(self, kind: Callable[[str], Any] = str) -> None:
        self.kind = kind

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The values as a tuple, each once."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(
                dict.fromkeys(self.kind(v.strip()) for v in value.split(",") if v.strip())
            )
        except ValueError:
            self.fail(f"{value!r}: give numbers joined by commas.", param, ctx)
        if not found:
            self.fail("give at least one.", param, ctx)
        return found


class Share(click.ParamType[Any]):
    """A share, as ``1%`` or ``0.01``."""

    name = "share"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The share as a number of 0 to 1."""
        if isinstance(value, float):
            return value
        try:
            return float(value[:-1]) / 100 if value.endswith("%") else float(value)
        except ValueError:
            self.fail(f"{value!r}: a share is written 1% or 0.01.", param, ctx)


scale_option = click.option(
    "--scale",
    type=click.Choice(["0..1", "-1..1", "0..255", "caffe", "torch"]),
    metavar="HOW",
    help="Of image folders: pixels become 0..1, -1..1, 0..255, or what Keras calls caffe or torch. "
    "[default: 0..1]",
)


def shared_options(command: F) -> F:
    """The options of every command that judges files."""
    options = (
        scale_option,
        click.option(
            "--trust", is_flag=True, help="Run code that the model file carries (Lambda layers)."
        ),
        click.option(
            "--max-drop",
            multiple=True,
            metavar="[METRIC=]DROP",
            help="What a file may lose: 1%, f1=2%, rmse=5%rel (of the original's). [default: 1%]",
        ),
        click.option(
            "--min",
            "floors",
            multiple=True,
            metavar="METRIC=VALUE",
            help="What a file must reach: top1=0.9, or of one output f1@digit=0.8.",
        ),
        click.option(
            "--max",
            "ceilings",
            multiple=True,
            metavar="METRIC=VALUE",
            help="What a file must stay under: rmse=0.5.",
        ),
        click.option(
            "--strict",
            is_flag=True,
            help="Fail also where the samples are too few to prove a limit.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(0, min_open=True),
            metavar="SECONDS",
            help="Give up after this long.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
        click.option("--quiet", "-q", is_flag=True, help="Print errors only."),
        click.option("--verbose", "-v", is_flag=True, help="Print every step with its time."),
    )
    for option in reversed(options):
        command = option(command)
    return command


device_option = click.option(
    "--device",
    metavar="DEVICE",
    default="cpu",
    show_default=True,
    help="cpu, gpu, npu, auto (the fastest), or a name that `edgekit devices` lists.",
)


threads_option = click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Processors for one call. [default: 1, or what auto finds]",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


file_argument = click.argument("model", type=click.Path(exists=True, path_type=Path))
