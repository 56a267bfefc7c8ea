"""The differences of two files or folders, as a person reads them."""

from collections.abc import Iterator, Sequence
from math import isinf
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.accuracy.formatting import decibel
from edgekit.diagnosis.layer_diff import LayerDiff, LayerSide
from edgekit.report.columns import size
from edgekit.report.diff_result import Diff, FileDiff, FileFacts, OutputDiff

MOST_LAYERS = 40
"""Layers that a table has; of a larger model, those that differ most."""


def diff_table(found: Diff, *, every_layer: bool = False) -> RenderableType:
    """Draw what ``edgekit diff`` found."""
    if found.same:
        many = f"{len(found.files)} files, byte by byte" if len(found.files) > 1 else "byte by byte"
        return Text(f"{found.a} and {found.b} are the same, {many}", style="green")
    parts: list[RenderableType] = [_files(found)]
    for fact in found.facts:
        parts.append(Text(f"manifest, {fact.name}: {_short(fact.a)} -> {_short(fact.b)}"))
    several = len(found.files) > 1
    for file in found.pairs():
        parts += [Text(), *([Text(file.name, style="bold")] if several else [])]
        parts += _file(file, found.samples, every_layer)
    return Group(*parts)


def _files(found: Diff) -> RenderableType:
    table = _table("file", ">size A", ">size B", ">B / A", "precision", "")
    for file in found.files:
        a, b = file.a, file.b
        if a is None or b is None:
            only = a or b
            assert only is not None
            sizes = ["", size(only.bytes)] if a is None else [size(only.bytes), ""]
            table.add_row(
                file.name,
                *sizes,
                "",
                only.precision,
                f"only in {found.b if a is None else found.a}",
            )
            continue
        table.add_row(
            file.name if a.path.endswith(file.name) and b.path.endswith(file.name) else a.path,
            size(a.bytes),
            size(b.bytes),
            f"{b.bytes / a.bytes:.2f}x",
            _change(a.precision, b.precision),
            "the same bytes" if file.identical else "",
        )
    head = Text.assemble("A ", (found.a, "bold"), "\nB ", (found.b, "bold"))
    return Group(head, Text(), table)


def _file(file: FileDiff, samples: str, every_layer: bool) -> Iterator[RenderableType]:
    assert file.a is not None and file.b is not None
    yield from _ends(file.a, file.b)
    yield from _operators(file)
    if file.layers:
        yield Text()
        yield from _layers(file, every_layer)
    if file.outputs:
        yield Text()
        yield Text(f"outputs on {file.samples:,} samples ({samples})", style="bold")
        for output in file.outputs:
            yield from _output(output, file.samples)
    elif not file.notes:
        yield Text()
        yield Text("no samples were given, and there are no golden ones: nothing was run", "yellow")
    if file.latency_ms:
        a, b = file.latency_ms
        yield Text(f"latency: A {1000 * a:,.1f} µs, B {1000 * b:,.1f} µs, {b / a:.2f}x")
    for note in file.notes:
        yield Text(note, style="yellow")


def _ends(a: FileFacts, b: FileFacts) -> Iterator[Text]:
    """Inputs and outputs that are not the same in both."""
    for word, ours, theirs in (("input", a.inputs, b.inputs), ("output", a.outputs, b.outputs)):
        for at in range(max(len(ours), len(theirs))):
            first = str(ours[at]) if at < len(ours) else "none"
            second = str(theirs[at]) if at < len(theirs) else "none"
            if first != second:
                yield Text(f"{word}: {first} -> {second}")


def _operators(file: FileDiff) -> Iterator[RenderableType]:
    changed = [count for count in file.operators if count.a != count.b]
    total = sum(count.a for count in file.operators), sum(count.b for count in file.operators)
    if file.a and file.b and Path(file.a.path).suffix != Path(file.b.path).suffix:
        for side, kinds, number in (
            ("A", {count.kind: count.a for count in file.operators}, total[0]),
            ("B", {count.kind: count.b for count in file.operators}, total[1]),
        ):
            listed = ", ".join(f"{kind} {n}" for kind, n in kinds.items() if n)
            yield Text(f"operators of {side}: {number}: {listed}")
        return
    if not changed:
        yield Text(f"operators: the same {total[0]}, of {len(file.operators)} kinds")
        return
    yield Text(f"operators: {total[0]} in A, {total[1]} in B", style="bold")
    table = _table("kind", ">A", ">B", ">")
    for count in changed:
        table.add_row(count.kind, str(count.a), str(count.b), f"{count.b - count.a:+d}")
    yield table
    if equal := len(file.operators) - len(changed):
        yield Text(f"and {equal} kinds of which both have as many", style="dim")


