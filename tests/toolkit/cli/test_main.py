"""The table of verbs, and what an error becomes: a message and an exit status."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import edgekit
from edgekit.cli.console import exit_status, in_shell_words
from edgekit.cli.main import COMMANDS, main
from edgekit.errors import errors
from edgekit.workflows.worker import WorkerError
from edgekit_converters import SourceError
from edgekit_runtimes import Placement


@click.command()
@click.argument("name")
def greet(name: str) -> None:
    """Say hello."""
    click.echo(f"hello {name}")


def test_one_line_adds_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "greet", greet)

    assert CliRunner().invoke(main, ["greet", "world"]).output == "hello world\n"
    assert "Say hello." in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_help_and_needs_no_project_for_it(verb: str) -> None:
    result = CliRunner().invoke(main, [verb, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {verb} ")


def test_python_m_edgekit_is_the_command() -> None:
    command = [sys.executable, "-m", "edgekit", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"edgekit, version {edgekit.__version__}\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (edgekit.DataError("x"), 2),
        (edgekit.OptionError("x"), 2),
        (SourceError("x"), 2),
        (edgekit.InputError("x"), 2),
        (edgekit.ConversionError("x"), 3),
        (edgekit.ModelError("x"), 3),
        (WorkerError("x"), 3),
        (OSError(28, "No space left on device"), 3),
        (edgekit.DeviceUnavailable("x"), 4),
        (edgekit.RuntimeMissing("x"), 4),
        (edgekit.NotDelegated("x", Placement("npu", "chip", "npu", ())), 1),
        (ZeroDivisionError("x"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_its_exit_status(error: Exception, status: int | None) -> None:
    assert exit_status(error) == status
    if isinstance(error, errors()):
        assert status is not None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("pass data=...", "pass --data ..."),
        ('or precision="float32,dynamic"', 'or --precision "float32,dynamic"'),
        ("trust=True runs it", "--trust runs it"),
        ("per_layer=True says where", "--per-layer says where"),
        ("timeout=60 gives it longer", "--timeout 60 gives it longer"),
        ("min={'f1': 0.8}", "--min {'f1': 0.8}"),
        ("top1=0.9 and samples = 3", "top1=0.9 and samples = 3"),
    ],
)
def test_messages_of_the_library_name_flags_in_the_shell(message: str, expected: str) -> None:
    assert in_shell_words(message) == expected
