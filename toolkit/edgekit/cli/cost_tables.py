"""What operators cost, as a person reads it and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.inference.cost_table import CostTable
from edgekit_runtimes.host import processor_name

_GAP = 2  # between columns
_LEAST_NAME = 8


def costs_json(table: CostTable) -> dict[str, Any]:
    """The table as plain values."""
    return {"processor": processor_name(), **asdict(table)}


def costs_table(table: CostTable) -> RenderableType:
    """One line for each operator, in the order of the file, and what they add up to."""
    both = table.counterpart is not None
    drawn = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    rows = [
        (
            [row.kind, row.name, _us(row.float_us), _us(row.int8_us), row.choice, row.why]
            if both
            else [row.kind, row.name, _us(row.float_us)]
        )
        for row in table.rows
    ]
    titles = [
        "operator",
        "tensor",
        *(["float32\nus", "int8\nus", "choice", "why"] if both else ["us"]),
    ]
    widths = [
        max(len(text) for text in (*title.split("\n"), *(row[place] for row in rows)))
        for place, title in enumerate(titles)
    ]
    room = Console().width - sum(widths) - _GAP * len(widths)
    for row in rows:  # names are the only texts that a narrow terminal cuts
        row[1] = _cut(row[1], max(_LEAST_NAME, widths[1] + room))
    for title in titles:
        number = title.endswith("us")
        drawn.add_column(title, no_wrap=True, justify="right" if number else "left")
    for row in rows:
        drawn.add_row(*row)
    return Group(
        Text(
            f"{table.file} on {processor_name()}, {table.threads} "
            f"thread{'' if table.threads == 1 else 's'}",
            style="bold",
        ),
        Text(),
        drawn,
        Text(),
        *map(Text, _summary(table)),
    )


def _summary(table: CostTable) -> Iterator[str]:
    if table.counterpart is None or table.best_us is None:
        yield (
            f"together {_us(table.float_us)} us. With the float32 and the int8 file of one conversion in a "
            "folder, both are measured and compared."
        )
        return
    kept = sum(row.choice == "float32" for row in table.rows)
    yield f"all in float32  {_us(table.float_us):>8} us"
    yield f"all in int8     {_us(table.int8_us):>8} us"
    yield f"the choice      {_us(table.best_us):>8} us, {kept} of {len(table.rows)} operators in float32"
    yield "The choice is for speed alone; crossing between the two is counted in."


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _us(time: float | None) -> str:
    if time is None:
        return "-"
    return f"{time:.1f}" if time < 100 else f"{time:.0f}"
