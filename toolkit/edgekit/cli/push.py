"""``edgekit push``: a folder taken to a board, verified, timed and put in use there."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import LIMIT_BROKEN, OK, draw, errors, say
from edgekit.cli.options import json_option, options_of, typed
from edgekit.push_options import PushOptions


@click.command(short_help="Take a folder to a board, verify and time it there.")
@click.argument(
    "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.argument("address", metavar="ADDRESS")
@options_of(PushOptions)
@click.option("--verbose", "-v", is_flag=True, help="Print each step with its time.")
@json_option
def push(
    folder: Path,
    address: str,
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Copy DIR, which convert made, to a board; verify and time it there; then put it in use at once.

    \b
    ADDRESS is one of
      ssh://user@host[:port][/path]   over OpenSSH, whose keys and configuration it uses
      adb://serial[/path]             an Android device, by adb: not tested on hardware

    Without a path it is ~/edgekit/NAME there, after the folder; /~/x is x in the home folder. A
    connection that breaks leaves the old folder in use: the same command goes on where it stopped.
    """
    with errors(), steps(quiet=as_json, verbose=verbose) as step:
        from edgekit.device.push import push as take_there

        pushed = take_there(folder, address, progress=step, **typed(options))
    if as_json:
        say(json.dumps(pushed.to_dict(), indent=2))
    else:
        from edgekit.cli.push_table import pushed_table

        draw(pushed_table(pushed))
    sys.exit(OK if pushed else LIMIT_BROKEN)
