"""``edgekit inspect``: operator placement and precision of a file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli.console import LIMIT_BROKEN, draw, errors, hushed, say
from edgekit.cli.options import (
    Fraction,
    completed_by,
    device_option,
    file_argument,
    json_option,
    target_names,
    threads_option,
)

if TYPE_CHECKING:
    from edgekit_runtimes import Placement


@click.command(short_help="Show operator placement and precision of a file.")
@file_argument
@device_option
@click.option(
    "--target",
    shell_complete=completed_by(target_names),
    metavar="TARGET",
    help="A chip, as `edgekit devices` lists under targets: say what it would run, and what to change.",
)
@threads_option
@click.option("--strict", is_flag=True, help="Fail unless the device runs every operator.")
@click.option(
    "--min-delegated",
    type=Fraction(),
    metavar="FRACTION",
    help="Fail unless the device runs this fraction of them, as 90%.",
)
@click.option(
    "--costs",
    is_flag=True,
    help="Time each operator in float32 and int8 on this processor, and show which is faster.",
)
@json_option
def inspect(
    model: Path,
    device: str,
    target: str | None,
    threads: int | None,
    strict: bool,
    min_delegated: float | None,
    costs: bool,
    as_json: bool,
) -> None:
    """Open a MODEL file and show its operator placement.

    Prints inputs and outputs, the processor and the precision of each operator, and how much of the
    work is in 8-bit integers, as the runtime itself reports it.

    With --costs, times each operator instead: in float32 and in int8, where both files of one conversion
    are in the folder.

    With --target, asks the tools of a chip instead: nothing is written, and nothing runs there. --strict and
    --min-delegated end with exit status 1 where the chip runs less.
    """
    if target is not None:
        if costs or device != "cpu" or threads is not None:
            raise click.UsageError(
                "--target asks a chip's tools: not with --costs, --device, --threads."
            )
        _show_target(model, target, 1.0 if strict else min_delegated or 0.0, as_json)
        return
    if costs:
        if strict or min_delegated is not None:
            raise click.UsageError(
                "--costs shows no placement: not with --strict, --min-delegated."
            )
        _show_costs(model, device, threads, as_json)
        return
    with errors(), hushed():
        from edgekit_runtimes import open_model

        with open_model(
            model, device=device, threads=threads, strict=strict, min_delegated=min_delegated
        ) as session:
            placement = session.placement
            session_facts = session.path, session.inputs, session.outputs
        if placement.device == "micro":
            placement = _with_arena(model, placement)
    if as_json:
        from edgekit.cli.tables import placement_json

        say(json.dumps(placement_json(*session_facts, placement), indent=2))
    else:
        from edgekit.cli.tables import placement_table

        draw(placement_table(*session_facts, placement))


def _with_arena(model: Path, placement: "Placement") -> "Placement":
    """The same, with the memory that a microcontroller sets aside for the file."""
    from edgekit_runtimes.engines.micro_arena import arena_bytes

    note = f"arena: {arena_bytes(model):,} bytes hold its tensors, an upper bound where pointers have 32 bits"
    return replace(placement, notes=(*placement.notes, note))


def _show_target(model: Path, target: str, least: float, as_json: bool) -> None:
    with errors(), hushed():
        from edgekit.workflows.inspection import inspect_for

        inspection = inspect_for(model, target)
    from edgekit.cli.target_tables import inspection_json, inspection_table

    if as_json:
        say(json.dumps(inspection_json(model, inspection), indent=2))
    else:
        draw(inspection_table(model, inspection))
    if inspection.placed < least * inspection.total:
        raise click.exceptions.Exit(LIMIT_BROKEN)


def _show_costs(model: Path, device: str, threads: int | None, as_json: bool) -> None:
    if device != "cpu":
        raise click.UsageError(f"--costs measures on the processor: not with --device {device}.")
    with errors(), hushed():
        from edgekit.inference.cost_table import cost_table

        table = cost_table(model, threads=threads or 1)
    from edgekit.cli.cost_tables import costs_json, costs_table

    if as_json:
        say(json.dumps(costs_json(table), indent=2))
    else:
        draw(costs_table(table))
