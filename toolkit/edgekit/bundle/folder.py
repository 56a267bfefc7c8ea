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

from edgekit.data.samples import DataError
from edgekit_runtimes.manifest_file import MANIFEST, UNFINISHED, is_manifest

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


def publish(scratch: Path, names: Sequence[str], output: Path, *, force: bool = False) -> None:
    """Moves finished files and their manifest into ``output``, over those of the same name.

    At no moment do the manifest and the files beside it disagree, wherever this is killed: first a
    manifest that says that the folder is unfinished takes the place of the one that is there, then the
    files are moved, then their manifest. Whoever opens an unfinished folder is told.

    An interrupt waits until all are moved.

    Args:
        scratch: where the files and the manifest are, on the same file system.
        names: of the files.
        output: the folder.
        force: whether a manifest that is not edgekit's may be replaced.

    Raises:
        DataError: there is such a manifest, and it may not.
    """
    refuse_foreign_manifest(output, force=force)
    unfinished = scratch / f"unfinished-{MANIFEST}"
    write_json(unfinished, {"schema": UNFINISHED, "files": []})
    with _uninterrupted():
        unfinished.replace(output / MANIFEST)
        for name in (*names, MANIFEST):
            (scratch / name).replace(output / name)


def refuse_foreign_manifest(output: Path, *, force: bool = False) -> None:
    """Refuse a folder with a ``manifest.json`` that edgekit did not write.

    Raises:
        DataError: there is one, and ``force`` is False.
    """
    path = output / MANIFEST
    if force or not (path.exists() or path.is_symlink()) or is_manifest(path):
        return
    raise DataError(
        f"{path}: is there already, and edgekit did not write it. Name another output, or pass "
        "force=True to replace it."
    )


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
