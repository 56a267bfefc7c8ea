"""The key or the certificate that a device trusts: whether a signature was made by it. With ``cryptography`` alone."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit_runtimes.base import EXTRA, RuntimeMissing, SignatureError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.x509 import Certificate

    from edgekit_runtimes.bundle.oms_bundle import Bundle

_CURVES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
"""The curves of the format, and with which hash each signs."""

_PUBLIC_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----\s*", re.DOTALL)
_LARGEST = 1 << 20  # bytes of a key file


def check_signature(bundle: "Bundle", key: Path) -> None:
    """Refuse a signature that the holder of a key did not make.

    Args:
        bundle: the signature.
        key: a PEM file: public keys, each of which may have signed, or certificates, each of which may have
            issued the signer's. A certificate must be valid now, by this machine's clock.

    Raises:
        SignatureError: the file is no such key, or another key made the signature.
        RuntimeMissing: the package ``cryptography`` is not installed.
        ValueError: what is wrong with the signature.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise RuntimeMissing(
            f"verifying a signature needs cryptography: {EXTRA.format('verify')}"
        ) from error
    content = _read(key)
    if b"-----BEGIN CERTIFICATE-----" in content:
        public = _certified(bundle, content, key)
    else:
        public = _public_key(bundle, content, key)
    algorithm = ec.ECDSA(getattr(hashes, _CURVES[public.curve.name])())
    try:
        public.verify(bundle.signature, bundle.signed, algorithm)
    except InvalidSignature:
        raise ValueError(f"it was not signed by {key}, or was changed since") from None


def _read(key: Path) -> bytes:
    try:
        if not key.is_file() or key.stat().st_size > _LARGEST:
            raise SignatureError(f"{key}: there is no such file, or none of a key's size.")
        return key.read_bytes()
    except OSError as error:
        raise SignatureError(f"{key}: the key cannot be read: {error.strerror}.") from error


def _public_key(bundle: "Bundle", content: bytes, key: Path) -> "EllipticCurvePublicKey":
    """That public key of a file by which the signature says that it was made."""
    import hashlib

    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    if b"PRIVATE KEY-----" in content:
        raise SignatureError(
            f"{key}: is a private key, which belongs to whoever signs. To verify, pass its public half: "
            f"openssl pkey -in {key.name} -pubout -out {key.stem}.pub"
        )
    try:
        trusted = [serialization.load_pem_public_key(one) for one in _PUBLIC_KEY.findall(content)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"{key}: is not a public key in PEM: {error}") from error
    if not trusted:
        raise SignatureError(f"{key}: is not a public key in PEM.")
    if bundle.chain:
        raise ValueError(f"it was signed by a certificate, and {key} is a bare key")
    for one in trusted:
        public = elliptic(one, str(key))
        pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        if hashlib.sha256(pem).hexdigest() == bundle.hint or pem == bundle.public_key:
            return public
    raise ValueError(f"it was signed by another key than {key}")


def _certified(bundle: "Bundle", content: bytes, key: Path) -> "EllipticCurvePublicKey":
    """The signer's public key, where a trusted certificate stands for it."""
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.x509 import verification

    if not bundle.chain:
        raise ValueError(f"it was signed by a bare key, and {key} has certificates")
    try:
        trusted = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise SignatureError(f"{key}: its certificates cannot be read: {error}") from error
    signer, *above = _certificates(bundle.chain)
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(trusted))
        .time(datetime.now(UTC))
        .extension_policies(
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=verification.ExtensionPolicy.permit_all(),  # it names no host: see below
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(signer, above)
    except verification.VerificationError as error:
        raise ValueError(f"no certificate of {key} stands for its signer's: {error}") from None
    if not _may_sign(signer):
        raise ValueError("its certificate is for something else than signing")
    return elliptic(signer.public_key(), "its signer's certificate")


def _certificates(chain: Sequence[bytes]) -> "list[Certificate]":
    from cryptography import x509

    try:
        return [x509.load_der_x509_certificate(one) for one in chain]
    except ValueError as error:
        raise ValueError(f"its certificates cannot be read: {error}") from None


def _may_sign(certificate: "Certificate") -> bool:
    """Whether a certificate's key is for signatures, and, where it names purposes, for those of code."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        extensions = certificate.extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.digital_signature:
            return False
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as missing:
        return missing.oid != x509.KeyUsage.oid
    except ValueError:  # one that cannot be read
        return False
    return ExtendedKeyUsageOID.CODE_SIGNING in purposes


def elliptic(public: Any, whose: str) -> "EllipticCurvePublicKey":
    """A public key of ``cryptography``, where it is on a curve of the format.

    Raises:
        SignatureError: it is of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        return public
    curve = getattr(getattr(public, "curve", None), "name", type(public).__name__)
    raise SignatureError(
        f"{whose}: the key is of the kind {curve}; the format signs with the elliptic curves "
        f"{', '.join(_CURVES)}. openssl ecparam -name prime256v1 -genkey -noout makes one."
    )
