"""``edgekit verify``: whether a folder is what its manifest says, and answers here as where it was made."""

import json
import sys
from pathlib import Path

import click

from edgekit.cli.console import LIMIT_BROKEN, MISSING, OK, draw, errors, hushed, say
from edgekit.cli.options import Value, json_option
from edgekit.options.kinds import Names


@click.command(short_help="Check a folder's hashes, and its golden samples on devices.")
@click.argument(
    "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--device",
    type=Value(Names()),
    metavar="NAMES",
    default="all",
    show_default=True,
    help="Devices to run the golden samples on, joined by commas: all that are ready here, cpu, gpu, npu, "
    "or names that `edgekit devices` lists.",
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PUB",
    help="A public key, or certificates, in PEM: DIR must be what its holder signed (`edgekit sign`), file for "
    "file. Else nothing of it is opened.",
)
@json_option
def verify(folder: Path, device: tuple[str, ...], key: Path | None, as_json: bool) -> None:
    """Check the folder DIR that convert made, wherever it is now.

    Each file must have the hash that manifest.json lists. Then its golden samples run on each device, and
    the outputs must be those of the machine that converted, within the manifest's tolerances. Needs no
    TensorFlow.

    Exit status 1 where a check fails, 4 where no device could run a file.
    """
    with errors():
        from edgekit_runtimes import verify_folder
        from edgekit_runtimes.bundle.manifest_file import MANIFEST

        if not (folder / MANIFEST).exists():
            raise click.UsageError(
                f"{folder}: there is no {MANIFEST} in it. Name a folder that edgekit convert made."
            )
        with hushed():
            verified = verify_folder(folder, device=device, key=key)
    if as_json:
        say(json.dumps(verified.to_dict(), indent=2))
    else:
        from edgekit.cli.verify_table import verify_table

        draw(verify_table(verified))
    sys.exit(OK if verified.passed else LIMIT_BROKEN if verified.failed else MISSING)
