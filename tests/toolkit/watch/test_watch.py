"""``edgekit watch``: a real server, and its log, as their keeper sees them; and what deploy/ asks for is there."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from oip.client import ask, in_binary
from support.plain_onnx import write_plain
from support.server import Server, serving

from edgekit.cli.main import main
from edgekit.watch.log import Log
from edgekit.watch.server import quantile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
DEPLOY = Path(__file__).parents[3] / "deploy"
ASKED = 40


@dataclass
class Seen:
    """A server that was asked, and what it told."""

    server: Server
    log: Path
    metrics: str


@pytest.fixture(scope="module")
def seen(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("watched")
    write_plain(folder / "plain.onnx")
    options = ["--log", "--workers", "2", "--shadow", folder / "plain.onnx", "--shadow-share", "1"]
    with serving(f"digits={converted}", "--device", "cpu", *options) as server:
        model = ask(server.url, "/v2/models/digits").content
        body, headers = in_binary(model["inputs"], rows=2)
        for _ in range(ASKED):
            assert ask(server.url, "/v2/models/digits/infer", body, headers=headers).status == 200
        assert ask(server.url, "/v2/models/digits/infer", {}).status == 400
        metrics = ask(server.url, "/metrics").body.decode()
        log = folder / "log"
        log.write_text("\n".join(server.lines) + "\n")
        yield Seen(server, log, metrics)


def watch(*arguments: object) -> str:
    ended = CliRunner().invoke(main, ["watch", *map(str, arguments)])
    assert ended.exit_code == 0, ended.output
    return ended.output


def test_a_server_and_its_log_say_the_same(seen: Seen, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    of_server = json.loads(
        watch(seen.server.url, "--once", "--every", "0.2", "--json", "--html", page)
    )
    of_log = json.loads(watch(seen.log, "--once", "--json"))
    told = watch(seen.log, "--once")

    (served,), (logged,) = of_server["models"], of_log["models"]
    for model in (served, logged):
        assert (model["model"], model["version"]) == ("digits", "1")
        assert (model["requests"], model["errors"], model["refused"]) == (ASKED + 1, 0, 1)
        assert [s["stage"] for s in model["stages"]] == ["read", "queue", "infer", "write", "all"]
        assert model["batch"] == pytest.approx(2)
        stages = {s["stage"]: s for s in model["stages"]}
        assert 0 < stages["infer"]["p50_ms"] <= stages["infer"]["p99_ms"]
        assert stages["all"]["p50_ms"] > stages["infer"]["p50_ms"]
    assert served["file"].startswith("model_") and len(served["sha256"]) == 64
    assert served["shadow"]["compared"] + served["shadow"]["dropped"] >= 2 * ASKED - 2 * 8
    assert served["bytes"] > 1e6 and of_server["bytes"] > 1e6
    assert "digits 1" in told and "p99" in told and "1 refused" in told
    assert "digits 1" in page.read_text() and "<script" not in page.read_text()


def test_into_a_pipe_goes_a_line_for_each_look(seen: Seen) -> None:
    from edgekit.cli.watch_table import watch_lines
    from edgekit.watch.server import Server as Watched

    watched = Watched(seen.server.url)
    (first, *said), (second, *said_again) = (list(watch_lines(watched.state())) for _ in range(2))
    assert all(": warning: " in line for line in (*said, *said_again))
    assert "digits 1: - requests/s, 0 errors, 1 refused" in first
    assert "digits 1: 0 requests/s" in second and "same predictions" in second


def test_every_figure_that_dashboard_and_alerts_ask_for_is_there(seen: Seen) -> None:
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    asked = [t["expr"] for panel in board["panels"] for t in panel.get("targets", ())]
    asked += [v["definition"] for v in board["templating"]["list"]]
    asked.append((DEPLOY / "prometheus" / "alerts.yml").read_text())
    names = {name for text in asked for name in re.findall(r"\bedgekit_\w+", text)}
    live = set(re.findall(r"^(edgekit_\w+?)(?:\{| )", seen.metrics, re.MULTILINE))
    live |= set(re.findall(r"^# TYPE (edgekit_\w+) gauge", seen.metrics, re.MULTILINE))

    assert len(names) > 8 and names - live == set()


def test_every_label_that_they_choose_by_is_there(seen: Seen) -> None:
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    asked = [t["expr"] for panel in board["panels"] for t in panel.get("targets", ())]
    asked.append((DEPLOY / "prometheus" / "alerts.yml").read_text())
    used = {
        (metric, label)
        for text in asked
        for metric, inside in re.findall(r"\b(edgekit_\w+)\{([^}]*)\}", text)
        for label in re.findall(r"(\w+)(?:=|!=|=~|!~)\"", inside)
    }
    live = {
        (metric, label)
        for metric, inside in re.findall(r"^(edgekit_\w+)\{(.*)\} ", seen.metrics, re.MULTILINE)
        for label in re.findall(r"(\w+)=\"", inside)
    }

    assert {u for u in used if u[1] != "instance" and "_monitor_" not in u[0]} - live == set()


def test_what_is_no_server_and_no_log_is_said_to_be_none(seen: Seen, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words\nand more\n")
    for source, reason in (
        ("http://127.0.0.1:1", "does not answer"),
        (f"{seen.server.url}/v2/models", "there is no such address"),
        (tmp_path / "text", "none of its lines"),
        (tmp_path / "nowhere", "No such file"),
    ):
        refused = CliRunner().invoke(main, ["watch", str(source), "--once"])
        assert refused.exit_code == 2 and reason in refused.output, refused.output


def line(second: float, ms: float, status: int = 200, **more: Any) -> str:
    at = f"2026-01-01T00:{int(second) // 60:02d}:{second % 60:06.3f}+00:00"
    content = {"time": at, "path": "/v2/models/m/infer", "status": status, "ms": ms, "model": "m"}
    return json.dumps(content | more) + "\n"


def test_a_log_that_grows_and_is_rotated_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    times = np.random.default_rng(0).permutation(np.arange(1.0, 101.0))
    path.write_text("".join(line(n / 10, ms) for n, ms in enumerate(times)))
    log = Log(path)
    (model,) = log.state().models
    (whole,) = model.stages
    assert (whole.p50_ms, whole.p99_ms) == (51, 100)
    assert (model.requests, model.per_second) == (100, pytest.approx(100 / 60))

    with path.open("a") as more:
        more.write(
            "a worker ended (signal 9); another is started\n" + line(200, 7, status=500)[:-20]
        )
    assert log.state().models[0].requests == 100, "half a line is none yet"
    with path.open("a") as more:
        more.write(line(200, 7, status=500)[-20:])
    (model,) = log.state().models
    assert (model.requests, model.errors) == (101, 1)
    assert model.per_second == pytest.approx(1 / 60), "the others are no longer of late"

    path.rename(tmp_path / "log.1")
    path.write_text(line(201, 9))
    assert log.state().models[0].requests == 102


def test_a_quantile_is_prometheus_own() -> None:
    buckets = [(0.1, 10.0), (0.2, 10.0), (0.4, 90.0), (float("inf"), 100.0)]
    assert quantile(buckets, 0.5) == pytest.approx(0.2 + 0.2 * 40 / 80)
    assert quantile(buckets, 0.05) == pytest.approx(0.05)
    assert quantile(buckets, 0.99) == pytest.approx(0.4), "beyond the last end"
