"""A signed folder opened: what was verified is copied as it is hashed, and the copy is what runs.

A file that was verified and is then opened by its name can be another one by then, and one that is
mapped into memory can still be changed while it runs. A copy in a folder of this process alone,
which no other user can read or write, cannot. It lies among the temporary files (``TMPDIR``) for as
long as the session is open.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from edgekit_runtimes.base import RuntimesError, SignatureError
from edgekit_runtimes.bundle.manifest_file import MANIFEST, listed_files, read_listed
from edgekit_runtimes.bundle.private_folder import make_private, remove_private, remove_stale
from edgekit_runtimes.bundle.signature import SignedFolder, check_files, hash_file, read_signature
from edgekit_runtimes.session import Session


def open_signed(path: Path, key: str | Path, open_it: Callable[[Path], Session]) -> Session:
    """Open a file, or the best of a folder, where the folder is what the holder of a key signed.

    Args:
        path: the folder, or a model file in it, beside the signature.
        key: as for ``verify_signature``.
        open_it: opens a file, or a folder, that was verified.

    Raises:
        SignatureError, RuntimeMissing: as ``verify_signature``; the file is not one that was signed.
        RuntimesError: what ``open_it`` raises, about ``path``.
    """
    folder = path if path.is_dir() else path.parent
    signed = read_signature(folder, key)
    if path != folder and path.name not in signed.files:
        raise SignatureError(f"{path}: it is not among the files that were signed.")
    temporary = Path(tempfile.gettempdir())
    remove_stale(temporary)
    private, descriptor = make_private(temporary)
    remove = partial(_remove, private, descriptor, os.getpid())
    copy = private / "signed"
    try:
        copy.mkdir()
        _copy(signed, None if path == folder else path.name, copy)
        session = open_it(copy if path == folder else copy / path.name)
    except RuntimesError as error:
        remove()
        error.args = (str(error).replace(str(copy), str(folder)), *error.args[1:])
        raise
    except BaseException:
        remove()
        raise
    session.path = session.path.replace(str(copy), str(folder))
    session.when_closed(remove)
    return session


def _copy(signed: SignedFolder, name: str | None, copy: Path) -> None:
    """Verify all of a folder, and copy what opening one of its files, or the best, needs: room is scarce."""
    wanted = {name, f"{name}.data"}  # an ONNX file's weights, as edgekit names them
    if MANIFEST in signed.files:
        manifest = copy / MANIFEST
        if hash_file(signed, MANIFEST, manifest) != signed.files[MANIFEST]:
            manifest.unlink()  # `check_files` says what else is not as signed
        elif listed := read_listed(copy):
            wanted |= _listed(listed, name, copy)
    copies = {file: copy / file for file in signed.files if file in wanted}
    check_files(signed, copies)


def _listed(manifest: Mapping[str, Any], name: str | None, copy: Path) -> set[str]:
    """What a manifest lists for one of its files, or for those that may be chosen from: with their weights."""
    listed = listed_files(manifest, copy)
    best = [e["file"] for e in manifest["files"] if e.get("verdict") == "pass"]
    return {path.name for file in ([name] if name else best) for path in listed.get(file, ())}


def _remove(private: Path, descriptor: int, owner: int) -> None:
    if (
        os.getpid() == owner
    ):  # a process that was forked off leaves the copy to the one that made it
        remove_private(private, descriptor)
