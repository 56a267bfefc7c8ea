"""``edgekit devices``: what this machine can run files on."""

import json
from typing import Any

import click

from edgekit.cli.console import draw, errors, hushed, say
from edgekit.cli.options import json_option


@click.command(short_help="List what this machine can run files on.")
@json_option
def devices(as_json: bool) -> None:
    """List the devices of this machine, what is missing, and the pip line that adds it."""
    with errors(), hushed():
        from edgekit.cli.tables import devices_json

        listed: dict[str, Any] = devices_json()
    if as_json:
        say(json.dumps(listed, indent=2))
    else:
        from edgekit.cli.tables import devices_table

        draw(devices_table(listed))
