"""What a server says of itself and of what it runs: hashes, extensions, traces."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from oip.client import ask, in_binary
from support.server import kill, serving, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_crashed_model_that_is_opened_from_a_changed_folder_is_told_as_what_it_now_is(
    converted: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(converted, tmp_path / "digits"))
    manifest = json.loads((folder / "manifest.json").read_text())
    entries = {e["file"]: e for e in manifest["files"]}

    def only(file: str) -> None:
        kept = manifest | {"files": [entries[file]]}
        (tmp_path / "new.json").write_text(json.dumps(kept))
        (tmp_path / "new.json").replace(folder / "manifest.json")

    only("model_float32.tflite")
    with serving(folder, "--device", "cpu") as server:
        model = ask(server.url, "/v2/models/digits").content
        assert model["parameters"]["sha256"] == entries["model_float32.tflite"]["sha256"]
        assert model["parameters"]["recipe"] == ""

        only("model_int8.tflite")
        kill(server.models())
        body, headers = in_binary(model["inputs"])
        until(
            lambda: ask(server.url, "/v2/models/digits/infer", body, headers=headers).status == 200
        )
        model = ask(server.url, "/v2/models/digits").content
        told = ask(server.url, "/metrics").body.decode()
        asked = ask(
            server.url,
            "/v2/models/digits/infer",
            b"{",
            headers={"traceparent": TRACE, "tracestate": "a=1"},
        )
        odd = ask(server.url, "/v2", headers={"traceparent": "anything"})
        extensions = ask(server.url, "/v2").content["extensions"]
        loaded = ask(server.url, "/v2/repository/models/digits/load", {})

    now = entries["model_int8.tflite"]
    assert model["parameters"]["file"] == "model_int8.tflite"
    assert model["parameters"]["sha256"] == now["sha256"]
    assert model["parameters"]["recipe"] == now["recipe"]["sha256"]
    (line,) = (
        x for x in told.splitlines() if x.startswith("edgekit_model_info{") and x[-3:] == "1.0"
    )
    assert now["sha256"] in line and now["recipe"]["sha256"] in line
    (memory,) = (x for x in told.splitlines() if x.startswith("edgekit_model_memory_bytes{"))
    assert float(memory.split()[-1]) > 1e6
    assert asked.status == 400
    assert (asked.headers["traceparent"], asked.headers["tracestate"]) == (TRACE, "a=1")
    assert "traceparent" not in odd.headers, "what is no trace is not echoed"
    assert ("model_repository" in extensions) is (loaded.status == 200)
