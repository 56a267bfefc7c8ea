"""``edgekit validate``: files compared with their original."""

import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import errors, show, status
from edgekit.cli.forms import take_forms, write_forms
from edgekit.cli.github import annotate
from edgekit.cli.options import Value, options_of, printing_options, typed
from edgekit.options.declared import SavedOptions, ValidateCommand
from edgekit.options.kinds import File
from edgekit.options.values import options_in
from edgekit.project import FILE, read_project


@click.command(short_help="Compare files with their original, and explain differences.")
@options_of(ValidateCommand)
@click.option(
    "--from",
    "saved",
    type=Value(File()),
    metavar="PATH",
    help="Evaluate outputs that --save wrote; no model runs.",
)
@printing_options
def validate(saved: Path | None, as_json: bool, quiet: bool, verbose: bool, **given: Any) -> None:
    """Run files and their ORIGINAL on the same samples, and compare the outputs.

    ORIGINAL is anything that convert takes, or a .tflite or .onnx file; a CANDIDATE is a file, or a
    folder that convert made.
    """
    with errors(), steps(quiet=quiet, verbose=verbose) as step:
        given = typed(given)
        wanted = {**read_project(Path(FILE)).validate, **given}
        strict = wanted.pop("strict", False)
        forms = take_forms(wanted)
        if saved is None:
            from edgekit import validate as run

            _check(wanted)
            report = run(wanted.pop("model"), **wanted, progress=step)
        else:
            from edgekit import validate_saved

            if "save" in given:
                raise click.UsageError("--save keeps what runs, and with --from nothing does.")
            step(f"evaluating the outputs in {saved}")
            report = validate_saved(
                saved, **{k: v for k, v in wanted.items() if k in options_in(SavedOptions)}
            )
        write_forms(report, forms, strict=strict)
    with errors():
        show(report, as_json, quiet, given.get("worst", 0))
        annotate(report, strict)
    sys.exit(status(report, strict))


def _check(wanted: dict[str, Any]) -> None:
    for name, shown in (("model", "ORIGINAL"), ("candidates", "CANDIDATE"), ("data", "--data")):
        if not wanted.get(name):
            raise click.UsageError(
                f"{shown} is missing: edgekit validate ORIGINAL CANDIDATE... --data DATA, or --from "
                f"RESULTS, or a model, candidates and data in {FILE}."
            )
