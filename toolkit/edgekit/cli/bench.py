"""``edgekit bench``: files and devices timed side by side."""

import json
import sys
from pathlib import Path

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import MISSING, OK, draw, errors, say, tell
from edgekit.cli.options import Numbers, devices_option, json_option


@click.command(short_help="Time files and devices side by side.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, path_type=Path),
)
@devices_option
@click.option(
    "--threads",
    type=Numbers(),
    metavar="NUMBERS",
    default="1",
    show_default=True,
    help="Numbers of threads to time each with, joined by commas.",
)
@click.option("--data", metavar="DATA", help="Samples, as for convert. [default: random numbers]")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    default=2.0,
    show_default=True,
    help="Measuring time per configuration.",
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
        from edgekit.inference.runtime_faults import runtime_faults

        timings = time_them(
            files,
            devices=devices,
            threads=threads,
            inputs=first_batch(files[0], data) if data else None,
            seconds=seconds,
            progress=step,
        )
    if as_json:
        say(json.dumps([timing.to_dict() for timing in timings], indent=2))
    else:
        from edgekit.cli.tables import timing_table

        draw(timing_table(timings))
    for file, device in dict.fromkeys((t.file, t.device) for t in timings if t.error is None):
        for fault in runtime_faults(Path(file), device):
            tell(f"warning: {Path(file).name}: {fault}")
    sys.exit(OK if all(t.error is None for t in timings) else MISSING)
