"""``edgekit watch``: what a server, or a log, says just now."""

import contextlib
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli.console import errors, say

if TYPE_CHECKING:
    from edgekit.watch.state import State


@click.command(short_help="Watch a server or a log.")
@click.argument("source", metavar="URL|LOG")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    metavar="SECONDS",
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Look for that long, print what was seen, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line for each look.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page too, at each look.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The bearer token that the server was given.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CERT",
    help="The certificate that the server's is signed by, where the system does not have it.",
)
def watch(
    source: str,
    every: float,
    once: bool,
    as_json: bool,
    html: Path | None,
    token_file: Path | None,
    ca: Path | None,
) -> None:
    """Show requests, times, queues, drift and the shadow of a server, or of a log.

    URL is where `edgekit serve` listens; LOG is a file of what its --log writes, or of the lines of a script's
    monitor. In a terminal the table is live; into a pipe goes a line a model, at each look.
    """
    with errors():
        of_server = source.startswith(("http://", "https://"))
        look = _server(source, token_file, ca) if of_server else _log(source, once)
        state = look()
        if not once:
            with contextlib.suppress(KeyboardInterrupt):  # seen enough
                _follow(look, state, every, as_json, html)
            return
        if of_server:  # what came since the first look
            time.sleep(every)
            state = look()
        _show(state, as_json, live=False)
        _write(state, html)


def _follow(
    look: "Callable[[], State]", state: "State", every: float, as_json: bool, html: Path | None
) -> None:
    """Look again and again, until nobody reads on."""
    from edgekit.cli.watch_table import watch_table
    from edgekit.watch.state import WatchError

    if as_json or not sys.stdout.isatty():
        while _show(state, as_json, live=True):
            _write(state, html)
            time.sleep(every)
            state = look()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(
        console=Console(highlight=False, markup=False), auto_refresh=False, screen=True
    ) as live:
        problem = ""
        while True:
            live.update(watch_table(state, problem), refresh=True)
            _write(state, html)
            time.sleep(every)
            try:
                state, problem = look(), ""
            except WatchError as error:  # it may come again
                problem = str(error)


def _server(url: str, token_file: Path | None, ca: Path | None) -> "Callable[[], State]":
    from edgekit.bundle.packages import require

    require(["prometheus_client"], "watching a server", "serve")
    from edgekit.watch.server import Server

    token = None if token_file is None else token_file.read_text(encoding="utf-8").strip()
    return Server(url.rstrip("/").removesuffix("/v2"), token, ca).state


def _log(path: str, once: bool) -> "Callable[[], State]":
    from edgekit.watch.log import Log

    log = Log(Path(path))
    return log.state if once else lambda: log.state(now=datetime.now(UTC))


def _show(state: "State", as_json: bool, *, live: bool) -> bool:
    """Print what was seen; False where nobody reads on."""
    from edgekit.cli.console import draw
    from edgekit.cli.watch_table import watch_lines, watch_table

    if as_json:
        return say(json.dumps(state.to_dict(), allow_nan=False))
    if live:
        return say("\n".join(watch_lines(state)))
    draw(watch_table(state))
    return True


def _write(state: "State", html: Path | None) -> None:
    if html is not None:
        from edgekit.report.watch_page import write_watch_page

        write_watch_page(state, html)
