"""The commands on finished files: run, bench, inspect, devices."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import MISSING, OK, draw, errors, hushed, steps
from edgekit.cli.options import Listed, Share, scale_option

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


@click.command()
@file_argument
@click.option("--data", metavar="DATA", required=True, help="Samples, as for convert.")
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    default=3,
    show_default=True,
    help="How many classes to print for each sample.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="N",
    default=10,
    show_default=True,
    help="How many samples to run.",
)
@device_option
@threads_option
@scale_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a sample.")
def run(
    model: Path,
    data: str,
    top: int,
    count: int,
    device: str,
    threads: int | None,
    scale: str | None,
    as_json: bool,
) -> None:
    """Run a MODEL file on samples and print what it says.

    MODEL may be a folder that convert made: then the fastest of its proven files runs.
    """
    with errors(), hushed():
        from edgekit.inference.predict import predictions

        for line in predictions(
            model, data, top=top, count=count, device=device, threads=threads, scale=scale
        ):
            click.echo(json.dumps(line.to_dict()) if as_json else str(line))


@click.command(short_help="Time files and devices side by side.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--device",
    "devices",
    type=Listed(),
    metavar="NAMES",
    default="cpu",
    show_default=True,
    help="Devices to time each file on, joined by commas.",
)
@click.option(
    "--threads",
    type=Listed(int),
    metavar="NUMBERS",
    default="1",
    show_default=True,
    help="Numbers of threads to time each with.",
)
@click.option("--data", metavar="DATA", help="Samples, as for convert. [default: random numbers]")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    default=2.0,
    show_default=True,
    help="Of calls for each.",
)
@json_option
def bench(
    files: tuple[Path, ...],
    devices: tuple[str, ...],
    threads: tuple[int, ...],
    data: str | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Time every FILE on every device, each in a process of its own, taking turns.

    Shows what loading and the first call cost, the median and the slow end of the rest, and the
    most memory that such a process takes.
    """
    with errors(), steps(quiet=as_json, verbose=False) as step:
        from edgekit.inference.benchmark import bench as time_them
        from edgekit.inference.predict import first_batch

        timings = time_them(
            files,
            devices=devices,
            threads=threads,
            inputs=first_batch(files[0], data) if data else None,
            seconds=seconds,
            progress=step,
        )
    if as_json:
        click.echo(json.dumps([timing.to_dict() for timing in timings], indent=2))
    else:
        from edgekit.cli.tables import timing_table

        draw(timing_table(timings))
    sys.exit(OK if all(t.error is None for t in timings) else MISSING)


@click.command(short_help="Say which processor would run which operators.")
@file_argument
@device_option
@threads_option
@click.option("--strict", is_flag=True, help="Fail unless the device runs every operator.")
@click.option(
    "--min-delegated",
    type=Share(),
    metavar="SHARE",
    help="Fail unless the device runs this share of them, as 90%.",
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
    """Open a MODEL file and say what runs where.

    Prints its inputs and outputs, its operators with the processor and the precision of each, and
    how much of the work is in 8-bit integers; all as the runtime itself reports it.
    """
    with errors(), hushed():
        from edgekit_runtimes import open_model

        with open_model(
            model, device=device, threads=threads, strict=strict, min_delegated=min_delegated
        ) as session:
            placement = session.placement
            told = session.path, session.inputs, session.outputs
    if as_json:
        from edgekit.cli.tables import placement_json

        click.echo(json.dumps(placement_json(*told, placement), indent=2))
    else:
        from edgekit.cli.tables import placement_table

        draw(placement_table(*told, placement))


@click.command(short_help="List what this machine can run files on.")
@json_option
def devices(as_json: bool) -> None:
    """List the devices of this machine, what is missing, and what would add it."""
    with errors(), hushed():
        from edgekit.cli.tables import devices_json

        listed: dict[str, Any] = devices_json()
    if as_json:
        click.echo(json.dumps(listed, indent=2))
    else:
        from edgekit.cli.tables import devices_table

        draw(devices_table(listed))