def _layers(file: FileDiff, every_layer: bool) -> Iterator[RenderableType]:
    differing = [layer for layer in file.layers if not layer.same]
    if not differing:
        on = f" on {file.layer_samples} samples" if file.layer_samples else ""
        yield Text(f"layers: all {len(file.layers)} alike{on}")
        return
    on = f", values on {file.layer_samples} samples" if file.layer_samples else ""
    equal = len(file.layers) - len(differing)
    alike = f"; {equal} alike are not listed" if equal else ""
    yield Text(f"layers that differ: {len(differing)} of {len(file.layers)}{on}{alike}", "bold")
    shown = differing if every_layer else _worst(differing)
    rows = [_row(layer) for layer in shown]
    titles = ("layer", "operator", "precision", ">SQNR\ndB", ">largest\nerror", "")
    used = [at for at in range(len(titles)) if any(row[at] for row in rows)]
    table = _table(*(titles[at] for at in used))
    table.columns[0].min_width = 20
    table.columns[1].no_wrap = True
    for row in rows:
        table.add_row(*(row[at] for at in used))
    yield table
    if len(shown) < len(differing):
        yield Text(
            f"the {len(shown)} that differ most; --json has all {len(differing)}", style="dim"
        )


def _worst(layers: Sequence[LayerDiff]) -> list[LayerDiff]:
    """Those that differ most, in the order of the graph."""
    if len(layers) <= MOST_LAYERS:
        return list(layers)

    def how_far(at: int) -> tuple[bool, float]:
        layer = layers[at]
        return layer.sqnr_db is not None, layer.sqnr_db if layer.sqnr_db is not None else 0.0

    kept = sorted(sorted(range(len(layers)), key=how_far)[:MOST_LAYERS])
    return [layers[at] for at in kept]


def _row(layer: LayerDiff) -> tuple[str, ...]:
    a, b = layer.a, layer.b
    if a is None or b is None:
        only: LayerSide | None = a or b
        assert only is not None
        return (
            only.name,
            only.operator,
            f"{only.precision}, only in {'B' if a is None else 'A'}",
            "",
            "",
            "",
        )
    scale = "" if a.scale == b.scale or None in (a.scale, b.scale) else _scales(a, b)
    return (
        b.name,
        _change(a.operator, b.operator),
        _change(a.precision, b.precision),
        ""
        if layer.sqnr_db is None
        else "equal"
        if isinf(layer.sqnr_db)
        else decibel(layer.sqnr_db),
        "" if not layer.largest_error else f"{layer.largest_error:.3g}",
        layer.note or scale,
    )


def _scales(a: LayerSide, b: LayerSide) -> str:
    return f"scale {a.scale:.4g} -> {b.scale:.4g}"


def _output(output: OutputDiff, samples: int) -> Iterator[Text]:
    sqnr = "equal" if isinf(output.sqnr_db) and output.sqnr_db > 0 else f"{output.sqnr_db:.1f} dB"
    words = f"SQNR {sqnr}, largest error {output.largest_error:.3g}"
    if output.task != "values":
        words = f"{output.changed} of {samples:,} predictions changed, {words}"
    yield Text(f"{output.output}: {words}", style="yellow" if output.changed else "")
    for sample in output.worst:
        if sample.changed:
            label = f" (label {sample.label})" if sample.label else ""
            yield Text(f"  sample {sample.number}: {sample.original} -> {sample.candidate}{label}")


def _change(a: str, b: str) -> str:
    return a if a == b else f"{a} -> {b}"


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _table(*columns: str) -> Table:
    """A table without lines; a column whose title starts with > is a number's."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in columns:
        number = title.startswith(">")
        table.add_column(
            title.removeprefix(">"),
            justify="right" if number else "left",
            no_wrap=number,
            overflow="fold",
        )
    return table
