"""A report's summary as Markdown, for the comment on a pull request or a build's own page."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgekit.bundle.atomic import replacing
from edgekit.report.result import Report

_MARKS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "⚠️ inconclusive"}
_ACTIVE = re.compile(r"([\\`*_\[\]<#|~&$])")  # what Markdown, or GitHub, would act on


def write_markdown(report: Report, path: Path) -> None:
    """Write a report's table and its remarks in GitHub's Markdown.

    Args:
        report: of ``validate`` or ``convert``.
        path: the file, put in place when it is complete.
    """
    with replacing(path) as unfinished:
        unfinished.write_text("\n".join(_lines(report)) + "\n", encoding="utf-8", errors="replace")


def _lines(report: Report) -> Iterator[str]:
    verdict = _MARKS[report.verdict] if report.shippable else "not evaluated: random data"
    yield f"### edgekit: {verdict}"
    yield ""
    yield escaped(report.heading)
    yield ""
    yield from summary(report)
    if remarks := report.remarks():
        yield ""
        yield from (f"- {escaped(remark.text)}" for remark in remarks)
    if when := measured(report):
        yield ""
        yield f"<sub>{escaped(when)}</sub>"


def summary(report: Report) -> Iterator[str]:
    """Write the table of all files below the original."""
    columns = report.columns()
    yield row(escaped(column.title) for column in columns)
    yield row(":--" if column.justify == "left" else "--:" for column in columns)
    yield row(escaped(column.original) for column in columns)
    for file in report.files:
        cells = (column.value(file) for column in columns)
        yield row(_MARKS.get(cell, escaped(cell)) for cell in cells)


def measured(report: Report) -> str:
    """When, where and with what, in one line."""
    machine = report.environment
    parts = [
        machine.date,
        f"commit {machine.commit}" if machine.commit else "",
        machine.processor.name,
        f"edgekit {version}" if (version := machine.versions.get("edgekit-toolkit")) else "",
    ]
    return ", ".join(filter(None, parts))


def row(cells: Iterable[str]) -> str:
    """Write a line of a table."""
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Text that stays text: names of files and layers come from outside."""
    plain = _ACTIVE.sub(r"\\\1", " ".join(text.split()))
    return plain.replace("@", "@\u200b")  # a space without width: nobody is called by a file's name
