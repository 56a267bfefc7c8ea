"""`edgekit sign`: a signature that verifies, put in place whole, of a folder that is whole."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.signing import Pair, make_pair, private_pem, verify_by_package

import edgekit
from edgekit.bundle.folder import OutputInUse, workplace
from edgekit.bundle.sign import SigningError
from edgekit.cli.main import main
from edgekit_runtimes import ModelError, SignatureError, open_model
from edgekit_runtimes.bundle.signature import verify_signature


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def out(converted: Path, tmp_path: Path) -> Path:
    shutil.copytree(converted, tmp_path / "out")
    return tmp_path / "out"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def refused(folder: Path, key: Path, words: str, status: int = 2) -> None:
    """By the command, with nothing left behind, and with the way out."""
    before = names(folder) if folder.is_dir() else set()
    result = CliRunner().invoke(main, ["sign", str(folder), "--key", str(key)])
    assert result.exit_code == status, result.output
    assert words in result.output.replace("\n", " ")
    assert "Traceback" not in result.output
    assert before == (names(folder) if folder.is_dir() else set())


def test_a_signed_folder_is_verified_by_both_and_opens(out: Path, pair: Pair) -> None:
    before = names(out)
    result = CliRunner().invoke(main, ["sign", str(out), "--key", str(pair.private)])
    assert result.exit_code == 0, result.output
    assert f"signs {len(before)} files" in result.output
    assert names(out) == before | {"model.sig"}
    assert set(verify_signature(out, pair.public).files) == before
    verify_by_package(out, pair)
    open_model(out / "model_int8.tflite", key=pair.public).close()


def test_the_new_signature_takes_the_place_of_the_old(
    out: Path, pair: Pair, tmp_path: Path
) -> None:
    other = make_pair(tmp_path, "other", ec.SECP521R1())
    edgekit.sign(out, pair.private)
    old = (out / "model.sig").read_bytes()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(SignatureError, match=r"added: notes\.txt"):
        verify_signature(out, pair.public)
    signed = edgekit.sign(str(out), str(other.private))
    assert "notes.txt" in signed.files
    assert "model.sig" not in signed.files
    assert (out / "model.sig").read_bytes() != old
    verify_signature(out, other.public)
    with pytest.raises(SignatureError, match="another key"):
        verify_signature(out, pair.public)


def test_no_byte_of_the_signature_can_be_written_otherwise(out: Path, pair: Pair) -> None:
    """Nothing that a JSON reader skips: so a change of any byte of it is refused."""
    edgekit.sign(out, pair.private)
    content = (out / "model.sig").read_text()
    assert content == json.dumps(json.loads(content), separators=(",", ":"))


def test_an_encrypted_key(
    out: Path, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "encrypted.pem"
    key.write_bytes(private_pem(pair.key, b"a word"))
    refused(out, key, "EDGEKIT_KEY_PASSWORD in the environment")
    monkeypatch.setenv("EDGEKIT_KEY_PASSWORD", "another word")
    refused(out, key, "EDGEKIT_KEY_PASSWORD is not its password")
    monkeypatch.setenv("EDGEKIT_KEY_PASSWORD", "a word")
    edgekit.sign(out, key)
    verify_signature(out, pair.public)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda p: p.public.read_bytes(), "is a public key or a certificate"),
        (lambda p: b"secret", "is no key in PEM"),
        (lambda p: p.private.read_bytes()[:100], "cannot be read"),
        (lambda p: p.private.read_bytes().replace(b"M", b"N", 1), "cannot be read"),
        (lambda p: private_pem(rsa.generate_private_key(65537, 2048)), "of the kind RSAPublicKey"),
        (lambda p: private_pem(ec.generate_private_key(ec.SECP256K1())), "of the kind secp256k1"),
    ],
)
def test_a_key_that_cannot_sign(
    content: Any, words: str, converted: Path, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "key.pem").write_bytes(content(pair))
    refused(converted, tmp_path / "key.pem", words)


def test_no_key_and_no_folder_of_edgekits(converted: Path, pair: Pair, tmp_path: Path) -> None:
    refused(converted, tmp_path / "none.pem", "No such file or directory")
    refused(converted, tmp_path, "the private key cannot be read")
    refused(tmp_path / "none", pair.private, "does not exist")
    refused(converted / "manifest.json", pair.private, "there is no such folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", pair.private, "there is no manifest.json of edgekit's")
    with pytest.raises(SigningError, match="there is no such folder"):
        edgekit.sign(tmp_path / "none", pair.private)


def test_a_folder_that_is_not_whole(out: Path, pair: Pair) -> None:
    with (out / "model_int8.onnx").open("r+b") as file:
        file.write(b"\xff")
    refused(out, pair.private, "it is not the file that manifest.json lists")
    (out / "model_int8.onnx").unlink()
    refused(out, pair.private, "manifest.json lists it, but it cannot be read: No such file")
    manifest = {"schema": "edgekit.unfinished/1", "files": []}
    (out / "manifest.json").write_text(json.dumps(manifest))
    refused(out, pair.private, "was stopped while it put its files into this folder")


def test_a_folder_in_use(out: Path, pair: Pair) -> None:
    """By a conversion, in this process or another."""
    with workplace(out), pytest.raises(OutputInUse):
        edgekit.sign(out, pair.private)
    code = f"""
from pathlib import Path
from edgekit.bundle.folder import workplace
with workplace(Path({str(out)!r})):
    print("in use", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "in use\n"
        refused(out, pair.private, "another edgekit is writing into this folder")
        other.communicate("\n")
    edgekit.sign(out, pair.private)


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_folder_with_a_link_is_not_signed(out: Path, pair: Pair) -> None:
    (out / "latest.tflite").symlink_to("model_int8.tflite")
    refused(out, pair.private, "latest.tflite")
    (out / "latest.tflite").unlink()
    edgekit.sign(out, pair.private)


def test_what_a_run_left_behind_is_no_reason_to_sign_it(out: Path, pair: Pair) -> None:
    """A signature that was being copied as its process was killed."""
    (out / ".model.sig.unfinished").write_bytes(b"{")
    signed = edgekit.sign(out, pair.private)
    assert ".model.sig.unfinished" not in signed.files
    assert ".model.sig.unfinished" not in names(out)
    verify_signature(out, pair.public)


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() == 0, reason="a superuser writes into any folder"
)
def test_a_folder_that_cannot_be_written(out: Path, pair: Pair) -> None:
    out.chmod(0o500)
    try:
        refused(out, pair.private, "Permission denied", status=3)
    finally:
        out.chmod(0o700)


def test_the_folder_of_a_later_conversion_has_to_be_signed_again(
    out: Path, pair: Pair, tmp_path: Path
) -> None:
    from edgekit.bundle.folder import publish

    edgekit.sign(out, pair.private)
    scratch = tmp_path / "scratch"
    shutil.copytree(out, scratch)
    manifest = json.loads((scratch / "manifest.json").read_text())
    manifest["notes"] = [*manifest["notes"], "converted again"]
    (scratch / "manifest.json").write_text(json.dumps(manifest))
    publish(scratch, [entry["file"] for entry in manifest["files"]], out)
    open_model(out / "model_int8.onnx").close()
    with pytest.raises(ModelError, match=r"changed: manifest\.json"):
        open_model(out / "model_int8.onnx", key=pair.public)
