"""A report in a notebook: the console's summary as an HTML table, escaped, without scripts."""

from html import escape

from edgekit.report.columns import heading, remarks, summary_columns
from edgekit.report.result import Report

_COLORS = {"pass": "#1a7f37", "fail": "#cf222e", "inconclusive": "#9a6700", "warning": "#9a6700"}


def notebook_html(report: Report) -> str:
    """Write the summary table and the remarks below it."""
    columns = summary_columns(report)
    rows = [
        [column.original for column in columns],
        *([column.value(file) for column in columns] for file in report.files),
    ]
    lines = [
        f"<p><b>{escape(heading(report))}</b></p>",
        "<table>",
        _row("th", [column.title for column in columns], [column.justify for column in columns]),
        *(_row("td", row, [column.justify for column in columns]) for row in rows),
        "</table>",
    ]
    for kind, text in remarks(report):
        lines.append(f"<p{_color(kind)}>{escape(text)}</p>")
    return "\n".join(lines)


def _row(tag: str, cells: list[str], alignments: list[str]) -> str:
    text = "".join(
        f'<{tag} style="text-align: {alignment}{_CSS.get(cell, "")}">{escape(cell)}</{tag}>'
        for cell, alignment in zip(cells, alignments, strict=True)
    )
    return f"<tr>{text}</tr>"


def _color(kind: str) -> str:
    return f' style="color: {_COLORS[kind]}"' if kind in _COLORS else ""


_CSS = {verdict: f"; color: {color}; font-weight: bold" for verdict, color in _COLORS.items()}
