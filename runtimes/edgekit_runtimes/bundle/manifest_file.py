"""``manifest.json``, as far as opening a file needs it: the hashes and the verdicts of a folder's files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.known_files import identity, is_settled, keep, recall, sha256

MANIFEST = "manifest.json"
"""The file in which ``edgekit convert`` lists a folder's files and their verdicts."""

SCHEMA = "edgekit.manifest/"
"""How the key ``schema`` of such a file begins."""

UNFINISHED = "edgekit.unfinished/1"
"""The ``schema`` of what stands in its place while files are put into the folder."""

BY_NAME_ONLY = frozenset({"micro"})
"""Formats of files that are run only where they are named: on this machine another is faster."""

_LARGEST = 1 << 26
"""Bytes of a manifest: a hundred times those of a model of a thousand layers."""

UNFINISHED_FOLDER = (
    "edgekit convert was stopped while it put its files into this folder, or is just doing so: it may "
    "hold new files beside old ones. Convert again."
)


def is_manifest(path: Path) -> bool:
    """Whether a file is a manifest that edgekit wrote, finished or not."""
    try:
        return read_listed(path.parent) is not None
    except ModelError:
        return True


def read_listed(folder: Path) -> Mapping[str, Any] | None:
    """The manifest of a folder, as JSON has it; None where there is none of edgekit's.

    Raises:
        ModelError: the files of the folder were not all put in place.
    """
    try:
        manifest = read_document(folder / MANIFEST)
    except (OSError, ValueError, RecursionError):
        return None
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema == UNFINISHED:
        raise ModelError(f"{folder}: {UNFINISHED_FOLDER}")
    return manifest if isinstance(schema, str) and schema.startswith(SCHEMA) else None


def read_document(path: Path) -> Any:
    """A JSON file of a size that a manifest may have; never a pipe or a device, which may not end.

    Raises:
        OSError, ValueError, RecursionError: there is none.
    """
    import json  # a millisecond of the start of every script

    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: no file, or one of more than {_LARGEST:,} bytes")
    return json.loads(path.read_text(encoding="utf-8"))


def vouched(path: Path) -> bool:
    """Whether the manifest beside a file lists it, and the file is the one that was listed.

    Both are read again only where one of them has changed.

    Raises:
        ModelError: the file is another than the manifest lists, or the folder is unfinished.
        OSError: the file cannot be read.
    """
    manifest = path.parent / MANIFEST
    while True:
        try:
            before = identity(manifest)
        except OSError:  # none beside it
            return False
        numbers = identity(path)
        key = "-".join(map(str, ("listed", *before, *numbers)))
        if recall(key) is not None:
            return True
        listed = read_listed(path.parent)
        hashes = _hashes(listed, path) if listed else {}
        wrong = [text for file, expected in hashes.items() if (text := changed(file, expected))]
        try:
            if identity(manifest) != before:  # converted again meanwhile
                continue
        except OSError:
            continue
        if wrong:
            raise ModelError(wrong[0])
        # Weights in a file beside it are not part of the key.
        if len(hashes) == 1 and is_settled(before) and is_settled(numbers):
            keep(key, "")
        return bool(hashes)


def listed_files(manifest: Mapping[str, Any], folder: Path) -> dict[str, dict[Path, str]]:
    """The hash of every file that a manifest lists: of each model file with its weights, and the others.

    Args:
        manifest: from ``read_listed``.
        folder: where it is.

    Returns:
        By the name of a model file, or of another one, its hash and those of what it cannot do without.

    Raises:
        ModelError: the manifest is damaged.
    """
    try:
        listed = {}
        for entry in [*manifest["files"], *filter(None, [manifest.get("golden")])]:
            parts = [entry, *filter(None, [entry.get("data")])]
            listed[str(entry["file"])] = {
                _beside(folder, part["file"]): str(part["sha256"]) for part in parts
            }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"{folder / MANIFEST}: cannot be read: {error!r}.") from error
    return listed


def _beside(folder: Path, name: str) -> Path:
    """A file of the folder itself; ``ValueError`` for a name that leads out of it."""
    if not name or name in (".", "..") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(f"{name!r} is no name of a file in the folder")
    return folder / name


def _hashes(manifest: Mapping[str, Any], path: Path) -> dict[Path, str]:
    """The hashes of a file and of its weights beside it; none where it is not listed.

    Raises:
        ModelError: the manifest is damaged.
    """
    return listed_files(manifest, path.parent).get(path.name, {})


def changed(file: Path, expected: str, *, again: bool = False) -> str | None:
    """What is wrong with a listed file; None where it is as listed.

    Args:
        file: the file.
        expected: its hash in the manifest.
        again: read it in any case, also where it seems not to have been written since it last was.
    """
    try:
        actual = sha256(file, again=again)
    except OSError as error:
        return f"{file}: {MANIFEST} lists it, but it cannot be read: {error.strerror}."
    if actual == expected:
        return None
    return (
        f"{file}: it is not the file that {MANIFEST} lists: it was changed, or is damaged "
        f"(SHA-256 {actual[:12]}..., listed {expected[:12]}...). Convert again, or copy it there "
        "again; to open it as it is, move it to another folder."
    )
