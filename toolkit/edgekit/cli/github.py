"""What is printed for GitHub, where a command runs in one of its workflows."""

import os
from typing import TYPE_CHECKING

from edgekit.cli.console import tell

if TYPE_CHECKING:
    from edgekit.report.result import Report


def annotate(report: "Report", strict: bool) -> None:
    """Print a report's annotations, on standard error: standard output may be JSON."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from edgekit.report.annotations import annotations

        for line in annotations(report, strict=strict):
            tell(line)
