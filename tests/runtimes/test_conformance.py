"""The public conformance cases of the OpenSSF Model Signing format, where a copy of them is at hand.

They are in github.com/ossf/model-signing-spec (before: sampras343/model-signing-conformance), in its
folder `test` or `conformance/test`; OMS_CASES names that folder. Those for Sigstore's network are left out.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgekit_runtimes import SignatureError
from edgekit_runtimes.bundle.signature import check_files, read_signature

CASES = Path(os.environ.get("OMS_CASES", "/nowhere"))
NOT_TAKEN = {
    "historical-v0.2.0-certificate": "model-signing 0.2 signed other bytes than DSSE says",
    "historical-v0.3.1-elliptic-key": "a single file, by the name '.'",
    "historical-v1.0.0-elliptic-key": "a single file, by the name '.'",
}
"""Cases that a verifier may take, and this one refuses."""

FOUND = sorted(
    path.parent
    for path in CASES.glob("test-cases/verify/*/*/config.json")
    if json.loads(path.read_text())["method"] != "sigstore"
)
pytestmark = pytest.mark.skipif(not FOUND, reason="OMS_CASES names no folder of cases")


def model_of(case: Path, config: dict[str, Any], folder: Path) -> Path:
    """The case's folder, with its modifications; a path to be ignored is left out, which means the same."""
    source = (case if config.get("model_relative_to") == "test_dir" else CASES / "assets") / config[
        "model"
    ]
    if source.is_file():
        folder.mkdir()
        shutil.copy(source, folder)
    else:
        shutil.copytree(source, folder)
    changes = config.get("model_modifications", {})
    for name, text in {**changes.get("inject", {}), **changes.get("tamper", {})}.items():
        (folder / name).write_text(text)
    for name in [*changes.get("delete", []), *config["verify"].get("ignore_paths", [])]:
        (folder / name).unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize("case", FOUND, ids=lambda case: str(case.name))
def test_a_case_ends_as_it_should(case: Path, tmp_path: Path) -> None:
    config = json.loads((case / "config.json").read_text())
    model = model_of(case, config, tmp_path / "model")
    key = config["verify"].get("public_key") or config["verify"]["cert_chain"][0]
    fails = config.get("expect") == "fail" or case.name in NOT_TAKEN
    try:
        signed = read_signature(model, CASES / "assets" / key, case / "bundle.sig")
        check_files(signed)
    except SignatureError:
        assert fails
    else:
        assert not fails
        if expected := config.get("expected_signed_files"):
            assert sorted(signed.files) == expected
