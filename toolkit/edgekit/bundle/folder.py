"""The folder that ships: made aside, and put in place at once."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

LOG = "edgekit.log"
FAILED_LOG = "edgekit-failed.log"
_SCRATCH = ".edgekit-"


@contextlib.contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """A scratch folder inside ``output``, so that moving out of it is a rename.

    It is gone afterwards, whatever happened; so is ``output``, where it was made for this and
    nothing was put into it. What killed runs left there is removed first.
    """
    made = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    for stale in output.glob(f"{_SCRATCH}*"):
        if not _alive(stale.name.removeprefix(_SCRATCH)):
            shutil.rmtree(stale, ignore_errors=True)
    scratch = output / f"{_SCRATCH}{os.getpid()}"
    scratch.mkdir(exist_ok=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):  # something was put into it
                output.rmdir()


def publish(scratch: Path, names: Sequence[str], output: Path) -> None:
    """Moves finished files into ``output``, over those of the same name; the last one last.

    An interrupt waits until all are moved.
    """
    with _uninterrupted():
        for name in names:
            (scratch / name).replace(output / name)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a mapping as JSON that a person can read."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """The file's hash, in hexadecimal; a folder's is that of its files in order."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[tuple[int, Any]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught and callable(before):
        before(*caught[0])


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
