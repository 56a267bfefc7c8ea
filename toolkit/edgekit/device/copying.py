"""Files copied to a board, in pieces that stay where the connection breaks.

Each file grows under another name, and gets its own when all of it is there and its hash is right. It
takes nothing there but ``sh`` and the small programs that every Linux has (dropbear has no SFTP).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from shlex import quote

from edgekit.device.board import Board, BoardError, Output
from edgekit.progress import Progress, advances, silent
from edgekit_runtimes.known_files import sha256

_PART = ".part"
_BLOCK = 1 << 16


def copy(board: Board, files: Mapping[str, Path], folder: str, progress: Progress = silent) -> int:
    """Copy files into a folder on a board, and return how many bytes were sent.

    What is there and has the right hash is not sent again; what is there of a file is not, either.

    Args:
        board: where to.
        files: by their names in that folder, with slashes where they lie deeper.
        folder: there; made if it is not there. Relative to the board's home folder, or absolute.
        progress: is called with each file.

    Raises:
        BoardError: the board cannot be written to, is full, or damages what it stores.
        ConnectionLost: what was copied stays there; the next call goes on.
    """
    names = list(files)
    whole, begun = _sizes(board, files, folder)
    hashes = {name: sha256(path) for name, path in files.items()}
    there = _hashes(board, [name for name in names if whole[name] >= 0], folder)
    lacking = [name for name in names if there.get(name) != hashes[name]]
    sent = 0
    for name in lacking:
        progress(f"copying {name}")
        size = files[name].stat().st_size
        for start in (begun[name] if 0 <= begun[name] <= size else 0, 0):
            arrived = _append(board, files[name], folder, name, start, advances(progress))
            sent += size - start
            if arrived == hashes[name]:
                break
        else:
            raise BoardError(
                f"{board.address}: {name} arrived damaged twice. Is its card or disk all right? Or is "
                "another push of the same folder under way?"
            )
    if lacking:
        moves = [f"mv -f {quote('./' + n + _PART)} {quote('./' + n)}" for n in lacking]
        done(
            board,
            f"cd {in_shell(folder)} && {' && '.join(moves)} && sync",
            f"move files in {folder}",
        )
    return sent


def done(board: Board, command: str, purpose: str) -> Output:
    """Run a command that has to succeed.

    Raises:
        BoardError: it did not; says what it was for, and what was said there.
    """
    output = board.run(command)
    if output.status:
        raise refused(board, purpose, output)
    return output


def refused(board: Board, purpose: str, output: Output) -> BoardError:
    """The error for a command that did not succeed there."""
    said = (output.stderr.strip() or output.stdout.strip()).splitlines() or ["no reason given"]
    if "No space left" in output.stderr:
        return BoardError(
            f"{board.address}: its disk is full: it could not {purpose}. Make room there and run the "
            "same command again: it goes on where it stopped."
        )
    return BoardError(f"{board.address}: it could not {purpose}: {said[-1]}")


def _sizes(
    board: Board, files: Mapping[str, Path], folder: str
) -> tuple[dict[str, int], dict[str, int]]:
    """The sizes of the files that are there, and of those begun; -1 of others.

    The folder is there then, and has room for the rest.
    """
    inner = sorted({str(PurePosixPath(name).parent) for name in files})
    asked = " ".join(quote(f"./{name}") for name in files)
    command = (
        f"mkdir -p {in_shell(folder)} && cd {in_shell(folder)} && "
        f"mkdir -p {' '.join(quote(f'./{name}') for name in inner)} || exit 1; "
        f'for f in {asked}; do for g in "$f" "$f"{_PART}; do '
        'if [ -f "$g" ]; then wc -c < "$g"; else echo -1; fi; done; done; df -Pk . | tail -n 1'
    )
    lines = done(board, command, f"make the folder {folder}").stdout.splitlines()
    *counts, disk = lines[-2 * len(files) - 1 :]
    whole = dict(zip(files, map(int, counts[::2]), strict=True))
    begun = dict(zip(files, map(int, counts[1::2]), strict=True))
    sizes = {name: path.stat().st_size for name, path in files.items()}
    needed = sum(n - max(begun[name], 0) for name, n in sizes.items() if n != whole[name])
    free = 1024 * int(disk.split()[3])
    if needed > free:
        raise BoardError(
            f"{board.address}: its disk is full: {needed / 1e6:,.1f} MB are to be copied, and there is room "
            f"for {free / 1e6:,.1f} MB in {folder}. Make room there, or name another path."
        )
    return whole, begun


def _hashes(board: Board, names: Sequence[str], folder: str) -> dict[str, str]:
    if not names:
        return {}
    asked = " ".join(quote(f"./{name}") for name in names)
    output = done(board, f"cd {in_shell(folder)} && sha256sum {asked}", "compute hashes")
    lines = output.stdout.splitlines()[-len(names) :]
    return {name: line.split()[0] for name, line in zip(names, lines, strict=True)}


def _append(
    board: Board,
    file: Path,
    folder: str,
    name: str,
    start: int,
    advance: Callable[[int, int], None],
) -> str:
    """Sends a file from a byte on, and returns the hash of what is there then."""
    part = quote(f"./{name}{_PART}")
    into = ">>" if start else ">"
    command = f"cd {in_shell(folder)} && cat {into} {part} && sha256sum {part}"
    output = board.run(command, _blocks(file, start, advance))
    if output.status:
        raise refused(board, f"write {name}", output)
    return output.last_line.split()[0]


def _blocks(file: Path, start: int, advance: Callable[[int, int], None]) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(start)
        while block := stream.read(_BLOCK):
            yield block
            advance(stream.tell(), size)


def in_shell(path: str) -> str:
    """A path in the shell's words; one that begins with a hyphen is no option."""
    return quote(path if path.startswith("/") else f"./{path}")
