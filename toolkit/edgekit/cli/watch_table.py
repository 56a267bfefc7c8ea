"""What ``edgekit watch`` sees, as a person reads it: a table, and a line a model."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.report.columns import size
from edgekit.watch.state import ModelState, StageTime, State


def watch_table(state: State, problem: str = "") -> RenderableType:
    """Draw all of it.

    Args:
        state: what was seen last.
        problem: why nothing newer could be seen.
    """
    parts: list[RenderableType] = [Text(f"{state.source}   {_clock(state)}", style="bold")]
    if problem:
        parts.append(Text(problem, style="red"))
    if not state.models:
        parts.append(Text("nothing yet of any model", style="dim"))
    for model in state.models:
        parts += ["", *_model(model)]
    if state.bytes:
        parts += ["", Text(f"workers: {size(state.bytes)} of memory", style="dim")]
    return Group(*parts)


def watch_lines(state: State) -> Iterator[str]:
    """A line for each model, and one for each statement on it."""
    for m in state.models:
        whole = next((s for s in m.stages if s.stage == "all"), None)
        parts = [
            f"{state.time} {m.model} {m.version}".rstrip() + ":",
            f"{_rate(m)} requests/s",
            f"{m.errors:,} errors",
            f"{m.refused:,} refused",
            f"p50 {_ms(whole.p50_ms)} p99 {_ms(whole.p99_ms)} ms" if whole else "",
            f"{m.waiting} waiting" if m.waiting is not None else "",
            f"shadow {'; '.join(m.shadow.agreements)}" if m.shadow and m.shadow.agreements else "",
        ]
        first, *others = (part for part in parts if part)
        yield f"{first} {', '.join(others)}"
        for statement in m.statements:
            yield f"{state.time} {m.model} {m.version}".rstrip() + f": warning: {statement}"


def _clock(state: State) -> str:
    return state.time.replace("T", " ").replace("+00:00", " UTC")


def _model(model: ModelState) -> Iterator[RenderableType]:
    what = f"{model.file} on {model.device}" if model.device else model.file
    digest = f"  sha256 {model.sha256[:12]}" if model.sha256 else ""
    title = Text(f"{model.model} {model.version}".strip(), style="bold cyan")
    yield title.append(f"  {what}{digest}", style="not bold default")
    counts = [f"{_rate(model)} requests/s", f"{model.requests:,} in all"]
    line = Text(", ".join(counts) + ", ")
    line.append(f"{model.errors:,} errors", style="red" if model.errors else "")
    line.append(f", {model.refused:,} refused")
    if model.waiting is not None:
        line.append(f", {model.waiting} waiting", style="yellow" if model.waiting else "")
    if model.batch is not None:
        line.append(f", {model.batch:.3g} samples a call")
    if model.restarts:
        line.append(f", {model.restarts} crashes", style="red")
    if model.bytes:
        line.append(f", {size(model.bytes)}")
    yield line
    if model.stages:
        yield _stages(model.stages)
    for statement in model.statements:
        yield Text(f"! {statement}", style="yellow")
    if model.tensors:
        yield _tensors(model)
    if model.shadow is not None:
        shadow = model.shadow
        found = "; ".join(shadow.agreements) or "nothing compared yet"
        yield Text(
            f"shadow {shadow.file}: {found}; {shadow.dropped:,} dropped, {shadow.failed:,} failed"
        )


def _stages(stages: tuple[StageTime, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("ms", style="dim")
    for stage in stages:
        table.add_column(stage.stage, justify="right")
    table.add_row("p50", *(_ms(s.p50_ms) for s in stages))
    table.add_row("p99", *(_ms(s.p99_ms) for s in stages))
    return table


def _tensors(model: ModelState) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("against calibration", style="dim")
    for name in ("samples", "outside", "PSI", "KS", "not finite"):
        table.add_column(name, justify="right")
    for t in model.tensors:
        table.add_row(
            Text(t.name),
            f"{t.samples:,}",
            _share(t.outside),
            "-" if t.psi is None else f"{t.psi:.3f}",
            "-" if t.ks is None else f"{t.ks:.3f}",
            _share(t.not_finite),
            style="yellow" if t.alarm else "",
        )
    return table


def _rate(model: ModelState) -> str:
    if model.per_second is None:
        return "-"
    return f"{model.per_second:.0f}" if model.per_second >= 10 else f"{model.per_second:.2g}"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g}" if milliseconds < 1000 else f"{milliseconds:.0f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2g}%"
