"""A search on the console: the candidates, the chosen ones marked, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.accuracy import formatting
from edgekit.accuracy.metrics import find_metric
from edgekit.report.columns import size, times
from edgekit.report.search import Search, Tried
from edgekit.report.search_chart import TITLES, drop_text

_WIDE = 100  # columns of a console, from which all columns of the table fit
_STYLES = {"chosen": "bold green", "proven": "green", "not proven": "yellow"}


def render_search(search: Search) -> Iterator[RenderableType]:
    """Draw what was tried and why the chosen files were chosen."""
    yield Text(
        f"{len(search.tried)} candidates, chosen on {search.chosen_on:,} samples that neither calibrated "
        f"nor judged, in {search.seconds:.0f} s",
        style="bold",
    )
    if search.stopped:
        yield Text(f"The search ended early: {search.stopped}.", style="yellow")
    for form in dict.fromkeys(tried.format for tried in search.tried):
        tried = [t for t in search.tried if t.format == form]
        shown = tuple(t for t in tried if t.outcome != "not evaluated")
        yield Text()
        yield _Candidates(form, shown)
        if left := len(tried) - len(shown):
            yield Text(f"and {left} more, timed and not evaluated: in the report", "dim")
    yield Text()
    for sentence in search.why:
        yield Text(f"{sentence}.")
    yield Text()


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The candidates of one format, the fastest first, with as many columns as the console is wide."""

    format: str
    tried: tuple[Tried, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        wide = options.max_width >= _WIDE
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column(TITLES.get(self.format, self.format), overflow="fold")
        titles = ["in float", "size", "ms", "vs float"] if wide else ["size", "vs float"]
        for title in [*titles, _metric(self.tried)]:
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("result", no_wrap=True)
        for tried in self.tried:
            numbers = [
                str(tried.operators_in_float or ""),
                size(tried.bytes),
                "" if tried.latency_ms is None else f"{tried.latency_ms:.3g}",
                times(tried.latency_ratio),
            ]
            style = _STYLES.get(tried.outcome, "dim")
            table.add_row(
                Text(tried.title),
                *(numbers if wide else [numbers[1], numbers[3]]),
                drop_text(tried),
                Text(tried.outcome, style),
            )
        yield table


def _metric(tried: tuple[Tried, ...]) -> str:
    """The title of the column of drops: of what the limits are on."""
    name = next((t.metric for t in tried if t.metric and t.precision != "float32"), "")
    if not name:
        return "drop"
    drops = find_metric(name).against == "labels"
    return f"{formatting.label(name)} drop" if drops else formatting.label(name)
