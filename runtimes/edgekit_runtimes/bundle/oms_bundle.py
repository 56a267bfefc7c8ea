"""The OpenSSF Model Signing format, version 1.0: what ``model.sig`` holds, read to the letter.

A Sigstore bundle around a DSSE envelope around an in-toto statement, which lists the files with their
hashes. What the format allows and neither ``model-signing`` writes with offline keys nor a device
needs is refused, and so is every field that nobody signed and nobody checks. The format:
https://github.com/ossf/model-signing-spec/blob/main/spec/v1.0.md.

Every function raises ValueError with what is wrong.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"

HASHES: dict[str, tuple[Callable[[], Any], int]] = {
    "sha256": (hashlib.sha256, 64),
    "blake2b": (hashlib.blake2b, 128),
}
"""By the format's name of a hash: the function, and how many hexadecimal digits it gives."""

IGNORED = (".git", ".gitignore", ".gitattributes", ".github")
"""What the format leaves out of every signature, at the top of the folder."""

_OLD_KEYS = ("PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P384_SHA_384", "PKIX_ECDSA_P521_SHA_512")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A signature as read, of which nothing is verified yet."""

    payload: bytes
    signature: bytes
    hint: str | None
    """The SHA-256 of the public key as PEM, where it was signed by a bare key as of 1.1."""
    public_key: bytes | None
    """The public key as PEM, where it was signed by a bare key before 1.1."""
    chain: tuple[bytes, ...]
    """The signer's certificate and those above it as DER, where it was signed by a certificate."""

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is of: DSSE's pre-authentication encoding."""
        kind = PAYLOAD_TYPE.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed."""

    files: Mapping[str, str]
    """The hash of each file, by its path in the folder with ``/`` between the parts."""
    algorithm: str
    """A key of ``HASHES``."""
    ignored: frozenset[str]
    """Files and folders that the signer left out, as paths in the folder."""


def read_bundle(content: bytes) -> Bundle:
    """Read the outside of a signature: the envelope, and by what it was signed."""
    bundle = _fields(_json(content), "the bundle", "mediaType verificationMaterial dsseEnvelope")
    if bundle["mediaType"] != MEDIA_TYPE:
        raise ValueError(f"its media type is {bundle['mediaType']!r}; {MEDIA_TYPE} is read")
    where = "verificationMaterial"
    material = _fields(
        bundle[where],
        where,
        "",
        "publicKey x509CertificateChain certificate tlogEntries timestampVerificationData",
    )
    if "certificate" in material or material.get("tlogEntries"):
        raise ValueError(
            "it was signed without a key, by Sigstore, which takes a network to verify; sign by a key or "
            "a certificate"
        )
    if material.get("timestampVerificationData"):
        raise ValueError("it has time stamps, which are not verified here; sign without")
    if ("publicKey" in material) == ("x509CertificateChain" in material):
        raise ValueError(f"{where} has neither a public key nor a chain of certificates, or both")
    envelope = _fields(bundle["dsseEnvelope"], "the envelope", "payload payloadType signatures")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise ValueError(f"its payload is of the type {envelope['payloadType']!r}")
    if not isinstance(envelope["signatures"], list) or len(envelope["signatures"]) != 1:
        raise ValueError("the envelope has not exactly one signature")
    signature = _fields(envelope["signatures"][0], "the signature", "sig", "keyid")
    if signature.get("keyid"):  # nobody signed it
        raise ValueError("the signature names a key, which the format does not use")
    hint, public_key = _public_key(material.get("publicKey"))
    return Bundle(
        payload=_base64(envelope["payload"], "the payload"),
        signature=_base64(signature["sig"], "the signature"),
        hint=hint,
        public_key=public_key,
        chain=_chain(material.get("x509CertificateChain")),
    )


def read_statement(payload: bytes) -> Statement:
    """Read the files and hashes of a payload whose signature was verified."""
    statement = _fields(_json(payload), "the statement", "_type subject predicateType predicate")
    if statement["_type"] != STATEMENT_TYPE:
        raise ValueError(f"it states {statement['_type']!r}, not {STATEMENT_TYPE}")
    if statement["predicateType"] != PREDICATE_TYPE:
        raise ValueError(
            f"it states {statement['predicateType']!r}, not {PREDICATE_TYPE}: sign with model-signing 1.0 "
            "or later"
        )
    predicate = _fields(statement["predicate"], "the predicate", "resources serialization")
    how = _fields(
        predicate["serialization"],
        "serialization",
        "method hash_type allow_symlinks",
        "ignore_paths shard_size",
    )
    if how["method"] != "files":
        raise ValueError(
            f"the files were hashed by the method {how['method']!r}; only 'files' is verified here"
        )
    algorithm = how["hash_type"]
    if not isinstance(algorithm, str) or algorithm not in HASHES:
        raise ValueError(f"the files were hashed by {algorithm!r}; known are {', '.join(HASHES)}")
    ignored = how.get("ignore_paths", [])
    if not isinstance(ignored, list) or not all(isinstance(path, str) for path in ignored):
        raise ValueError("ignore_paths is not a list of paths")
    files = _files(predicate["resources"], algorithm)
    whole = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in files.values()))
    _check_subject(statement["subject"], whole.hexdigest())
    return Statement(files, algorithm, frozenset(ignored))


def _files(resources: Any, algorithm: str) -> dict[str, str]:
    if not isinstance(resources, list) or not resources:
        raise ValueError("it lists no files")
    digits = HASHES[algorithm][1]
    files: dict[str, str] = {}
    for resource in resources:
        if not isinstance(resource, dict) or not {"name", "digest", "algorithm"} <= set(resource):
            raise ValueError("it lists a file without name, hash or algorithm")
        name, digest = resource["name"], resource["digest"]
        if not isinstance(name, str) or not _is_inside(name):
            raise ValueError(f"it lists {name!r}, which is no path in the folder")
        if name in files:
            raise ValueError(f"it lists {name!r} twice")
        if resource["algorithm"] != algorithm:
            raise ValueError(f"it lists {name!r} with the hash {resource['algorithm']!r}")
        if not isinstance(digest, str) or not re.fullmatch(rf"[0-9a-f]{{{digits}}}", digest):
            raise ValueError(f"it lists {name!r} with something else than a {algorithm} hash")
        files[name] = digest
    return files


def _is_inside(name: str) -> bool:
    """Whether a name is a path in the folder, written in the only way that the format allows."""
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def _check_subject(subject: Any, whole: str) -> None:
    try:
        [only] = subject
        stated = only["digest"]["sha256"]
    except (ValueError, TypeError, KeyError):
        raise ValueError("it has not exactly one subject with a hash") from None
    if stated != whole:
        raise ValueError("its hash of all files is not that of the files it lists")


def _public_key(found: Any) -> tuple[str | None, bytes | None]:
    if found is None:
        return None, None
    if "hint" in (fields := _fields(found, "publicKey", "", "hint rawBytes keyDetails")):
        if not isinstance(fields["hint"], str):
            raise ValueError("the hint of its key is no text")
        return fields["hint"], None
    if fields.get("keyDetails", _OLD_KEYS[0]) not in _OLD_KEYS:
        raise ValueError(f"its key is of the kind {fields['keyDetails']!r}")
    return None, _base64(fields.get("rawBytes"), "publicKey")


def _chain(found: Any) -> tuple[bytes, ...]:
    if found is None:
        return ()
    certificates = _fields(found, "x509CertificateChain", "certificates")["certificates"]
    if not isinstance(certificates, list) or not certificates:
        raise ValueError("its chain has no certificates")
    return tuple(
        _base64(_fields(one, "a certificate", "rawBytes")["rawBytes"], "a certificate")
        for one in certificates
    )


def _json(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is damaged, or not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, each key of which may stand there once: readers differ in which they take."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("it has the same field twice")
    return fields


def _fields(found: Any, where: str, needed: str, allowed: str = "") -> dict[str, Any]:
    """An object of JSON with the fields that it must have and those that it may have, and no others."""
    if not isinstance(found, dict):
        raise ValueError(f"{where} is no object")
    if missing := set(needed.split()) - set(found):
        raise ValueError(f"{where} has no {', '.join(sorted(missing))}")
    if unknown := set(found) - set(needed.split()) - set(allowed.split()):
        raise ValueError(f"{where} has {', '.join(map(repr, sorted(unknown)))}, which is not known")
    return found


def _base64(found: Any, where: str) -> bytes:
    """Bytes in base64, of which there is one way to write them: others are refused."""
    if isinstance(found, str) and found:
        try:
            content = base64.b64decode(found, validate=True)
        except ValueError:
            pass
        else:
            if base64.b64encode(content).decode() == found:
                return content
    raise ValueError(f"{where} is not base64")
