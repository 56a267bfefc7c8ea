"""The folder in use on a board: a link to one of the folders beside it, of which each has one content."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shlex import quote

from edgekit.device.board import Board, BoardError
from edgekit.device.board_python import BoardPython
from edgekit.device.copying import done, in_shell

_DEFAULT = "edgekit"  # in the board's home folder


@dataclass(frozen=True, slots=True)
class FolderInUse:
    """Where a folder goes."""

    path: str
    """The link."""
    versions: str
    """The folder beside it, with a folder for each content."""


def folder_in_use(board: Board, source: Path) -> FolderInUse:
    """Where a folder goes: the path of the address, or one after the folder's name.

    Raises:
        BoardError: the path names no folder.
    """
    path = board.path or f"{_DEFAULT}/{source.resolve().name}"
    pure = PurePosixPath(path)
    if pure.name in ("", "..") or "\n" in path:
        raise BoardError(
            f"{board.address}: the path has to name the folder that is to be used there."
        )
    return FolderInUse(str(pure), str(pure.with_name(f".{pure.name}.versions")))


def refuse_foreign(board: Board, place: FolderInUse) -> None:
    """Refuse a path with something that push did not make."""
    link = in_shell(place.path)
    versions = PurePosixPath(place.versions).name
    output = board.run(
        f"if [ -L {link} ]; then readlink {link}; elif [ -e {link} ]; then echo /; else echo; fi"
    )
    there = output.last_line
    if there and PurePosixPath(there).parent.name != versions:
        raise BoardError(
            f"{board.address}: {place.path} is there already, and edgekit push did not make it. Move it away "
            f"there (mv {quote(place.path)} {quote(place.path + '.old')}), or name another path."
        )


def switch(board: Board, python: BoardPython, place: FolderInUse, aside: str) -> None:
    """Puts a folder in use, and removes those that are neither it nor the one before."""
    name = PurePosixPath(aside).name
    target = f"{PurePosixPath(place.versions).name}/{name}"
    fresh = f"{place.versions}/.link"
    code = "import os,sys; os.replace(sys.argv[1], sys.argv[2])"  # mv would move into the folder
    command = (
        f"old=$(readlink {in_shell(place.path)}); rm -f {in_shell(fresh)}; "
        f"ln -s {quote(target)} {in_shell(fresh)} && "
        f"{python.command('-c', code)} {in_shell(fresh)} {in_shell(place.path)} && sync && "
        f'if [ "${{old##*/}}" != {quote(name)} ]; then for d in {in_shell(place.versions)}/*; do '
        f'case "${{d##*/}}" in {quote(name)}|"${{old##*/}}") ;; *) rm -rf "$d" ;; esac; done; fi'
    )
    done(board, command, f"put {place.path} in use")
