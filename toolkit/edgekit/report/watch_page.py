"""What ``edgekit watch`` sees, as one page that needs nothing else."""

from collections.abc import Callable
from pathlib import Path

from edgekit.bundle.atomic import replacing
from edgekit.report.columns import size
from edgekit.report.rendering import rendered
from edgekit.watch.state import State


def write_watch_page(state: State, path: Path) -> None:
    """Write it as an HTML page, put in place when it is complete.

    Args:
        state: what was seen.
        path: the file.

    Raises:
        RuntimeMissing: jinja2 is not installed.
    """
    filters: dict[str, Callable[..., str]] = {
        "bytes": size,
        "ms": lambda ms: f"{ms:.3g}" if ms < 1000 else f"{ms:.0f}",
        "rate": lambda rate: "-" if rate is None else f"{rate:.3g}",
        "share": lambda share: "-" if share is None else f"{100 * share:.2g}%",
        "figure": lambda number: "-" if number is None else f"{number:.3f}",
        "clock": lambda time: time.replace("T", " ").replace("+00:00", " UTC"),
    }
    longest = {
        id(model): max((s.p99_ms for s in model.stages), default=0.0) for model in state.models
    }
    text = rendered(
        "watch.html.j2",
        filters,
        state=state,
        verdict=_verdict(state),
        longest=lambda model: longest[id(model)] or 1.0,
    )
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="replace")


def _verdict(state: State) -> str:
    if any(model.errors for model in state.models):
        return "fail"
    return "inconclusive" if state.alarmed or not state.models else "pass"
