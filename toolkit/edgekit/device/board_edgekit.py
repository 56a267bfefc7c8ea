"""edgekit's own commands, run on a board: verify and bench, as values."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.device.board import Board, BoardError
from edgekit.device.board_python import BoardPython
from edgekit.inference.benchmark import Timing
from edgekit_runtimes.bundle.verification import Check, Verified
from edgekit_runtimes.formats.least_versions import LITERT, ONNX_RUNTIME, least_versions

_PACKAGES = {LITERT: "ai-edge-litert", ONNX_RUNTIME: "onnxruntime"}


def refuse_old_runtimes(board: Board, python: BoardPython, files: Sequence[Path]) -> None:
    """Refuse a board whose runtime does not know a part of a file yet; one that is not there is no fault."""
    for file in files:
        for runtime, least in least_versions(file).items():
            package = _PACKAGES.get(runtime, "")
            there = python.packages.get(package)
            if there and _release(there) < _release(least):
                pip = python.command("-m", "pip", "install", "--upgrade", package)
                raise BoardError(
                    f"{board.address}: {package} {there} there is too old for {file.name}, which needs {least} "
                    f"or newer. Type there: {pip}"
                )


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without what follows them (``rc1``, ``+cpu``)."""
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])[:3]))


def verify_there(
    board: Board, python: BoardPython, folder: str, devices: Sequence[str]
) -> Verified:
    """What ``edgekit verify`` finds of a folder there.

    Raises:
        BoardError: it does not run there, or is too old for it.
    """
    asked = ("verify", "--json", "--device", ",".join(devices), "--", folder)
    found = _document(board, python, asked, "verify the files")
    return Verified(folder, found["samples"], tuple(Check(**check) for check in found["checks"]))


def bench_there(
    board: Board,
    python: BoardPython,
    folder: str,
    models: Sequence[str],
    devices: Sequence[str],
    seconds: float,
) -> tuple[Timing, ...]:
    """What ``edgekit bench`` measures there, of files of a folder.

    Raises:
        BoardError: it does not run there, or is too old for it.
    """
    asked = ("bench", "--json", "--seconds", str(seconds), "--devices", ",".join(devices))
    files = [f"{folder}/{name}" for name in models]
    rows = _document(board, python, (*asked, "--", *files), "time the files")
    return tuple(replace(Timing(**row), file=PurePosixPath(row["file"]).name) for row in rows)


def _document(board: Board, python: BoardPython, arguments: Sequence[str], purpose: str) -> Any:
    """The JSON that a command of edgekit's prints there."""
    command = python.command("-m", "edgekit", *arguments)
    output = board.run(command)
    lines = output.stdout.splitlines()  # a login script may have printed lines before it
    begin = next((i for i, line in enumerate(lines) if line in ("{", "[")), len(lines))
    try:
        return json.loads("\n".join(lines[begin:]))
    except ValueError as error:
        said = (output.stderr.strip() or output.stdout.strip() or "nothing").splitlines()[-1]
        if "No such command" in said or "No such option" in said:
            raise BoardError(
                f"{board.address}: edgekit {python.edgekit} there is too old to {purpose}: it says {said!r}. "
                'Make a wheel here (make wheel) and pass it: install="dist/...whl".'
            ) from error
        raise BoardError(
            f"{board.address}: edgekit {python.edgekit} there could not {purpose}: {said}"
        ) from error
