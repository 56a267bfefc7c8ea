"""A report as one page."""

from pathlib import Path

from edgekit.report import Report


def write_page(report: Report, path: Path) -> None:
    """Writes it."""
    path.write_text(report.model)
