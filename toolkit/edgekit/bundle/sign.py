"""``sign``: a folder's signature in the OpenSSF Model Signing format, written by ``model-signing``."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

from edgekit.bundle.atomic import replacing
from edgekit.bundle.folder import workplace
from edgekit.bundle.manifest import read_manifest
from edgekit.bundle.packages import require
from edgekit.errors import EdgekitError
from edgekit_runtimes.base import SignatureError
from edgekit_runtimes.bundle.manifest_file import MANIFEST, changed, listed_files, read_listed
from edgekit_runtimes.bundle.signature import SIGNATURE, SignedFolder, check_files, read_signature
from edgekit_runtimes.bundle.trusted_key import elliptic

PASSWORD = "EDGEKIT_KEY_PASSWORD"
"""The environment variable with the password of an encrypted private key."""


class SigningError(EdgekitError):
    """A folder or a key that cannot be used to sign."""


def sign(folder: str | Path, key: str | Path) -> SignedFolder:
    """Sign every file of a folder that ``convert`` made; the signature is ``model.sig`` in it.

    >>> "manifest.json" in sign("out", "release.pem").files
    True

    What was written is verified before it takes the place of an older signature. Any file that is
    added, changed or removed later makes the folder refused by whoever asks for the signature.

    Args:
        folder: the folder.
        key: a PEM file with the private key, on the curve P-256, P-384 or P-521. Where it is encrypted,
            the environment variable ``EDGEKIT_KEY_PASSWORD`` has its password.

    Returns:
        The folder, with the hash of each of its files.

    Raises:
        SigningError: the folder is none of edgekit's, a file in it is another than its manifest lists, or a
            link, or the key is of another kind.
        OutputInUse: another run is writing into the folder.
        DataError: the folder is unfinished, or its manifest damaged.
        RuntimeMissing: ``model-signing`` is not installed; the message has the pip line.
    """
    folder, key = Path(folder), Path(key)
    require(("model_signing", "OpenSSL"), "signing", "sign")
    public = _public_half(key)
    _check_exists(folder)
    with workplace(folder) as scratch:
        (folder / f".{SIGNATURE}.unfinished").unlink(missing_ok=True)  # of a run that was killed
        _check_content(folder)
        (scratch / "key.pub").write_bytes(public)
        _write(folder, key, scratch / SIGNATURE)
        signed = read_signature(folder, scratch / "key.pub", scratch / SIGNATURE)
        check_files(signed)
        _put(scratch / SIGNATURE, folder / SIGNATURE)
    return signed


def _check_exists(folder: Path) -> None:
    if not folder.is_dir():
        raise SigningError(
            f"{folder}: there is no such folder. Sign one that edgekit convert made."
        )


def _check_content(folder: Path) -> None:
    """Refuse a folder that is none of edgekit's, or not whole: a signature would say that it is."""
    read_manifest(folder)  # refuses one that is damaged
    listed = read_listed(folder)
    if listed is None:
        raise SigningError(
            f"{folder}: there is no {MANIFEST} of edgekit's in it. Sign a folder that edgekit convert made; "
            "for others there is the command model_signing."
        )
    for hashes in listed_files(listed, folder).values():
        for file, expected in hashes.items():
            if wrong := changed(file, expected, again=True):
                raise SigningError(wrong)


def _write(folder: Path, key: Path, signature: Path) -> None:
    """Hash and sign, by ``model-signing``.

    Raises:
        SigningError: it refuses, as it does links.
    """
    from model_signing import hashing, signing

    how = hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=True)
    signer: Any = signing.Config().use_elliptic_key_signer
    try:
        signer(private_key=key, password=_password()).set_hashing_config(how).sign(
            folder, signature
        )
    except ValueError as error:
        raise SigningError(f"{folder}: model-signing cannot sign it: {error}") from error


def _put(written: Path, target: Path) -> None:
    try:
        written.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with replacing(target) as beside:  # the scratch folder is on another file system
            shutil.copyfile(written, beside)


def _password() -> bytes | None:
    password = os.environ.get(PASSWORD)
    return (
        password.encode() if password else None
    )  # bytes, though model-signing's annotation says str


def _public_half(key: Path) -> bytes:
    """The public key of a private one, as PEM.

    Raises:
        SigningError: the file has no private key on a curve of the format.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        content = key.read_bytes()
    except OSError as error:
        raise SigningError(
            f"{key}: the private key cannot be read: {error.strerror}. "
            f"openssl ecparam -name prime256v1 -genkey -noout -out {key.name} makes one."
        ) from error
    if b"PRIVATE KEY-----" not in content:
        what = "a public key or a certificate" if b"-----BEGIN" in content else "no key in PEM"
        raise SigningError(f"{key}: is {what}. To sign, pass the private key.")
    try:
        private = serialization.load_pem_private_key(content, _password())
    except TypeError as error:  # encrypted without a password, or the other way round
        raise SigningError(
            f"{key}: {error}. {PASSWORD} in the environment is the password of an encrypted key."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(
            f"{key}: the private key cannot be read: {str(error).splitlines()[0]}. It is damaged, or "
            f"{PASSWORD} is not its password."
        ) from error
    try:
        public = elliptic(private.public_key(), str(key))
    except SignatureError as error:
        raise SigningError(str(error)) from error
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
