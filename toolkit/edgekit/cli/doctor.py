"""``edgekit doctor``: whether what is installed here works together, and what to install."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from edgekit.cli.console import MISSING, OK, draw, errors, say
from edgekit.cli.options import json_option

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgekit.workflows.doctor import Diagnosis, Extra


@click.command(short_help="Check what is installed here, and say what to mend.")
@json_option
def doctor(as_json: bool) -> None:
    """Check what is installed on this machine.

    Lists versions and extras, then what stands in the way, each with what to do: versions that do not fit,
    packages that overwrite each other, releases that are known to compute wrongly, settings that break
    Keras, folders that cannot be written. Imports nothing heavy. Devices are listed by `edgekit devices`.

    Exit status 4 where something stands in the way.
    """
    with errors():
        from edgekit.workflows.doctor import diagnose

        found = diagnose()
    if as_json:
        say(json.dumps({**asdict(found), "healthy": found.healthy}, indent=2))
    else:
        draw(_table(found))
    sys.exit(OK if found.healthy else MISSING)


def _table(found: "Diagnosis") -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    own, *libraries = [f"{name} {version}" for name, version in found.versions.items()]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("extra", "for", ""):
        table.add_column(title)
    for extra in sorted(found.extras, key=lambda extra: not extra.ready):
        table.add_row(extra.name, extra.what, _state(extra))
    head = Text(f"{own}, {found.system}", style="bold")
    parts: list[RenderableType] = [
        head,
        Text(", ".join(libraries), style="dim"),
        Text(),
        table,
        Text(),
    ]
    for finding in found.findings:
        parts += [Text(finding.what, style="red"), Text(f"    {finding.do}", style="dim")]
    if found.healthy:
        parts.append(Text("nothing stands in the way"))
    return Group(*parts)


def _state(extra: "Extra") -> str:
    if extra.ready:
        return "ready"
    if not extra.here:
        return "not for this system"
    return "see below" if extra.unfit else extra.add
