"""``edgekit tune``: the fastest file within an accuracy budget, and the report of the search."""

import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import errors, say_written, show, status
from edgekit.cli.forms import take_forms, write_forms
from edgekit.cli.github import annotate
from edgekit.cli.options import options_of, printing_options, typed
from edgekit.options.tune import TuneCommand
from edgekit.project import FILE, read_project


@click.command()
@options_of(TuneCommand)
@printing_options
def tune(as_json: bool, quiet: bool, verbose: bool, **given: Any) -> None:
    """Find the fastest file of a Keras MODEL whose accuracy is proven to stay within a budget.

    MODEL is a .keras or .h5 file, a SavedModel folder, or module:function. Ctrl-C ends the search and
    judges the best file so far; a second one ends at once.
    """
    with errors(), steps(quiet=quiet, verbose=verbose) as step:
        report, strict = search({**read_project(Path(FILE)).tune, **typed(given)}, step)
    with errors():
        show(report, as_json, quiet)
        annotate(report, strict)
    if not (as_json or quiet):
        say_written(report.output, ", ".join(file.name for file in report.files))
    sys.exit(status(report, strict))


def search(wanted: dict[str, Any], step: Any) -> tuple[Any, bool]:
    """Run the search, and write the forms of its report that were asked for; the report, and whether it is strict."""
    if "model" not in wanted or "data" not in wanted:
        raise click.UsageError(
            f"MODEL or --data is missing: a search needs both, typed or in {FILE}."
        )
    strict, forms = wanted.pop("strict", False), take_forms(wanted)
    from edgekit import tune as run

    report = run(**wanted, progress=step)
    write_forms(report, forms, strict=strict)
    return report, strict
