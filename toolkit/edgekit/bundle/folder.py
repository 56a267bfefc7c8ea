"""The folder that ships: made aside, and put in place at once."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.data.samples import DataError
from edgekit.errors import EdgekitError
from edgekit.scratch import scratch_folder
from edgekit.stopping import postponed
from edgekit_runtimes.bundle.manifest_file import MANIFEST, UNFINISHED, is_manifest
from edgekit_runtimes.bundle.private_folder import is_still, try_lock

LOG = "edgekit.log"
FAILED_LOG = "edgekit-failed.log"


class OutputInUse(EdgekitError):
    """Another run is writing into the output folder."""


@contextlib.contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """A scratch folder beside ``output``, so that moving out of it is a rename; nobody else may use it.

    It holds samples, so it never lies inside ``output``: where the folder above cannot be written, or
    is on another file system, it is among the temporary files. It is gone afterwards, whatever
    happened; so is ``output``, where it was made for this and nothing was put into it.

    Raises:
        OutputInUse: another run has the folder.
    """
    made = not output.exists()
    with _reserved(output):
        try:
            with scratch_folder(_above(output)) as scratch:
                yield scratch
        finally:
            if made:
                with contextlib.suppress(OSError):  # something was put into it
                    output.rmdir()


def publish(scratch: Path, names: Sequence[str], output: Path, *, force: bool = False) -> None:
    """Moves finished files and their manifest into ``output``, over those of the same name.

    At no moment do the manifest and the files beside it disagree, wherever this is killed: first a
    manifest that says that the folder is unfinished takes the place of the one that is there, then the
    files are moved, then their manifest. Whoever opens an unfinished folder is told.

    A signal that ends the process waits until all are moved.

    Args:
        scratch: where the files and the manifest are.
        names: of the files.
        output: the folder.
        force: whether a manifest that is not edgekit's may be replaced.

    Raises:
        DataError: there is such a manifest, and it may not.
    """
    refuse_foreign_manifest(output, force=force)
    unfinished = f"unfinished-{MANIFEST}"
    write_json(scratch / unfinished, {"schema": UNFINISHED, "files": []})
    staged = _on_the_same_file_system(scratch, [unfinished, *names, MANIFEST], output)
    with postponed():
        for name, source in zip([MANIFEST, *names, MANIFEST], staged, strict=True):
            source.replace(output / name)


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
def _reserved(output: Path) -> Iterator[None]:
    """Makes the folder, and keeps other runs out of it.

    The lock is on the folder itself, so that nothing is left in it, and holds between containers too.
    File systems without such locks (NFS) keep nobody out.
    """
    while True:
        output.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(output, os.O_RDONLY)
        except FileNotFoundError:  # another run took its empty folder away
            continue
        except PermissionError:  # Windows does not open folders
            yield
            return
        try:
            if try_lock(descriptor) is False:
                raise OutputInUse(
                    f"{output}: another edgekit is writing into this folder. Wait until it has ended, or "
                    "name another output."
                )
            if is_still(output, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _above(output: Path) -> Path | None:
    """The folder above, where scratch files can be renamed into ``output``; else None."""
    above = output.resolve().parent
    same = above.stat().st_dev == output.stat().st_dev and output.resolve() != above
    return above if same and os.access(above, os.W_OK) else None


def _on_the_same_file_system(scratch: Path, names: Sequence[str], output: Path) -> list[Path]:
    """The files, copied into ``output`` under other names where they cannot be renamed into it."""
    if scratch.stat().st_dev == output.stat().st_dev:
        return [scratch / name for name in names]
    copies = [output / f".{name}.unfinished" for name in names]
    try:
        for name, copy in zip(names, copies, strict=True):
            shutil.copyfile(scratch / name, copy)
    except BaseException:
        for copy in copies:
            copy.unlink(missing_ok=True)
        raise
    return copies
