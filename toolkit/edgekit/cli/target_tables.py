"""What a target makes of a file, as a person reads it and as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.report.columns import size
from edgekit_converters.targets.inspection import Figure, Inspection


def inspection_json(path: Path, inspection: Inspection) -> dict[str, Any]:
    """The inspection as plain values."""
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        **asdict(inspection),
        "total": inspection.total,
        "placed": inspection.placed,
        "runs": inspection.runs,
    }


def inspection_table(path: Path, inspection: Inspection) -> RenderableType:
    """The operators by where they run, the figures, and what to change."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("runs on")
    table.add_column("operator")
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("why")
    for placed in inspection.operators:
        style = None if placed.runs_on == inspection.processor else "yellow"
        row = (placed.runs_on or "nothing", placed.kind, str(placed.count), placed.reason)
        table.add_row(*row, style=style)
    head = f"{path}, {size(path.stat().st_size)}, for {inspection.target}"
    share = f"{inspection.processor}: {inspection.placed} of {inspection.total} operators"
    return Group(
        Text(head, style="bold"),
        Text(),
        table,
        Text(),
        Text(share),
        *(Text(_sentence(figure)) for figure in inspection.figures),
        *(Text(f"change: {advice}", style="yellow") for advice in inspection.advice),
    )


def _sentence(figure: Figure) -> str:
    number = f"{figure.value:,.0f}" if figure.value == int(figure.value) else f"{figure.value:,.4g}"
    note = f" ({figure.note})" if figure.note else ""
    return f"{figure.name}: {number} {figure.unit}{note}"
