"""``edgekit export``: what a web page, a board, a phone or a chip takes, of a converted folder."""

import json
import shlex
from pathlib import Path

import click

from edgekit.cli.console import errors, say, tell
from edgekit.cli.options import Value, completed_by, json_option, target_names
from edgekit.options.kinds import Names


@click.command(short_help="Write what a web page, a board, a phone or a chip takes.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--target",
    shell_complete=completed_by(target_names),
    metavar="TARGET",
    required=True,
    help="A name that `edgekit devices` lists under targets.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    required=True,
    help="The folder to write; one that an export wrote is renewed.",
)
@click.option(
    "--files",
    type=Value(Names()),
    metavar="NAMES",
    help="Model files of FOLDER, joined by commas. [default: its int8 files]",
)
@json_option
def export(
    folder: Path, target: str, output: Path, files: tuple[str, ...] | None, as_json: bool
) -> None:
    """Write what TARGET needs to run the files of a FOLDER that convert made.

    The folder is complete: the files, the preprocessing and the labels as code, and the golden samples as
    its self-test.
    """
    with errors():
        from edgekit.workflows.export import export as write

        written = write(folder, target, output, files=files or ())
    for note in written.notes:
        tell(f"note: {note}")
    if as_json:
        told = {
            "folder": str(written.folder),
            "target": written.target,
            "files": list(written.files),
            "next": written.next,
            "notes": list(written.notes),
            "facts": list(written.facts),
        }
        say(json.dumps(told, indent=2))
    else:
        say(f"{', '.join(written.files)} for {written.target}, in {written.folder}")
        for fact in written.facts:
            say(fact)
        say(f"next: cd {shlex.quote(str(written.folder))} && {written.next}")
