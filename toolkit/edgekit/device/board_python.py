"""The Python on a board that has edgekit: found, asked what is there, and installed from a wheel."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from edgekit.device.board import Board, BoardError, Output
from edgekit.device.copying import copy, refused
from edgekit.progress import Progress, silent
from edgekit_runtimes.engines.devices import runtime_packages
from edgekit_runtimes.engines.wheels import lacks_wheels

ENVIRONMENT = ".edgekit"
"""The virtual environment that ``install_wheel`` makes, in the board's home folder, and that is looked for first."""

_WHEELS = ".edgekit-wheels"
_OLDEST = (3, 11)
_DISTRIBUTION = "edgekit-toolkit"
_BY_HAND = 'README.md, "On a Raspberry Pi", has the way by hand'

# What any Python 3 there can run. One line, with a beginning that no login script prints.
_FACTS = """
import json, os, sys, sysconfig
facts = {"executable": sys.executable, "version": list(sys.version_info[:2]), "machine": os.uname().machine,
    "bits": 64 if sys.maxsize > 2**32 else 32,
    "libc": "musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "glibc"}
packages = {}
try:
    from importlib.metadata import version, PackageNotFoundError
    for name in sys.argv[1:]:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            pass
except ImportError:
    pass
print("edgekit-facts " + json.dumps(dict(facts, packages=packages)))
"""
_MARK = "edgekit-facts "


@dataclass(frozen=True, slots=True)
class BoardPython:
    """A Python on a board, and what is installed for it."""

    executable: str
    version: tuple[int, int]
    machine: str
    bits: int
    """32 also where a 32-bit system runs on a 64-bit kernel, whose ``machine`` says otherwise."""
    libc: str
    """``glibc`` or ``musl``."""
    packages: Mapping[str, str]
    """The versions of edgekit and of the runtimes that are there, by distribution."""

    @property
    def edgekit(self) -> str | None:
        """The version of edgekit; None where it is not installed."""
        return self.packages.get(_DISTRIBUTION)

    def command(self, *arguments: str) -> str:
        """A command of this Python, in the shell's words."""
        return " ".join(map(quote, (self.executable, *arguments)))


def find_python(board: Board, named: str | None = None) -> BoardPython:
    """The Python on a board that has edgekit.

    Looked for are ``named`` alone, or ``~/.edgekit``, ``python3`` and ``python``.

    Raises:
        BoardError: there is none, it is too old, or edgekit is not installed for it: each with the way.
    """
    found = _pythons(board, named)
    if not found:
        looked = named or f"~/{ENVIRONMENT}/bin/python, python3, python"
        raise BoardError(
            f"{board.address}: there is no Python there ({looked}). Install Python 3.11 or newer (on "
            "Debian or Raspberry Pi OS: sudo apt install python3 python3-venv), or name one: python='/path/to/python3'."
        )
    for python in found:
        if python.edgekit:
            return python
    best = _newest(board, found)
    if reason := lacks_wheels(best.machine, best.bits, best.libc):
        raise BoardError(f"{board.address}: edgekit is not installed there. {reason}")
    raise BoardError(
        f"{board.address}: edgekit is not installed for {best.executable} there. Make a wheel here (make "
        f'wheel) and pass it: install="dist/...whl" puts it into ~/{ENVIRONMENT} there; {_BY_HAND}.'
    )


def install_wheel(
    board: Board,
    wheel: Path,
    extras: Sequence[str],
    named: str | None = None,
    progress: Progress = silent,
) -> None:
    """Install a wheel of edgekit into ``~/.edgekit`` on a board, and the runtimes from its package index.

    Args:
        board: where.
        wheel: as ``make wheel`` leaves it in ``dist``.
        extras: of edgekit: ``litert``, ``onnx``.
        named: the Python that makes the environment; else ``python3`` or ``python`` there.
        progress: is called with each step.

    Raises:
        BoardError: there is no such wheel, or what it needs is not to be had there.
    """
    if wheel.suffix != ".whl" or not wheel.is_file():
        raise BoardError(f"{wheel}: no wheel. `make wheel` makes one, in dist.")
    found = _pythons(board, named)
    if not found:
        find_python(board, named)
    best = _newest(board, found)
    if reason := lacks_wheels(best.machine, best.bits, best.libc):
        raise BoardError(f"{board.address}: {reason}")
    copy(board, {wheel.name: wheel}, _WHEELS, progress)
    progress(f"installing {wheel.name} there")
    file = f"./{_WHEELS}/{wheel.name}"
    with_extras = f"{file}[{','.join(extras)}]"
    pip = f"{ENVIRONMENT}/bin/python -m pip install --quiet --disable-pip-version-check"
    for command in (
        f"test -x {ENVIRONMENT}/bin/python || {best.command('-m', 'venv', ENVIRONMENT)}",
        f"{pip} {quote(with_extras)}",
        f"{pip} --no-deps --force-reinstall {quote(file)}",  # where another of this version is there
    ):
        output = board.run(command)
        if output.status:
            raise _not_installed(board, best, output)


def _not_installed(board: Board, python: BoardPython, output: Output) -> BoardError:
    said = output.stdout + output.stderr
    if "ensurepip" in said:
        return BoardError(
            f"{board.address}: {python.executable} there makes no virtual environments. Type there: sudo "
            "apt install python3-venv"
        )
    if "No matching distribution" in said:
        needed = said.rpartition("No matching distribution found for ")[2].split()[0]
        return BoardError(
            f"{board.address}: pip finds no {needed} for Python {'.'.join(map(str, python.version))} on "
            f"{python.machine}. Does the board reach the internet?"
        )
    return refused(board, "install edgekit", output)


def _newest(board: Board, found: Sequence[BoardPython]) -> BoardPython:
    best = max(found, key=lambda python: python.version)
    if best.version < _OLDEST:
        raise BoardError(
            f"{board.address}: {best.executable} there is Python {'.'.join(map(str, best.version))}, and "
            "edgekit needs 3.11 or newer: Raspberry Pi OS and Debian have it since 12 (bookworm)."
        )
    return best


def _pythons(board: Board, named: str | None) -> list[BoardPython]:
    looked = [named] if named else [f"./{ENVIRONMENT}/bin/python", "python3", "python"]
    asked = " ".join(map(quote, (_FACTS, _DISTRIBUTION, *runtime_packages())))
    names = " ".join(map(quote, looked))
    output = board.run(f'for p in {names}; do "$p" -c {asked} 2>/dev/null; done; true')
    lines = [line for line in output.stdout.splitlines() if line.startswith(_MARK)]
    return [_read(json.loads(line.removeprefix(_MARK))) for line in lines]


def _read(facts: dict[str, Any]) -> BoardPython:
    return BoardPython(**{**facts, "version": tuple(facts["version"])})
