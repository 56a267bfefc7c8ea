"""Signatures by a certificate: `model-signing` makes them, and the device trusts who issued it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from support.signing import certificate, make_pair, private_pem

from edgekit_runtimes import SignatureError
from edgekit_runtimes.bundle.signature import verify_signature


@dataclass(frozen=True)
class Authorities:
    """A root, one below it, and their keys."""

    root: Path
    root_key: Any
    middle: Path
    middle_key: Any


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    folder = tmp_path_factory.mktemp("authorities")
    root_key, middle_key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    root, middle = folder / "root.crt", folder / "middle.crt"
    root.write_bytes(certificate("root", root_key, ("root", root_key), authority=True))
    middle.write_bytes(certificate("middle", middle_key, ("root", root_key), authority=True))
    return Authorities(root, root_key, middle, middle_key)


def sign_with(authorities: Authorities, tmp_path: Path, issuer: Any = None, **options: Any) -> Path:
    """A folder that `model-signing` signed by a certificate with these options."""
    from model_signing import signing

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"12345")
    key = ec.generate_private_key(ec.SECP256R1())
    issued = certificate("signer", key, issuer or ("middle", authorities.middle_key), **options)
    (tmp_path / "signer.pem").write_bytes(private_pem(key))
    (tmp_path / "signer.crt").write_bytes(issued)
    signing.Config().use_certificate_signer(
        private_key=tmp_path / "signer.pem",
        signing_certificate=tmp_path / "signer.crt",
        certificate_chain=[authorities.middle],
    ).sign(folder, folder / "model.sig")
    return folder


def test_a_chain_up_to_the_trusted_one(authorities: Authorities, tmp_path: Path) -> None:
    folder = sign_with(authorities, tmp_path)
    for trusted in (authorities.root, authorities.middle):
        assert set(verify_signature(folder, trusted).files) == {"weights.bin"}
    several = tmp_path / "several.crt"
    other = ec.generate_private_key(ec.SECP256R1())
    unrelated = certificate("other", other, ("other", other), authority=True)
    several.write_bytes(unrelated + authorities.root.read_bytes())
    verify_signature(folder, several)
    several.write_bytes(unrelated)
    with pytest.raises(SignatureError, match="stands for its signer's"):
        verify_signature(folder, several)
    (folder / "weights.bin").write_bytes(b"12346")
    with pytest.raises(SignatureError, match=r"changed: weights\.bin"):
        verify_signature(folder, authorities.root)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"days": (-3, -1)}, "not valid at validation time"),
        ({"days": (1, 3)}, "not valid at validation time"),
        ({"purpose": ExtendedKeyUsageOID.SERVER_AUTH}, "for something else than signing"),
    ],
)
def test_a_certificate_that_may_not_sign(
    options: Any, words: str, authorities: Authorities, tmp_path: Path
) -> None:
    folder = sign_with(authorities, tmp_path, **options)
    with pytest.raises(SignatureError, match=words):
        verify_signature(folder, authorities.root)


def test_a_signer_is_no_authority(authorities: Authorities, tmp_path: Path) -> None:
    """Who may sign folders may not issue certificates to others who may."""
    between = ec.generate_private_key(ec.SECP256R1())
    issued = certificate("between", between, ("middle", authorities.middle_key))
    chain = tmp_path / "chain.crt"
    chain.write_bytes(issued + authorities.middle.read_bytes())
    longer = Authorities(authorities.root, authorities.root_key, chain, authorities.middle_key)
    folder = sign_with(longer, tmp_path, issuer=("between", between))
    with pytest.raises(SignatureError, match="stands for its signer's"):
        verify_signature(folder, authorities.root)


def test_keys_and_certificates_do_not_stand_for_each_other(
    authorities: Authorities, tmp_path: Path
) -> None:
    from support.signing import sign_by_package

    folder = sign_with(authorities, tmp_path)
    pair = make_pair(tmp_path)
    with pytest.raises(SignatureError, match=r"signed by a certificate, and .* is a bare key"):
        verify_signature(folder, pair.public)
    sign_by_package(folder, pair)
    with pytest.raises(SignatureError, match=r"signed by a bare key, and .* has certificates"):
        verify_signature(folder, authorities.root)
