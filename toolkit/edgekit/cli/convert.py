"""``edgekit convert``: a Keras model to files, and their report."""

import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import errors, say, show, status
from edgekit.cli.github import annotate
from edgekit.cli.options import options_of, printing_options, typed
from edgekit.options import ConvertCommand
from edgekit.project import FILE, read_project


@click.command()
@options_of(ConvertCommand)
@printing_options
def convert(as_json: bool, quiet: bool, verbose: bool, **given: Any) -> None:
    """Convert a Keras MODEL, and compare the files with it.

    MODEL is a .keras or .h5 file, a SavedModel folder, or module:function. The output folder gets
    the files, manifest.json, report.json and edgekit.log.
    """
    with errors(), steps(quiet=quiet, verbose=verbose) as step:
        wanted = {**read_project(Path(FILE)).convert, **typed(given)}
        strict = wanted.pop("strict", False)
        if "model" not in wanted:
            raise click.UsageError(
                f"MODEL is missing: edgekit convert MODEL --data DATA, or a model in {FILE}."
            )
        from edgekit import convert as run

        report = run(**wanted, progress=step)
    with errors():
        show(report, as_json, quiet)
        annotate(report, strict)
    if not (as_json or quiet):
        say(f"\nWritten to {report.output}: the files, manifest.json, report.json, edgekit.log")
    sys.exit(status(report, strict))
