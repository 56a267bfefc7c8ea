"""``edgekit convert``: a Keras model to files, and their report."""

import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import errors, say_written, show, status
from edgekit.cli.forms import take_forms, write_forms
from edgekit.cli.github import annotate
from edgekit.cli.options import options_of, printing_options, typed
from edgekit.cli.tune import search
from edgekit.options.declared import ConvertCommand
from edgekit.options.tune import TuneCommand
from edgekit.options.values import options_in
from edgekit.project import FILE, Project, key_of, read_project


@click.command()
@options_of(ConvertCommand)
@printing_options
def convert(as_json: bool, quiet: bool, verbose: bool, **given: Any) -> None:
    """Convert a Keras MODEL, and compare the files with it.

    MODEL is a .keras or .h5 file, a SavedModel folder, or module:function. The output folder gets
    the files, manifest.json, golden.npz, report.json, recipe.json and edgekit.log.
    """
    with errors(), steps(quiet=quiet, verbose=verbose) as step:
        project = read_project(Path(FILE))
        wanted = {**project.convert, **typed(given)}
        strict = wanted.pop("strict", False)
        if wanted.pop("tune", False):
            report, strict = search(_for_tune(project, typed(given)), step)
        elif "model" not in wanted:
            raise click.UsageError(
                f"MODEL is missing: edgekit convert MODEL --data DATA, or a model in {FILE}."
            )
        else:
            forms = take_forms(wanted)
            from edgekit import convert as run
            from edgekit.workflows.convert import PartlyConverted

            try:
                report = run(**wanted, progress=step)
            except PartlyConverted as error:
                write_forms(error.report, forms, strict=strict)
                show(error.report, as_json, quiet)
                raise
            write_forms(report, forms, strict=strict)
    with errors():
        show(report, as_json, quiet)
        annotate(report, strict)
    if not (as_json or quiet):
        say_written(report.output, "the files")
    sys.exit(status(report, strict))


def _for_tune(project: Project, given: dict[str, Any]) -> dict[str, Any]:
    """What is said of the search: what was typed, then convert's and tune's own in the project."""
    known = options_in(TuneCommand)
    if wrong := [name for name in given if name not in known and name != "tune"]:
        flags = ", ".join(f"--{key_of(name)}" for name in wrong)
        raise click.UsageError(f"--tune finds the recipe by itself: leave out {flags}.")
    both = {**project.tune, **project.convert, **given}
    return {name: both[name] for name in both if name in known}
