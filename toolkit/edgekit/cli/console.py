"""What is printed, and how the process ends: nothing else in edgekit does either."""

import contextlib
import json
import os
import re
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from edgekit.stopping import Stopped, tidily

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgekit.report.result import Report

OK, LIMIT_BROKEN, USAGE, CONVERSION_FAILED, MISSING = 0, 1, 2, 3, 4
_SIGNAL = 128  # and the number of the signal, as a shell has it
_TRACEBACK = "EDGEKIT_TRACEBACK"
_COLUMNS = 80


def show(report: "Report", as_json: bool, quiet: bool, worst: int = 0) -> None:
    """Prints a report; ``worst`` is how many of the samples that changed most to list."""
    if as_json:
        say(json.dumps(report.to_dict(), indent=2))
    elif not quiet:
        from edgekit.report.table import render

        draw(render(report, worst=worst))


def draw(drawing: "RenderableType") -> None:
    """Prints a table or the like."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False, markup=False)  # names may hold brackets
    with console.capture() as text:
        console.print(drawing)
    say(text.get().removesuffix("\n"))


def say(text: str) -> bool:
    """Prints text; False where nobody reads on, as ``head`` does. That is no error."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
        return False
    except OSError as error:  # a full disk
        raise _unwritable(error) from error
    return True


def say_written(folder: str, files: str) -> None:
    """Tells what was written into the folder that ships."""
    beside = ("manifest.json", "golden.npz", "report.json", "recipe.json", "edgekit.log")
    there = [name for name in beside if (Path(folder) / name).exists()]
    text = f"Written to {folder}: {', '.join([files, *there])}"
    say("\n" + textwrap.fill(text, _COLUMNS, break_long_words=False, break_on_hyphens=False))


def tell(text: str) -> None:
    """Prints text on standard error; if that cannot be written, it is lost."""
    with _standard_error():
        click.echo(text, err=True)


def status(report: "Report", strict: bool) -> int:
    """The exit status of a report."""
    return OK if report.passed(strict=strict) else LIMIT_BROKEN


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Discard what native code prints on standard error."""
    with contextlib.suppress(OSError):  # a full disk
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
    with tidily():
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
        except KeyboardInterrupt as interrupt:
            number = interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT
            word = "Interrupted" if number == signal.SIGINT else "Terminated"
            tell(f"\n{word}; existing output unchanged.")
            os._exit(_SIGNAL + number)


def end(run: Callable[[], object]) -> NoReturn:
    """Run a command line and end the process, with the exit status that belongs to it.

    It is right also where standard output or error is closed, full, or a pipe that nobody reads.
    """
    _open_standard_streams()
    status = OK
    try:
        code = run()
        status = code if isinstance(code, int) else OK
    except click.ClickException as error:
        status = _shown(error)
    except click.Abort:
        status = _SIGNAL + signal.SIGINT
        tell("\nInterrupted.")
    except BrokenPipeError:  # of what click prints: --help, --version
        _discard(sys.stdout)
    except OSError as error:
        status = _shown(_unwritable(error))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
    except OSError as error:
        status = _shown(_unwritable(error))
    sys.exit(status)


def exit_status(error: BaseException) -> int | None:
    """The exit status of an error by its nearest class in this table; None of one not foreseen."""
    from edgekit.device.board import BoardError
    from edgekit.errors import EdgekitError
    from edgekit.inference.place import ClusterError
    from edgekit.workflows.worker import WorkerError
    from edgekit_converters import ConversionError, SourceError
    from edgekit_runtimes import DeviceUnavailable, InputError, NotDelegated, RuntimesError

    statuses: dict[type, int] = {
        EdgekitError: USAGE,
        ClusterError: MISSING,
        BoardError: MISSING,
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
    from edgekit.options.declared import ConvertCommand, ValidateCommand
    from edgekit.options.kinds import Switch
    from edgekit.options.values import options_in
    from edgekit.project import key_of
    from edgekit.push_options import PushOptions

    commands = (ConvertCommand, ValidateCommand, PushOptions)
    for name, option in (item for command in commands for item in options_in(command).items()):
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
    tell(f"edgekit: {text}")


class _Unwritable(click.ClickException):
    exit_code = CONVERSION_FAILED


def _shown(error: click.ClickException) -> int:
    with _standard_error():
        error.show()
    return error.exit_code


def _unwritable(error: OSError) -> click.ClickException:
    _discard(sys.stdout)
    return _Unwritable(f"standard output cannot be written: {error.strerror or error}.")


@contextlib.contextmanager
def _standard_error() -> Iterator[None]:
    """What is printed there may be lost: nobody is left to be told so."""
    try:
        yield
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Let what is still to be written to a stream go nowhere."""
    with contextlib.suppress(OSError, ValueError):  # a stream of a test's, without a descriptor
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, stream.fileno())
        os.close(silence)


def _open_standard_streams() -> None:
    """Open those that are closed: else the next file takes their place, and gets what is printed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
