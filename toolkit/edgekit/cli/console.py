"""The only place that prints, and that ends the process."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from edgekit.progress import Progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgekit.report.result import Report

OK, LIMIT_BROKEN, USAGE, CONVERSION_FAILED, MISSING = 0, 1, 2, 3, 4
_INTERRUPTED = 130
_TRACEBACK = "EDGEKIT_TRACEBACK"


def show(report: "Report", as_json: bool, quiet: bool, worst: int = 0) -> None:
    """Prints a report; ``worst`` is how many of the samples that changed most to list."""
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    elif not quiet:
        from edgekit.report.table import render

        draw(render(report, worst=worst))


def draw(drawing: "RenderableType") -> None:
    """Prints a table or the like."""
    from rich.console import Console

    Console(highlight=False, soft_wrap=False).print(drawing)


def status(report: "Report", strict: bool) -> int:
    """The exit status that a report means."""
    return OK if report.passed(strict=strict) else LIMIT_BROKEN


@contextlib.contextmanager
def steps(*, quiet: bool, verbose: bool) -> Iterator[Progress]:
    """A function that shows the step at hand: on a terminal in one line, that is gone afterwards."""
    if quiet:
        yield lambda step: None
    elif verbose:
        start = time.perf_counter()
        yield lambda step: click.echo(f"{time.perf_counter() - start:6.1f} s  {step}", err=True)
    else:
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield lambda step: status.update(step)


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keeps what native code prints on standard error from the screen."""
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """Every error that can be foreseen ends in one message and its exit status."""
    from edgekit import ConversionError, DataError, DeviceUnavailable, ModelError
    from edgekit_converters import SourceError
    from edgekit_runtimes import NotDelegated

    try:
        yield
    except (DataError, SourceError) as error:
        _end(error, USAGE)
    except NotDelegated as error:
        _end(error, LIMIT_BROKEN)
    except DeviceUnavailable as error:
        _end(error, MISSING)
    except (ConversionError, ModelError) as error:
        _end(error, CONVERSION_FAILED)
    except OSError as error:  # a full disk, a folder that cannot be written, ...
        where = f"{error.filename}: " if error.filename else ""
        _end(
            OSError(f"{where}{error.strerror or error}. What stood there before is as it was."),
            CONVERSION_FAILED,
        )
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        _end(
            RuntimeError(
                f"{type(error).__name__}: {str(error).strip() or 'no reason given'}\nedgekit did not "
                f"foresee this: {_TRACEBACK}=1 before the command shows where it came from."
            ),
            CONVERSION_FAILED,
        )
    except KeyboardInterrupt:
        click.echo("\nInterrupted; nothing was changed.", err=True)
        os._exit(_INTERRUPTED)


def _end(error: Exception, status: int) -> None:
    click.echo(f"edgekit: {error}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"edgekit: {note}", err=True)
    sys.exit(status)
