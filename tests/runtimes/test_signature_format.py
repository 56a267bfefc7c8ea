"""Signatures that are not of the format, or ambiguous in it: refused though the right key signed them."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.signing import Pair, bundle_of, make_pair, statement_of, stating, write_bundle

from edgekit_runtimes import SignatureError
from edgekit_runtimes.bundle.signature import verify_signature

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"12345")
    (folder / "config.json").write_bytes(b"{}")
    return folder


def refused(folder: Path, pair: Pair, words: str) -> None:
    with pytest.raises(SignatureError, match=words) as refusal:
        verify_signature(folder, pair.public)
    assert str(folder) in str(refusal.value)


def serialization(statement: dict[str, Any]) -> dict[str, Any]:
    return dict(statement["predicate"]["serialization"])


def states(**fields: Any) -> Change:
    """Other fields of `serialization`; None takes one away."""

    def change(statement: dict[str, Any]) -> None:
        found = statement["predicate"]["serialization"]
        found.update(fields)
        for name in [name for name, value in fields.items() if value is None]:
            del found[name]

    return change


def says(**fields: Any) -> Change:
    """Other fields of the statement; None takes one away."""

    def change(statement: dict[str, Any]) -> None:
        statement.update(fields)
        for name in [name for name, value in fields.items() if value is None]:
            del statement[name]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (states(method="shards", shard_size=1000), "by the method 'shards'"),
        (states(method="zip"), "by the method 'zip'"),
        (states(method=None), "serialization has no method"),
        (states(hash_type="blake3"), "hashed by 'blake3'"),
        (states(hash_type="md5"), "hashed by 'md5'"),
        (states(hash_type=["sha256"]), "hashed by"),
        (states(hash_type="blake2b"), "with the hash 'sha256'"),
        (states(ignore_paths="weights.bin"), "ignore_paths is not a list"),
        (states(ignore_paths=[1]), "ignore_paths is not a list"),
        (states(follow=True), "'follow', which is not known"),
        (says(_type="https://in-toto.io/Statement/v0.1"), "it states .*v0.1"),
        (says(predicateType="https://model_signing/Digests/v0.1"), "sign with model-signing 1.0"),
        (says(predicateType="https://slsa.dev/provenance/v1"), "it states .*slsa"),
        (says(predicate=None), "the statement has no predicate"),
        (says(predicate=[]), "the predicate is no object"),
        (says(subject=[]), "not exactly one subject"),
        (says(subject=None), "the statement has no subject"),
        (says(subject=[{"name": "model"}]), "not exactly one subject"),
        (says(subject=[{"name": "model", "digest": {"sha256": "0" * 64}}]), "its hash of all files"),
        (says(extra=1), "'extra', which is not known"),
    ],
)  # fmt: skip
def test_a_statement_that_is_not_of_the_format(
    change: Change, words: str, folder: Path, pair: Pair
) -> None:
    statement = statement_of(folder)
    write_bundle(folder, bundle_of(statement, pair))
    verify_signature(folder, pair.public)
    change(statement)
    write_bundle(folder, bundle_of(statement, pair))
    refused(folder, pair, words)


@pytest.mark.parametrize(
    "name",
    ["../weights.bin", "/etc/passwd", "", ".", "..", "a/../weights.bin", "./weights.bin",
     "sub//weights.bin", "weights.bin/", "weights.bin\0", 5, None, ["weights.bin"]],
)  # fmt: skip
def test_a_name_that_leads_out_or_can_be_written_otherwise(
    name: Any, folder: Path, pair: Pair
) -> None:
    resources = statement_of(folder)["predicate"]["resources"]
    resources[1]["name"] = name
    write_bundle(folder, bundle_of(stating(resources), pair))
    refused(folder, pair, "which is no path in the folder")


def test_names_twice_and_files_without_a_hash(folder: Path, pair: Pair) -> None:
    resources = statement_of(folder)["predicate"]["resources"]
    twice = [*resources, {**resources[1], "digest": "0" * 64}]
    write_bundle(folder, bundle_of(stating(twice), pair))
    refused(folder, pair, r"it lists 'weights\.bin' twice")

    write_bundle(folder, bundle_of(stating([]), pair))
    refused(folder, pair, "it lists no files")

    for digest in ("00", resources[0]["digest"].upper(), "0" * 128):
        changed = [resources[0] | {"digest": digest}, resources[1]]
        write_bundle(folder, bundle_of(stating(changed), pair))
        refused(folder, pair, "something else than a sha256 hash")

    statement = stating(resources)
    del statement["predicate"]["resources"][0]["digest"]
    write_bundle(folder, bundle_of(statement, pair))
    refused(folder, pair, "without name, hash or algorithm")


def test_a_field_that_the_format_may_add_to_a_file_is_let_be(folder: Path, pair: Pair) -> None:
    resources = statement_of(folder)["predicate"]["resources"]
    resources[0]["annotations"] = {"from": "somewhere"}
    write_bundle(folder, bundle_of(stating(resources), pair))
    verify_signature(folder, pair.public)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged, or not JSON"),
        (b"[]", "the statement is no object"),
        (b"\xff\xfe", "damaged, or not JSON"),
        (b'{"_type": 1, "_type": 2}', "the same field twice"),
        (b'{"_type": {"a": 1, "a": 1}}', "the same field twice"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_payload_that_is_no_statement(
    content: bytes, words: str, folder: Path, pair: Pair
) -> None:
    write_bundle(folder, bundle_of(None, pair, content))
    refused(folder, pair, words if content else "is not base64")


def in_envelope(**fields: Any) -> Change:
    return lambda bundle: bundle["dsseEnvelope"].update(fields)


def in_signature(**fields: Any) -> Change:
    return lambda bundle: bundle["dsseEnvelope"]["signatures"][0].update(fields)


def in_material(**fields: Any) -> Change:
    return lambda bundle: bundle["verificationMaterial"].update(fields)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b.update(mediaType="application/json"), "its media type is"),
        (lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json"), "its media type is"),
        (lambda b: b.pop("dsseEnvelope"), "the bundle has no dsseEnvelope"),
        (lambda b: b.pop("verificationMaterial"), "the bundle has no verificationMaterial"),
        (lambda b: b.update(messageSignature={}), "'messageSignature', which is not known"),
        (in_envelope(payloadType="application/json"), "its payload is of the type"),
        (in_envelope(signatures=[]), "not exactly one signature"),
        (lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]), "not exactly one"),
        (in_envelope(payload=""), "the payload is not base64"),
        (in_envelope(payload="e30"), "the payload is not base64"),
        (in_envelope(payload=5), "the payload is not base64"),
        (lambda b: in_envelope(payload=b["dsseEnvelope"]["payload"] + "\n")(b), "the payload is not base64"),
        (in_signature(sig=""), "the signature is not base64"),
        (in_signature(sig="AAAA"), "it was not signed by"),
        (lambda b: in_signature(sig=b["dsseEnvelope"]["signatures"][0]["sig"][:-8])(b), "it was not signed by"),
        (in_signature(keyid="1"), "the signature names a key"),
        (in_signature(alg="none"), "'alg', which is not known"),
        (in_material(tlogEntries=[{"logIndex": "1"}]), "signed without a key, by Sigstore"),
        (in_material(certificate={"rawBytes": "AAAA"}), "signed without a key, by Sigstore"),
        (in_material(timestampVerificationData={"rfc3161Timestamps": [{}]}), "it has time stamps"),
        (in_material(x509CertificateChain={"certificates": []}), "neither a public key nor a chain"),
        (in_material(publicKey={}), "publicKey is not base64"),
        (in_material(publicKey={"hint": None}), "the hint of its key is no text"),
        (in_material(publicKey=[]), "publicKey is no object"),
        (in_material(publicKey={"hint": ""}), "signed by another key"),
        (lambda b: b["verificationMaterial"].pop("publicKey"), "neither a public key nor a chain"),
    ],
)  # fmt: skip
def test_a_bundle_that_is_not_of_the_format(
    change: Change, words: str, folder: Path, pair: Pair
) -> None:
    good = bundle_of(statement_of(folder), pair)
    bundle = copy.deepcopy(good)
    change(bundle)
    assert bundle != good
    write_bundle(folder, bundle)
    refused(folder, pair, words)


def test_a_signature_cut_short(folder: Path, pair: Pair) -> None:
    content = json.dumps(bundle_of(statement_of(folder), pair)).encode()
    for length in range(0, len(content), 11):
        write_bundle(folder, content[:length])
        with pytest.raises(SignatureError):
            verify_signature(folder, pair.public)
    write_bundle(folder, content)
    verify_signature(folder, pair.public)


def test_a_file_too_large_for_a_signature_is_not_read(folder: Path, pair: Pair) -> None:
    with (folder / "model.sig").open("wb") as file:
        file.truncate(1 << 40)
    refused(folder, pair, "it is no signature")
