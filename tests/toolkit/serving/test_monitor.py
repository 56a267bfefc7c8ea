"""What ``edgekit serve`` says of inputs that no longer look like the calibration data, over all workers."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from oip.client import ask
from support.one_file import one_file
from support.server import Server, kill, serving, until

from edgekit.cli.main import main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def folder(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits, with one file."""
    return one_file(converted, tmp_path_factory.mktemp("monitored") / "digits")


def send(server: Server, images: np.ndarray[Any, Any]) -> None:
    for start in range(0, len(images), 5):
        part = images[start : start + 5]
        given = {"name": "image", "datatype": "FP32", "shape": list(part.shape)}
        body = {"inputs": [given | {"data": part.ravel().tolist()}]}
        assert ask(server.url, "/v2/models/digits/infer", body).status == 200


def monitored(server: Server) -> dict[str, Any]:
    (entry,) = ask(server.url, "/monitor").content["models"]
    return dict(entry)


def test_what_has_changed_is_told_on_the_console_in_json_metrics_and_log(
    folder: Path, digits: Path, tmp_path: Path
) -> None:
    images = np.load(digits / "eval.npz")["image"].astype(np.float32)
    kept = tmp_path / "kept"
    options = ["--device", "cpu", "--workers", "2", "--log", "--keep-samples", kept]
    with serving(folder, *options) as server:
        send(server, images[:200])
        until(lambda: monitored(server)["monitor"]["samples"] >= 100)
        quiet = monitored(server)
        lines = [line for line in server.lines if line.startswith("warning:")]
        brighter = np.clip(images * 1.5 + 0.2, 0, None)

        def told() -> bool:
            send(server, brighter[:100])
            return any(line.startswith("warning: digits 1: inputs") for line in server.lines)

        until(told)
        loud = monitored(server)
        metrics = ask(server.url, "/metrics").body.decode()
        kill(server.workers())
        until(lambda: len(server.workers()) == 2)
        until(lambda: monitored(server)["statements"] == [])
        after = monitored(server)
    log = [json.loads(x) for x in server.lines if x.startswith("{")]

    assert quiet["statements"] == [] and lines == []
    assert [t["name"] for t in quiet["tensors"]] == ["image", "digit"]
    assert not any(t["alarm"] for t in quiet["tensors"])
    assert "calibration data: brighter by" in loud["statements"][0]
    assert len({s.partition(":")[0] for s in loud["statements"]}) == len(loud["statements"])
    image = loud["tensors"][0]
    assert image["alarm"] and image["outside"] > 0.1 and image["psi"] > 1 and image["ks"] > 0.5
    for name in ("alarm", "psi", "ks", "outside", "not_finite"):
        assert f'edgekit_monitor_{name}{{model="digits",tensor="image",version="1"}}' in metrics
    assert 'edgekit_monitor_alarm{model="digits",tensor="image",version="1"} 1.0' in metrics
    assert after["monitor"]["samples"] > quiet["monitor"]["samples"], "the dead have been counted"
    assert any(x.get("event") == "monitor" and x["statements"] for x in log)
    arrays = [np.load(path)["image"] for path in kept.glob("digits-1/*.npz")]
    assert arrays and sum(map(len, arrays)) <= 200 and arrays[0].max() > 1


def test_it_can_be_left_out_and_a_bundle_without_distributions_has_none(
    folder: Path, tmp_path: Path
) -> None:
    without = Path(shutil.copytree(folder, tmp_path / "digits"))
    manifest = json.loads((without / "manifest.json").read_text())
    assert manifest.pop("distributions")
    (without / "manifest.json").write_text(json.dumps(manifest))
    for served in ([folder, "--no-monitor"], [without]):
        with serving(*served, "--device", "cpu") as server:
            entry = monitored(server)
        assert (entry["monitor"], entry["tensors"], entry["statements"]) == (None, [], [])


def test_the_page_and_the_lines_say_what_has_changed(tmp_path: Path) -> None:
    tensor = {"name": "image", "samples": 25, "outside": 0.2, "psi": 1.0, "ks": 0.5}
    event = {
        "time": "2026-01-01T00:00:00+00:00", "event": "monitor", "model": "m", "version": "2",
        "statements": ["inputs no longer look like <b>x</b>"],
        "tensors": [tensor | {"not_finite": 0.0, "alarm": True}],
    }  # fmt: skip
    (tmp_path / "log").write_text(json.dumps(event) + "\n")
    command = ["watch", str(tmp_path / "log"), "--once", "--html", str(tmp_path / "page.html")]
    ended = CliRunner().invoke(main, command)
    page = (tmp_path / "page.html").read_text()

    assert ended.exit_code == 0 and "! inputs no longer look like <b>x</b>" in ended.output
    assert "The data has changed" in page and "&lt;b&gt;x" in page and "<b>x" not in page
