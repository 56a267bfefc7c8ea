"""The device's verifier beside `model-signing`: what one writes the other takes, and nothing else passes."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from support.signing import (
    Pair,
    bundle_of,
    make_pair,
    private_pem,
    public_pem,
    sign_by_package,
    statement_of,
    verify_by_package,
    write_bundle,
)

from edgekit_runtimes import SignatureError
from edgekit_runtimes.bundle.signature import verify_signature

FILES = {
    "weights.bin": bytes(range(256)) * 5000,
    "config.json": b'{"layers": 3}\n',
    "empty": b"",
    "with space (copy).bin": b"1",
    "模型.bin": b"2",
    ".hidden": b"3",
    ".cache/deep/er/data": b"4",
    "sub/.gitignore": b"only at the top is it left out",
}


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def signed(folder: Path, pair: Pair) -> Path:
    """The folder with a signature by hand, which costs no import of `model-signing`."""
    write_bundle(folder, bundle_of(statement_of(folder), pair))
    return folder


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: str(c.name)
)
def test_what_the_package_signs_is_verified(
    curve: ec.EllipticCurve, folder: Path, tmp_path: Path
) -> None:
    pair = make_pair(tmp_path, curve=curve)
    sign_by_package(folder, pair)
    found = verify_signature(folder, pair.public)
    assert set(found.files) == set(FILES)
    assert found.algorithm == "sha256"


def test_what_is_signed_by_hand_the_package_verifies_too(signed: Path, pair: Pair) -> None:
    """So the tests below, which sign by hand, are about the format and not about our reading of it."""
    verify_by_package(signed, pair)
    verify_signature(signed, pair.public)
    (signed / "config.json").write_bytes(b'{"layers": 4}\n')
    with pytest.raises(ValueError, match="Hash mismatch"):
        verify_by_package(signed, pair)


def test_the_other_hash_of_the_format(folder: Path, pair: Pair) -> None:
    write_bundle(folder, bundle_of(statement_of(folder, "blake2b"), pair))
    assert verify_signature(folder, pair.public).algorithm == "blake2b"
    (folder / "empty").write_bytes(b"0")
    with pytest.raises(SignatureError, match="changed: empty"):
        verify_signature(folder, pair.public)


def changed(folder: Path) -> None:
    content = bytearray((folder / "weights.bin").read_bytes())
    content[-1] ^= 1
    (folder / "weights.bin").write_bytes(content)


def longer(folder: Path) -> None:
    with (folder / "weights.bin").open("ab") as file:
        file.write(b"\0")


def added(folder: Path) -> None:
    (folder / "sub" / "more").touch()


def removed(folder: Path) -> None:
    (folder / "empty").unlink()


def renamed(folder: Path) -> None:
    (folder / "empty").rename(folder / "Empty")


def swapped(folder: Path) -> None:
    content = (folder / "weights.bin").read_bytes()
    (folder / "weights.bin").write_bytes((folder / "config.json").read_bytes())
    (folder / "config.json").write_bytes(content)


def linked(folder: Path) -> None:
    shutil.move(folder / "weights.bin", folder.parent / "weights.bin")
    (folder / "weights.bin").symlink_to(folder.parent / "weights.bin")


def linked_folder(folder: Path) -> None:
    shutil.move(folder / "sub", folder.parent / "elsewhere")
    (folder / "sub").symlink_to(folder.parent / "elsewhere")


def linked_beside(folder: Path) -> None:
    (folder / "loop").symlink_to(".")


def piped(folder: Path) -> None:
    (folder / "empty").unlink()
    os.mkfifo(folder / "empty")


def emptied(folder: Path) -> None:
    for path in (folder / "weights.bin", folder / "config.json"):
        path.unlink()


def moved_signature(folder: Path) -> None:
    shutil.move(folder / "model.sig", folder.parent / "model.sig")
    (folder / "model.sig").symlink_to(folder.parent / "model.sig")


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed, r"changed: weights\.bin"),
        (longer, r"changed: weights\.bin"),
        (added, "added: sub/more"),
        (removed, "missing: empty"),
        (renamed, "added: Empty; missing: empty"),
        (swapped, r"changed: config\.json, weights\.bin"),
        (linked, r"weights\.bin: it is not what was signed: a link, a pipe or the like"),
        (linked_folder, "sub: it is not what was signed: a link"),
        (linked_beside, "loop: it is not what was signed: a link"),
        (piped, "empty: it is not what was signed: a link, a pipe"),
        (emptied, r"missing: config\.json, weights\.bin"),
        (moved_signature, r"it is not signed: there is no model\.sig"),
    ],
)
def test_a_folder_that_is_not_as_signed_is_refused(
    change: Callable[[Path], None], words: str, signed: Path, pair: Pair
) -> None:
    verify_signature(signed, pair.public)
    change(signed)
    with pytest.raises(SignatureError, match=words):
        verify_signature(signed, pair.public)


def test_the_folder_itself_may_be_a_link(signed: Path, pair: Pair, tmp_path: Path) -> None:
    """As where the newest of several folders is called `current`."""
    (tmp_path / "current").symlink_to(signed)
    assert set(verify_signature(tmp_path / "current", pair.public).files) == set(FILES)


def test_what_the_format_or_the_signer_leaves_out_may_change(folder: Path, pair: Pair) -> None:
    (folder / "cache").mkdir()
    sign_by_package(folder, pair, ignored=["cache", "notes.txt"])
    for name in ("cache/a", "notes.txt", ".gitattributes", ".git/config", ".github/ci.yml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("anything")
    verify_signature(folder, pair.public)
    for name in ("sub/notes.txt", "notes.txt.bak", "sub/.git"):
        (folder / name).write_text("anything")
        with pytest.raises(SignatureError, match=f"added: {name}"):
            verify_signature(folder, pair.public)
        (folder / name).unlink()


def test_another_key_is_refused(signed: Path, pair: Pair, tmp_path: Path) -> None:
    other = make_pair(tmp_path, "other")
    with pytest.raises(SignatureError, match=r"it was signed by another key than .*other\.pub"):
        verify_signature(signed, other.public)
    forged = bundle_of(statement_of(signed), other)
    forged["verificationMaterial"]["publicKey"]["hint"] = pair.hint
    write_bundle(signed, forged)
    with pytest.raises(SignatureError, match="it was not signed by"):
        verify_signature(signed, pair.public)


def test_a_file_of_several_keys_while_one_takes_the_place_of_another(
    signed: Path, pair: Pair, tmp_path: Path
) -> None:
    other, third = make_pair(tmp_path, "other", ec.SECP384R1()), make_pair(tmp_path, "third")
    trusted = tmp_path / "trusted.pub"
    for first, second in ((pair, other), (other, pair)):
        trusted.write_bytes(b"# ours\n" + first.public.read_bytes() + second.public.read_bytes())
        verify_signature(signed, trusted)
    trusted.write_bytes(other.public.read_bytes() + third.public.read_bytes())
    with pytest.raises(SignatureError, match="another key"):
        verify_signature(signed, trusted)
    trusted.write_bytes(pair.public.read_bytes() + other.public.read_bytes()[:-30])
    verify_signature(signed, trusted)  # what is no whole key stands for nobody


def test_a_key_as_older_signatures_name_it(signed: Path, pair: Pair, tmp_path: Path) -> None:
    import base64

    old = bundle_of(statement_of(signed), pair)
    raw = base64.b64encode(pair.public.read_bytes()).decode()
    key = {"rawBytes": raw, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    old["verificationMaterial"] = {"publicKey": key}
    old["dsseEnvelope"]["signatures"][0]["keyid"] = None
    write_bundle(signed, old)
    verify_signature(signed, pair.public)
    with pytest.raises(SignatureError, match="another key"):
        verify_signature(signed, make_pair(tmp_path, "other").public)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda p: private_pem(p.key), "is a private key"),
        (lambda p: public_pem(rsa.generate_private_key(65537, 2048).public_key()), "of the kind RSAPublicKey"),
        (lambda p: public_pem(ed25519.Ed25519PrivateKey.generate().public_key()), "of the kind Ed25519"),
        (lambda p: public_pem(ec.generate_private_key(ec.SECP256K1()).public_key()), "of the kind secp256k1"),
        (lambda p: public_pem(dsa.generate_private_key(1024).public_key()), "of the kind DSA"),
        (lambda p: b"", "is not a public key in PEM"),
        (lambda p: b"\xff" * 100, "is not a public key in PEM"),
        (lambda p: p.public.read_bytes()[:-40], "is not a public key in PEM"),
        (lambda p: p.public.read_bytes() + b" " * (1 << 20), "none of a key's size"),
        (lambda p: b"-----BEGIN CERTIFICATE-----\nAA==\n", "certificates"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_such_key(
    content: Callable[[Pair], bytes], words: str, signed: Path, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "a key").write_bytes(content(pair))
    with pytest.raises(SignatureError, match=words):
        verify_signature(signed, tmp_path / "a key")


def test_neither_a_key_nor_a_signature_nor_a_folder(folder: Path, pair: Pair) -> None:
    with pytest.raises(SignatureError, match="it is not signed"):
        verify_signature(folder, pair.public)
    with pytest.raises(SignatureError, match="there is no such folder"):
        verify_signature(folder / "none", pair.public)
    write_bundle(folder, bundle_of(statement_of(folder), pair))
    with pytest.raises(SignatureError, match="there is no such file"):
        verify_signature(folder, folder / "none")
