"""Parts of a model run on a board: files are copied there, run by the runtime there, and answers copied back."""

import base64
import binascii
import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from edgekit.data.samples import Array
from edgekit.device.board import Board, BoardError
from edgekit.device.board_python import BoardPython, find_python
from edgekit.device.connect import open_board
from edgekit.device.copying import copy, done, in_shell
from edgekit.inference.parts import Answer, Runner, read_answers, write_jobs
from edgekit.scratch import scratch_folder
from edgekit_converters.pieces import Part

_ANSWER = re.compile(r"\d+\.(npz|txt)")
_REFUSED = 3  # the status of ``edgekit_runtimes.processing.answers`` where there is no such device


@contextmanager
def board_runner(address: str, device: str = "cpu", python: str | None = None) -> Iterator[Runner]:
    """Connect to a board, and run parts of a model there.

    Args:
        address: ``ssh://user@host[:port][/path]``; the path is that of a folder to work in, which is as it
            was afterwards.
        device: of the board.
        python: the Python there; by default, one that has edgekit, as for ``push``.

    Raises:
        BoardError: the board cannot be reached, or has no edgekit.
    """
    with open_board(address) as board:
        there = find_python(board, python)
        folder = f"{board.path or '.cache/edgekit'}/bisect-{uuid4().hex[:12]}"

        def run(
            suffix: str, parts: Sequence[Part], tensors: Mapping[str, Array], *, chained: bool
        ) -> list[Answer]:
            with scratch_folder() as scratch:
                names = write_jobs(scratch, suffix, parts, tensors, chained=chained)
                try:
                    copy(board, {name: scratch / name for name in names}, folder)
                    _run(board, there, folder, device)
                    _fetch(board, folder, scratch)
                finally:
                    board.run(f"rm -rf {in_shell(folder)}")
                return read_answers(scratch, len(parts))

        yield run


def _run(board: Board, python: BoardPython, folder: str, device: str) -> None:
    """Run all parts; again after one that ended its process."""
    answers = python.command("-m", "edgekit_runtimes.processing.answers", ".", "--device", device)
    command = f"cd {in_shell(folder)} && {answers}"
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
