"""A real Prometheus on a real server: every panel of the dashboard has something to show."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from oip.client import ask, in_binary
from support.one_file import one_file
from support.plain_onnx import write_plain
from support.server import serving, until

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv" / "deploy" / "usr" / "bin"
PROMETHEUS = shutil.which("prometheus", path=str(TOOLS)) or shutil.which("prometheus")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or PROMETHEUS is None, reason="make test-deploy installs Prometheus"
)


def test_every_panel_of_the_dashboard_shows_something(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    board = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
    asked = {t["expr"] for panel in board["panels"] for t in panel.get("targets", ())}
    folder = one_file(converted, tmp_path / "digits")
    write_plain(tmp_path / "plain.onnx")
    (tmp_path / "token").write_text("open-sesame")
    options = ["--token-file", tmp_path / "token", "--shadow", tmp_path / "plain.onnx"]
    headed = {"Authorization": "Bearer open-sesame"}
    with serving(folder, "--device", "cpu", *options, "--shadow-share", "1") as server:
        config = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
        config = config.replace("15s", "1s").replace("server:8000", server.url.partition("//")[2])
        config = config.replace("/run/secrets/token", str(tmp_path / "token"))
        (tmp_path / "prometheus.yml").write_text(config)
        shutil.copy(ROOT / "deploy" / "prometheus" / "alerts.yml", tmp_path)
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [
            PROMETHEUS, f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}",
        ]  # fmt: skip
        model = ask(server.url, "/v2/models/digits", headers=headed).content
        body, more = in_binary(model["inputs"], rows=2)
        with subprocess.Popen(
            [str(x) for x in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:

                def value(query: str) -> list[object]:
                    with urlopen(f"http://{address}/api/v1/query?query={quote(query)}") as reply:
                        found = json.load(reply)
                    assert found["status"] == "success", (query, found)
                    return list(found["data"]["result"])

                def scraped() -> bool:
                    path = "/v2/models/digits/infer"
                    assert ask(server.url, path, body, headers=headed | more).status == 200
                    time.sleep(0.05)
                    try:
                        return bool(value("edgekit_requests_total offset 5s"))
                    except OSError:
                        return False

                until(scraped)
                empty = []
                for query in asked:
                    filled = re.sub(r"\$(instance|model)", ".*", query)
                    if not value(filled.replace("$__rate_interval", "10s")):
                        empty.append(query)
            finally:
                process.terminate()

    # Of this model, whose output is classes, there is no SQNR.
    assert [q for q in empty if 'metric="sqnr"' not in q] == []
