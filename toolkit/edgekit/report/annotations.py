"""A report as the workflow commands that GitHub shows beside a pull request."""

from collections.abc import Iterator

from edgekit.report.result import Report


def annotations(report: Report, *, strict: bool = False) -> Iterator[str]:
    """Write a line for each file and reason: ``::error ...`` where it fails the run, else ``::warning ...``.

    Source: docs.github.com, "Workflow commands for GitHub Actions".

    Args:
        report: of ``validate`` or ``convert``; one on random samples has no verdict.
        strict: whether what is inconclusive fails the run.
    """
    for remark in report.remarks():
        fails = remark.kind == "fail" or (strict and remark.kind == "inconclusive")
        if fails or remark.kind in ("inconclusive", "warning"):
            level = "error" if fails else "warning"
            title = _escaped(f"edgekit: {report.model}", ":,")
            yield f"::{level} title={title}::{_escaped(remark.text)}"


def _escaped(text: str, also: str = "") -> str:
    """Text without what ends a command, or a property where ``also`` names what does."""
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
