"""What a bisection found, as a person reads it."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.diagnosis.judged_pieces import Difference
from edgekit.report.bisection import Bisection, FileBisection

_NEIGHBOURS = 2  # layers that are shown before and after the first that differs


def bisection_table(found: Bisection) -> RenderableType:
    """Draw what ``edgekit bisect`` found."""
    parts: list[RenderableType] = []
    for file in found.files:
        parts += [*_file(file, found), Text()]
    parts += [Text(f"not run: {skipped}", style="dim") for skipped in found.skipped]
    return Group(*(parts[:-1] if not found.skipped else parts))


def _file(file: FileBisection, found: Bisection) -> Iterator[RenderableType]:
    yield Text(
        f"{file.file} on {found.target}, against {found.reference} here, {file.samples} samples",
        "bold",
    )
    for output in file.outputs:
        yield Text(f"output {output.tensor}: differs by up to {output.largest_error:.3g}")
    first = file.first
    if first is not None and first.difference is not None:
        ran = sum(layer.status != "not run" for layer in file.layers)
        differ = sum(layer.status == "differs" for layer in file.layers)
        yield Text.assemble(
            ("the first layer that differs, given the same inputs: ", ""),
            (f"{first.name} ({first.operator})", "bold red"),
        )
        yield Text(f"  {first.difference.how}")
        yield Text(f"  {_size(first.difference)}")
        if not file.outputs:
            yield Text("  the outputs of these samples hardly change by it", style="yellow")
        yield _around(file, file.layers.index(first))
        if differ > 1:
            yield Text(f"{differ} of {ran} layers differ; --json has all", style="dim")
    elif first is not None:
        yield Text.assemble(
            ("the first layer that does not run there: ", ""),
            (f"{first.name} ({first.operator})", "bold red"),
        )
        yield Text(f"  {first.note}")
    elif file.refusal:
        yield Text("the whole file does not run there, and each layer does", style="yellow")
        yield Text(f"  {file.refusal}")
    elif file.group is not None:
        group = file.group
        yield Text.assemble(
            ("every layer is right alone; together these differ: ", ""),
            (f"{group.first} to {group.last}", "bold red"),
        )
        yield Text(f"  {', '.join(group.operators)}: fused, or compiled together")
        yield Text(f"  {group.difference.how}")
        yield Text(f"  {_size(group.difference)}")
    elif file.outputs:
        yield Text("its outputs differ, and no layer does", style="yellow")
    else:
        yield Text(
            f"the same: all {len(file.layers)} layers and the outputs, but for rounding", "green"
        )
    left = [layer for layer in file.layers if layer.status == "not run"]
    for layer in left[:3]:
        yield Text(f"not run: {layer.name} ({layer.operator}): {layer.note}", style="yellow")
    if len(left) > 3:
        yield Text(f"nor {len(left) - 3} more; --json has all", style="yellow")
    for note in file.notes:
        yield Text(note, style="yellow")


def _around(file: FileBisection, at: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("layer", "operator", "on the target"):
        table.add_column(title, overflow="fold", no_wrap=title != "layer")
    table.columns[0].min_width = 20
    for layer in file.layers[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]:
        style = "red" if layer.status == "differs" else ""
        table.add_row(layer.name, layer.operator, layer.status, style=style)
    return table


def _size(difference: Difference) -> str:
    steps = "" if difference.steps is None else f", {difference.steps:.0f} steps"
    return (
        f"{difference.wrong:.1%} of its values differ, by up to {difference.largest_error:.3g}{steps}; rounding "
        f"may come to {difference.allowed:.3g}"
    )
