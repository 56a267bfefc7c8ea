"""A folder's signature, ``model.sig``: whether the folder is, file for file, what the holder of a key signed."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit_runtimes.base import SignatureError
from edgekit_runtimes.bundle.oms_bundle import HASHES, IGNORED, read_bundle, read_statement
from edgekit_runtimes.bundle.trusted_key import check_signature

SIGNATURE = "model.sig"
"""The file in a folder that holds its signature, in the OpenSSF Model Signing format."""

_LARGEST = 1 << 26  # bytes of a signature: of some 200,000 files
_BLOCK = 1 << 20
_NAMED = 5  # files that an error names


@dataclass(frozen=True, slots=True)
class SignedFolder:
    """A folder with what its signature says, the signature verified, the files not yet read."""

    folder: Path
    files: Mapping[str, str]
    """The hash of each file, by its path in the folder with ``/`` between the parts."""
    algorithm: str
    """``sha256`` or ``blake2b``."""
    ignored: frozenset[str]
    """Paths that are left out: the signature itself, Git's files, and what the signer left out."""


def verify_signature(folder: str | Path, key: str | Path) -> SignedFolder:
    """Refuse a folder that is not, file for file, what the holder of a key signed.

    It says what the files were while they were read, and every one is read, whatever was found of it
    before. Who can write into the folder can change them right after: ``open_model(folder, key=...)``
    verifies and opens the same bytes.

    Args:
        folder: a folder with a ``model.sig``, as ``edgekit sign`` or ``model-signing`` writes it.
        key: a PEM file with the public key, or several, any of which may have signed; or with certificates
            that may have issued the signer's.

    Raises:
        SignatureError: there is no signature, it is damaged or by another key, or a file was added,
            removed, renamed or changed.
        RuntimeMissing: the package ``cryptography`` is not installed.
    """
    signed = read_signature(folder, key)
    check_files(signed)
    return signed


def read_signature(
    folder: str | Path, key: str | Path, signature: Path | None = None
) -> SignedFolder:
    """Verify a folder's signature, and none of its files: ``check_files`` does.

    Args:
        folder: the folder.
        key: as for ``verify_signature``.
        signature: where it is; without it, ``model.sig`` in the folder.

    Raises:
        SignatureError, RuntimeMissing: as ``verify_signature``.
    """
    folder, key = Path(folder), Path(key)
    if folder.is_symlink():  # to the folder in use, and to another one at any moment
        folder = folder.resolve()
    path = signature or folder / SIGNATURE
    if not folder.is_dir():
        raise SignatureError(f"{folder}: there is no such folder.")
    try:
        if not path.is_file() or path.is_symlink():
            raise SignatureError(
                f"{folder}: it is not signed: there is no {SIGNATURE} in it. edgekit sign {folder.name} "
                "--key KEY signs it, where the private key is."
            )
        if path.stat().st_size > _LARGEST:
            raise SignatureError(f"{path}: has more than {_LARGEST:,} bytes: it is no signature.")
        content = path.read_bytes()
    except OSError as error:
        raise SignatureError(f"{path}: cannot be read: {error.strerror}.") from error
    try:
        bundle = read_bundle(content)
        check_signature(bundle, key)
        statement = read_statement(bundle.payload)
    except ValueError as error:
        raise SignatureError(f"{path}: {error}. Nothing of the folder was opened.") from error
    ignored = frozenset((*IGNORED, *statement.ignored, SIGNATURE))
    return SignedFolder(folder, statement.files, statement.algorithm, ignored)


def check_files(signed: SignedFolder, copies: Mapping[str, Path] | None = None) -> None:
    """Compare a folder with what was signed, all of it.

    Args:
        signed: the folder.
        copies: files to copy while they are hashed, by their paths in the folder: where to. What lies
            there afterwards is what was signed.

    Raises:
        SignatureError: a file was added, removed or changed, or is a link, a pipe or the like.
    """
    present = set(_present(signed))
    added, missing = present - set(signed.files), set(signed.files) - present
    changed = {
        name
        for name, digest in signed.files.items()
        if name in present and hash_file(signed, name, (copies or {}).get(name)) != digest
    }
    differences = [
        f"{what} {_named(names)}"
        for what, names in (("added:", added), ("missing:", missing), ("changed:", changed))
        if names
    ]
    if differences:
        raise SignatureError(
            f"{signed.folder}: it is not what was signed: {'; '.join(differences)}. Copy the signed folder "
            "there again, or sign this one where the private key is."
        )


def _present(signed: SignedFolder) -> Iterator[str]:
    """The paths of all files in a folder.

    Raises:
        SignatureError: one is a link, which may lead out of the folder, a pipe or the like.
    """
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(signed.folder / inside) as entries:
                for entry in entries:
                    name = inside + entry.name
                    if name in signed.ignored:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{name}/")
                    elif entry.is_file(follow_symlinks=False):
                        yield name
                    else:
                        raise SignatureError(
                            f"{signed.folder / name}: it is not what was signed: a link, a pipe or the like, "
                            "and only files are signed."
                        )
        except OSError as error:
            raise SignatureError(
                f"{signed.folder / inside}: cannot be read: {error.strerror}."
            ) from error


def hash_file(signed: SignedFolder, name: str, copy: Path | None = None) -> str:
    """The hash of a file of a folder, which is copied meanwhile where a place is given.

    A link that took the file's place meanwhile is not followed, and a pipe is not waited for.

    Raises:
        SignatureError: it cannot be read, or not copied.
    """
    path = signed.folder / name
    try:
        descriptor = os.open(path, _READ)
        with open(descriptor, "rb", buffering=0) as file:
            if copy is None:
                return hashlib.file_digest(file, HASHES[signed.algorithm][0]).hexdigest()
            digest = HASHES[signed.algorithm][0]()
            with copy.open("xb") as target:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    target.write(block)
            return str(digest.hexdigest())
    except OSError as error:
        raise SignatureError(f"{path}: cannot be read or copied: {error.strerror}.") from error


_READ = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe that nobody writes to would never open
)


def _named(names: set[str]) -> str:
    first = sorted(names)[:_NAMED]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(name.encode("utf-8", "backslashreplace").decode() for name in first) + more
