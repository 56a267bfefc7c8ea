"""``push``: a folder copied to a board, verified and timed there, and then put in use at once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.manifest import Manifest, read_manifest
from edgekit.data.samples import DataError
from edgekit.device.board_edgekit import bench_there, refuse_old_runtimes, verify_there
from edgekit.device.board_python import BoardPython, find_python, install_wheel
from edgekit.device.connect import open_board
from edgekit.device.copying import copy
from edgekit.device.folder_in_use import folder_in_use, refuse_foreign, switch
from edgekit.inference.benchmark import Timing, bench
from edgekit.names import names
from edgekit.progress import Progress, silent
from edgekit_runtimes.bundle.manifest_file import vouched
from edgekit_runtimes.bundle.verification import Verified
from edgekit_runtimes.known_files import sha256

_EXTRAS = {".tflite": "litert", ".onnx": "onnx"}


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a push: truthy where the board uses the folder now."""

    address: str
    folder: str
    """The path in use there: a link to the folder that was copied."""
    python: BoardPython
    sent: int
    """Bytes that were copied; 0 where all was there."""
    bytes: int
    """Bytes of the folder."""
    verified: Verified
    """Hashes and golden samples there; where one is wrong, the old folder stays in use."""
    here: tuple[Timing, ...]
    there: tuple[Timing, ...]
    note: str = ""

    def __bool__(self) -> bool:
        return self.verified.passed

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"in_use": bool(self), **asdict(self), "verified": self.verified.to_dict()}


def push(
    folder: str | Path,
    address: str,
    *,
    python: str | None = None,
    install: str | Path | None = None,
    devices: str | Sequence[str] = "cpu",
    seconds: float = 1.0,
    progress: Progress = silent,
) -> Pushed:
    """Copy a folder to a board, verify and time its files there, and then put it in use.

    >>> pushed = push("out", "ssh://pi@raspberrypi.local")  # doctest: +SKIP
    >>> pushed.verified.passed  # doctest: +SKIP
    True

    The files lie beside the path in use, in a folder for each content; the path is a link, which changes
    at once and last. Wherever it breaks, the old folder stays in use, and the same call goes on where it
    stopped.

    Args:
        folder: what ``convert`` made.
        address: ``ssh://user@host[:port][/path]``, or ``adb://serial[/path]`` (not tested on hardware).
            Without a path it is ``~/edgekit/NAME``, after the folder.
        python: the Python there; else ``~/.edgekit/bin/python``, ``python3`` or ``python``.
        install: a wheel of edgekit, to be installed there into ``~/.edgekit`` first.
        devices: to time on, here and there.
        seconds: measuring time of each file.
        progress: is called with each step.

    Raises:
        DataError: it is no such folder.
        ModelError: a file in it is not the one that its manifest lists.
        BoardError: the board cannot be reached, or lacks what is needed; says what to do.
    """
    source = Path(folder)
    manifest, files = _contents(source)
    known = names(devices)
    with open_board(address) as board:
        if install:
            install_wheel(board, Path(install), _extras(manifest), python, progress)
        runs = find_python(board, python)
        refuse_old_runtimes(board, runs, [source / entry.file for entry in manifest.files])
        place = folder_in_use(board, source)
        refuse_foreign(board, place)
        aside = f"{place.versions}/{_key(files)}"
        sent = copy(board, files, aside, progress)
        models = [entry.file for entry in manifest.files]
        progress("verifying there")
        verified = verify_there(board, runs, aside, known)
        progress("timing there")
        there = bench_there(board, runs, aside, models, known, seconds)
        progress("timing here")
        here = bench([source / name for name in models], devices=known, seconds=seconds)
        if verified:
            progress("putting it in use")
            switch(board, runs, place, aside)
    return Pushed(
        address=address,
        folder=place.path,
        python=runs,
        sent=sent,
        bytes=sum(path.stat().st_size for path in files.values()),
        verified=verified,
        here=tuple(here),
        there=there,
        note=board.note,
    )


def _contents(folder: Path) -> tuple[Manifest, dict[str, Path]]:
    """The manifest of a folder, and all its files by their names."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder. Name one that edgekit convert made.")
    manifest = read_manifest(folder)
    if manifest is None:
        raise DataError(f"{folder}: there is no manifest.json of edgekit's in it. Convert first.")
    for entry in manifest.files:
        vouched(folder / entry.file)
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    return manifest, files


def _extras(manifest: Manifest) -> list[str]:
    suffixes = {Path(entry.file).suffix for entry in manifest.files}
    return [extra for suffix, extra in _EXTRAS.items() if suffix in suffixes]


def _key(files: Mapping[str, Path]) -> str:
    """A name for the content: the same files have the same, so that a copy can go on."""
    lines = "".join(f"{name} {sha256(path)}\n" for name, path in files.items())
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
