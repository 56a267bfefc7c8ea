"""A report in a notebook: the console's summary as an HTML table, escaped, without scripts."""

from collections.abc import Iterable, Sequence
from html import escape

from edgekit.report.columns import Column
from edgekit.report.file_result import FileResult
from edgekit.report.remarks import Remark

_COLORS = {"pass": "#1a7f37", "fail": "#cf222e", "inconclusive": "#9a6700", "warning": "#9a6700"}


def notebook_html(
    heading: str, columns: Sequence[Column], files: Iterable[FileResult], remarks: Iterable[Remark]
) -> str:
    """Write the summary table and the remarks below it."""
    alignments = [column.justify for column in columns]
    rows = [
        [column.original for column in columns],
        *([column.value(file) for column in columns] for file in files),
    ]
    lines = [
        f"<p><b>{escape(heading)}</b></p>",
        "<table>",
        _row("th", [column.title for column in columns], alignments),
        *(_row("td", row, alignments) for row in rows),
        "</table>",
        *(f"<p{_color(remark.kind)}>{escape(remark.text)}</p>" for remark in remarks),
    ]
    return "\n".join(lines)


def _row(tag: str, cells: Sequence[str], alignments: Sequence[str]) -> str:
    text = "".join(
        f'<{tag} style="text-align: {alignment}{_CSS.get(cell, "")}">{escape(cell)}</{tag}>'
        for cell, alignment in zip(cells, alignments, strict=True)
    )
    return f"<tr>{text}</tr>"


def _color(kind: str) -> str:
    return f' style="color: {_COLORS[kind]}"' if kind in _COLORS else ""


_CSS = {verdict: f"; color: {color}; font-weight: bold" for verdict, color in _COLORS.items()}
