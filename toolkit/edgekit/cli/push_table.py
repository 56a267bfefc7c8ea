"""What a push found: the board's timings beside this machine's."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit.cli.verify_table import verify_table
from edgekit.device.push import Pushed
from edgekit.inference.benchmark import Timing
from edgekit.report.columns import size


def pushed_table(pushed: Pushed) -> RenderableType:
    """Timings here and there, row by row, and what is in use there now."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in ("file", "device"):
        table.add_column(title, no_wrap=True)
    for title in ("here\np50\nms", "there\np50\nms", "\nof\nhere", "there\np99\nms"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("there\nload\nms", "there\nfirst\nms", "there\npeak\nMiB"):
        table.add_column(title, justify="right", no_wrap=True)
    for here, there in zip(pushed.here, pushed.there, strict=True):
        table.add_row(*_row(here, there))
    return Group(
        *map(Text, _head(pushed)),
        Text(),
        verify_table(pushed.verified),
        Text(),
        table,
        *map(Text, _end(pushed)),
    )


def _row(here: Timing, there: Timing) -> Iterator[str]:
    yield there.file.rpartition("/")[2]
    yield there.device
    yield "-" if here.error else f"{here.p50_ms:.3g}"
    if there.error:
        yield "-"
        return
    yield f"{there.p50_ms:.3g}"
    yield "-" if here.error else f"{there.p50_ms / here.p50_ms:.2f}x"
    yield f"{there.p99_ms:.3g}"
    yield from (f"{there.load_ms:.0f}", f"{there.first_call_ms:.3g}")
    yield f"{there.peak_memory_mib:.0f}"


def _head(pushed: Pushed) -> Iterator[str]:
    python = pushed.python
    versions = ", ".join(f"{name} {version}" for name, version in python.packages.items())
    yield f"there: {pushed.address}, {python.machine}, Python {'.'.join(map(str, python.version))}"
    yield f"       {versions}"
    if pushed.note:
        yield f"note: pushing over {pushed.address.partition(':')[0]} is {pushed.note}"
    sent = (
        f"{size(pushed.sent)} of {size(pushed.bytes)}" if pushed.sent else "nothing: all was there"
    )
    yield f"copied: {sent}"


def _end(pushed: Pushed) -> Iterator[str]:
    for place, timings in (("here", pushed.here), ("there", pushed.there)):
        for timing in timings:
            if timing.error:
                yield f"{timing.file.rpartition('/')[2]} {place}: {timing.error}"
    yield ""
    if pushed:
        yield f"in use there now: {_path(pushed)}"
    else:
        yield f"not put in use: a check failed there. {_path(pushed)} is as it was"


def _path(pushed: Pushed) -> str:
    return pushed.folder if pushed.folder.startswith("/") else f"~/{pushed.folder}"
