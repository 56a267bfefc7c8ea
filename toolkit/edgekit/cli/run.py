"""``edgekit run``: the predictions of a model file."""

import json
from pathlib import Path

import click

from edgekit.cli.console import errors, hushed
from edgekit.cli.options import (
    device_option,
    file_argument,
    scale_option,
    threads_option,
)


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
    """Run a MODEL file on samples and print its predictions.

    MODEL may be a folder that convert made: then the fastest of its files that pass runs.
    """
    with errors(), hushed():
        from edgekit.inference.predict import predictions

        for line in predictions(
            model, data, top=top, count=count, device=device, threads=threads, scale=scale
        ):
            click.echo(json.dumps(line.to_dict()) if as_json else str(line))
