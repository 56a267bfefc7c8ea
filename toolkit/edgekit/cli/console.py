"""What is printed, and how the process ends: nothing else in edgekit does either."""

import contextlib
import json
import os
import re
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
    """The exit status of a report."""
    return OK if report.passed(strict=strict) else LIMIT_BROKEN


@contextlib.contextmanager
def steps(*, quiet: bool, verbose: bool) -> Iterator[Progress]:
    """A function that shows the current step: on a terminal in one line, which is then removed."""
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
    """Discard what native code prints on standard error."""
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
    """End every error in one message and its exit status."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        status = exit_status(error)
        if status is None and os.environ.get(_TRACEBACK):
            raise
        _print(_message(error, status))
        for note in getattr(error, "__notes__", ()):
            _print(note)
        sys.exit(CONVERSION_FAILED if status is None else status)
    except KeyboardInterrupt:
        click.echo("\nInterrupted; existing output unchanged.", err=True)
        os._exit(_INTERRUPTED)


def exit_status(error: BaseException) -> int | None:
    """The exit status of an error by its nearest class in this table; None of one not foreseen."""
    from edgekit.errors import EdgekitError
    from edgekit.workflows.worker import WorkerError
    from edgekit_converters import ConversionError, SourceError
    from edgekit_runtimes import DeviceUnavailable, InputError, NotDelegated, RuntimesError

    statuses: dict[type, int] = {
        EdgekitError: USAGE,
        WorkerError: CONVERSION_FAILED,
        ConversionError: CONVERSION_FAILED,
        SourceError: USAGE,
        RuntimesError: CONVERSION_FAILED,
        InputError: USAGE,
        DeviceUnavailable: MISSING,
        NotDelegated: LIMIT_BROKEN,
        OSError: CONVERSION_FAILED,
    }
    return next((statuses[kind] for kind in type(error).__mro__ if kind in statuses), None)


def in_shell_words(message: str) -> str:
    """A message of the library with flags where it names Python parameters.

    >>> in_shell_words('pass data=..., or precision="float32"')
    'pass --data ..., or --precision "float32"'
    """
    from edgekit.option_kinds import Switch
    from edgekit.options import ConvertCommand, ValidateCommand, options_in
    from edgekit.project import key_of

    for name, option in (options_in(ConvertCommand) | options_in(ValidateCommand)).items():
        switch = isinstance(option.kind, Switch)
        written = rf"\b{name}=True\b" if switch else rf"\b{name}=(?=[\"'.\[{{\d])"
        message = re.sub(written, f"--{key_of(name)}{'' if switch else ' '}", message)
    return message


def _message(error: Exception, status: int | None) -> str:
    if status is None:
        return (
            f"{type(error).__name__}: {str(error).strip() or 'no reason given'}\n"
            f"edgekit did not foresee this: {_TRACEBACK}=1 before the command shows where it came from."
        )
    if isinstance(error, OSError):  # a full disk, a folder that cannot be written, ...
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}. Existing output unchanged."
    return in_shell_words(str(error))


def _print(text: str) -> None:
    click.echo(f"edgekit: {text}", err=True)
