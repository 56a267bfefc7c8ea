"""Parts of a model run on a board: files are copied there, run by the runtime there, and answers copied back."""

import base64
import binascii
import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from uuid import uuid4

from edgekit.data.samples import Array
from edgekit.device.board import Board, BoardError
from edgekit.device.connect import open_board
from edgekit.device.copying import copy, done, in_shell
from edgekit.inference.parts import Answer, Runner, read_answers, write_jobs
from edgekit.scratch import scratch_folder
from edgekit_converters.pieces import Part

_PYTHONS = (".edgekit/bin/python", ".venv/bin/python", "venv/bin/python", "python3", "python")
"""Where a Python with the runtimes is looked for, from the board's home folder."""

_ANSWER = re.compile(r"\d+\.(npz|txt)")
_REFUSED = 3  # the status of ``edgekit_runtimes.answers`` where there is no such device


@contextmanager
def board_runner(address: str, device: str = "cpu") -> Iterator[Runner]:
    """Connect to a board, and run parts of a model there.

    Args:
        address: ``ssh://user@host[:port][/path]``; the path is that of a folder to work in, which is as it
            was afterwards.
        device: of the board.

    Raises:
        BoardError: the board cannot be reached, or has no edgekit_runtimes.
    """
    with open_board(address) as board:
        python = _find_python(board)
        folder = f"{board.path or '.cache/edgekit'}/bisect-{uuid4().hex[:12]}"

        def run(
            suffix: str, parts: Sequence[Part], tensors: Mapping[str, Array], *, chained: bool
        ) -> list[Answer]:
            with scratch_folder() as scratch:
                names = write_jobs(scratch, suffix, parts, tensors, chained=chained)
                try:
                    copy(board, {name: scratch / name for name in names}, folder)
                    _run(board, python, folder, device)
                    _fetch(board, folder, scratch)
                finally:
                    board.run(f"rm -rf {in_shell(folder)}")
                return read_answers(scratch, len(parts))

        yield run


def _find_python(board: Board) -> str:
    """The first Python of the board that has the runtimes."""
    within = [f"{board.path}/{name}" for name in _PYTHONS[:3]] if board.path else []
    tried = " ".join(quote(name) for name in (*within, *_PYTHONS))
    command = (
        f"for p in {tried}; do "
        'if "$p" -c "import edgekit_runtimes.answers" 2>/dev/null; then command -v "$p"; exit 0; fi; '
        "done; exit 1"
    )
    output = board.run(command)
    if output.status:
        raise BoardError(
            f"{board.address}: no Python there has edgekit's runtimes: {', '.join((*within, *_PYTHONS))} were "
            "tried. Install it there: README.md, On the device."
        )
    found = output.last_line
    return found if found.startswith("/") or "/" not in found else f"$HOME/{found}"


def _run(board: Board, python: str, folder: str, device: str) -> None:
    """Run all parts; again after one that ended its process."""
    command = f'cd {in_shell(folder)} && "{python}" -m edgekit_runtimes.answers . --device {quote(device)}'
    before = -1
    while True:
        output = board.run(command)
        if output.status == 0:
            return
        said = (output.stderr.strip().splitlines() or ["no reason given"])[-1]
        if output.status == _REFUSED:
            raise BoardError(f"{board.address}: {said}")
        counted = done(
            board, f"ls {in_shell(folder)} | grep -c '[.]txt$' || true", "list its files"
        )
        ended = int(counted.last_line or 0)
        if ended == before or not ended:
            raise BoardError(f"{board.address}: the layers cannot be run there: {said}")
        before = ended


def _fetch(board: Board, folder: str, scratch: Path) -> None:
    """Copy the answers here, as text: what a command prints is text."""
    command = (
        f"cd {in_shell(folder)} && "
        "tar -cf answers.tar $(ls | grep -E '^[0-9]+[.](npz|txt)$') && base64 answers.tar"
    )
    output = done(board, command, "send the answers back")
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(output.stdout))) as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member)
                if content is not None and _ANSWER.fullmatch(member.name):
                    (scratch / member.name).write_bytes(content.read())
    except (tarfile.TarError, binascii.Error, EOFError) as error:
        raise BoardError(f"{board.address}: its answers arrived damaged: {error}") from error
