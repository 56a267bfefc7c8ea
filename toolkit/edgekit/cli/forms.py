"""What a report is written as beside the console: the page, JUnit XML, Markdown, a model card."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.options.declared import CardForm

if TYPE_CHECKING:
    from edgekit.report.result import Report


def take_forms(wanted: dict[str, Any]) -> dict[str, Path]:
    """Take the files to write out of a command's options."""
    named = ((name, wanted.pop(name, None)) for name in CardForm.__annotations__)
    return {name: Path(path) for name, path in named if path is not None}


def write_forms(report: "Report", forms: dict[str, Path], *, strict: bool) -> None:
    """Write a report as each form that was asked for."""
    if path := forms.get("html"):
        from edgekit.report.html import write_page

        write_page(report, path)
    if path := forms.get("junit"):
        from edgekit.report.junit import write_junit

        write_junit(report, path, strict=strict)
    if path := forms.get("markdown"):
        from edgekit.report.markdown import write_markdown

        write_markdown(report, path)
    if path := forms.get("card"):
        from edgekit.report.model_card import write_card

        write_card(report, path)
