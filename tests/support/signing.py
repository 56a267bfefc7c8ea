"""Keys, certificates and signatures: those of `model-signing`, and any that one could write by hand."""

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_HASHES = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
_KIND = b"application/vnd.in-toto+json"


@dataclass(frozen=True)
class Pair:
    """A private and a public key, as PEM files."""

    private: Path
    public: Path
    key: ec.EllipticCurvePrivateKey

    @property
    def hint(self) -> str:
        return hashlib.sha256(self.public.read_bytes()).hexdigest()


def make_pair(folder: Path, name: str = "key", curve: ec.EllipticCurve | None = None) -> Pair:
    """A new pair of keys, on P-256 unless told otherwise."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.pub", key)
    pair.private.write_bytes(private_pem(key))
    pair.public.write_bytes(public_pem(key.public_key()))
    return pair


def private_pem(key: Any, password: bytes | None = None) -> bytes:
    how = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    )


def public_pem(key: Any) -> bytes:
    return bytes(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def sign_by_package(
    folder: Path, pair: Pair, signature: Path | None = None, ignored: Sequence[str] = ()
) -> None:
    """Signs a folder by `model-signing`."""
    from model_signing import hashing, signing

    how = hashing.Config().set_ignored_paths(paths=["model.sig", *ignored])
    signing.Config().use_elliptic_key_signer(private_key=pair.private).set_hashing_config(how).sign(
        folder, signature or folder / "model.sig"
    )


def verify_by_package(folder: Path, pair: Pair) -> None:
    """Verifies a folder by `model-signing`, which raises where it is not as signed."""
    from model_signing import hashing, verifying

    how = hashing.Config().set_ignored_paths(paths=["model.sig"])
    verifying.Config().use_elliptic_key_verifier(public_key=pair.public).set_hashing_config(
        how
    ).verify(folder, folder / "model.sig")


def statement_of(folder: Path, algorithm: str = "sha256") -> dict[str, Any]:
    """What the format states of a folder; a test may change it before it signs it."""
    names = sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "model.sig"
    )
    resources = [
        {
            "name": name,
            "digest": hashlib.new(algorithm, (folder / name).read_bytes()).hexdigest(),
            "algorithm": algorithm,
        }
        for name in names
    ]
    return stating(resources, algorithm)


def stating(resources: list[dict[str, Any]], algorithm: str = "sha256") -> dict[str, Any]:
    """A statement of these files, with their hash."""
    whole = hashlib.sha256(b"".join(bytes.fromhex(r["digest"]) for r in resources))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": whole.hexdigest()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": resources,
            "serialization": {
                "method": "files",
                "hash_type": algorithm,
                "allow_symlinks": False,
                "ignore_paths": ["model.sig"],
            },
        },
    }


def bundle_of(statement: Any, pair: Pair, content: bytes | None = None) -> dict[str, Any]:
    """A signature of a statement, written by hand; ``content`` is signed in its place."""
    payload = json.dumps(statement).encode() if content is None else content
    signed = b"DSSEv1 %d %s %d %s" % (len(_KIND), _KIND, len(payload), payload)
    signature = pair.key.sign(signed, ec.ECDSA(_HASHES[pair.key.curve.key_size]))
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": pair.hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": _KIND.decode(),
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }


def write_bundle(folder: Path, bundle: Any) -> None:
    content = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    (folder / "model.sig").write_bytes(content)


def certificate(
    name: str,
    key: Any,
    issuer: tuple[str, Any],
    *,
    authority: bool = False,
    days: tuple[int, int] = (-1, 1),
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
) -> bytes:
    """A certificate as PEM: of an authority, or of a signer."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer[0]))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(os.urandom(8)) + 1)
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority, key_cert_sign=authority, crl_sign=authority,
                content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(identifier(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key()),
            critical=False,
        )
    )  # fmt: skip
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(issuer[1], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
