"""The suite of the Open Inference Protocol on a server that is not ours, so that it is not made to fit ours.

MLServer answers every request that can be answered as the suite wants it. What cannot be run it refuses
otherwise than the specification says, which is what ``REFUSALS`` are: 'a failed inference request must be
indicated by an HTTP error status (typically 400). The HTTP body must contain the ... error object', which is
``{"error": string}``. MLServer's says ``detail`` instead, or it answers with 200.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oip.client import ask

from clients.environments import python

pytestmark = [
    pytest.mark.client,
    pytest.mark.skipif(os.name != "posix", reason="MLServer needs POSIX"),
]

SUITE = Path(__file__).parents[1] / "oip"
REFUSALS = "test_what_cannot_be_run_is_refused_in_words"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@pytest.fixture
def mlserver(tmp_path: Path) -> Iterator[str]:
    folder = shutil.copytree(Path(__file__).parent / "mlserver", tmp_path / "models")
    http, grpc, metrics = free_ports(3)
    settings = {
        "host": "127.0.0.1",
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [python("mlserver").with_name("mlserver"), "start", folder]
    with (
        (tmp_path / "log.txt").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        url, end = f"http://127.0.0.1:{http}", time.monotonic() + 90
        while True:
            try:
                if ask(url, "/v2/models/doubling/ready").status == 200:
                    break
            except OSError:
                assert server.poll() is None and time.monotonic() < end, (
                    tmp_path / "log.txt"
                ).read_text()
            time.sleep(0.5)
        yield url
        server.terminate()


def test_the_suite_holds_for_a_server_that_is_not_ours(mlserver: str, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        SUITE,
        "--url",
        mlserver,
        "--junit-xml",
        report,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=SUITE.parents[1])
    from xml.etree import ElementTree

    cases = ElementTree.parse(report).getroot().iter("testcase")
    outcome = {case.get("name", ""): case.find("failure") is None for case in cases}

    assert len(outcome) >= 25, ran.stdout
    assert [
        name for name, held in outcome.items() if not held and not name.startswith(REFUSALS)
    ] == []
    assert sum(outcome.values()) >= 15
