"""``edgekit inspect``: operator placement and precision of a file."""

import json
from pathlib import Path

import click

from edgekit.cli.console import draw, errors, hushed, say
from edgekit.cli.options import (
    Fraction,
    device_option,
    file_argument,
    json_option,
    threads_option,
)


@click.command(short_help="Show operator placement and precision of a file.")
@file_argument
@device_option
@threads_option
@click.option("--strict", is_flag=True, help="Fail unless the device runs every operator.")
@click.option(
    "--min-delegated",
    type=Fraction(),
    metavar="FRACTION",
    help="Fail unless the device runs this fraction of them, as 90%.",
)
@json_option
def inspect(
    model: Path,
    device: str,
    threads: int | None,
    strict: bool,
    min_delegated: float | None,
    as_json: bool,
) -> None:
    """Open a MODEL file and show its operator placement.

    Prints inputs and outputs, the processor and the precision of each operator, and how much of the
    work is in 8-bit integers, as the runtime itself reports it.
    """
    with errors(), hushed():
        from edgekit_runtimes import open_model

        with open_model(
            model, device=device, threads=threads, strict=strict, min_delegated=min_delegated
        ) as session:
            placement = session.placement
            session_facts = session.path, session.inputs, session.outputs
    if as_json:
        from edgekit.cli.tables import placement_json

        say(json.dumps(placement_json(*session_facts, placement), indent=2))
    else:
        from edgekit.cli.tables import placement_table

        draw(placement_table(*session_facts, placement))
