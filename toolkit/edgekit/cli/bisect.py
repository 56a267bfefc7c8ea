"""``edgekit bisect``: the first layer that a target computes otherwise."""

import json
import sys
from pathlib import Path

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import LIMIT_BROKEN, OK, draw, errors, say
from edgekit.cli.options import json_option


@click.command(short_help="Name the first layer that a device computes otherwise.")
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--target",
    required=True,
    metavar="TARGET",
    help="Where it is wrong: a name that `edgekit devices` lists, or ssh://user@host[:port][/path].",
)
@click.option(
    "--data",
    metavar="DATA",
    help="Samples, as for validate. [default: the folder's golden samples]",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    default=8,
    show_default=True,
    help="The most samples to run.",
)
@click.option(
    "--device", metavar="DEVICE", default="cpu", show_default=True, help="On a board, its device."
)
@click.option(
    "--python", metavar="PATH", help="On a board, its Python. [default: the one that has edgekit]"
)
@click.option(
    "--reference",
    metavar="DEVICE",
    default="cpu",
    show_default=True,
    help="The device of this machine where it is right.",
)
@json_option
def bisect(
    model: Path,
    target: str,
    data: str | None,
    samples: int,
    device: str,
    python: str | None,
    reference: str,
    as_json: bool,
) -> None:
    """Run a MODEL, a file or a folder, layer by layer here and on a target.

    Names the first layer that the target computes otherwise, given the inputs that it has here, and how:
    it saturates, pads otherwise, has its channels in another order, a wrong scale, ...

    \b
    Exit status: 0 the same but for rounding, 1 different, 2 or more on an error.
    """
    if "://" not in target and (python is not None or device != "cpu"):
        raise click.UsageError(
            "--device and --python are of a board: a device of this machine is itself the --target."
        )
    with errors(), steps(quiet=as_json, verbose=False) as step:
        from edgekit.workflows.bisect import bisect as find

        found = find(
            model,
            target,
            data,
            device=device,
            python=python,
            reference=reference,
            samples=samples,
            progress=step,
        )
    if as_json:
        say(json.dumps(found.to_dict(), indent=2))
    else:
        from edgekit.report.bisection_table import bisection_table

        draw(bisection_table(found))
    sys.exit(OK if found.same else LIMIT_BROKEN)
