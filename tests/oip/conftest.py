"""The server that the suite is run against: ours, or the one of ``--url``."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oip.client import ask


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--url", help="A server of the Open Inference Protocol, as http://localhost:8000."
    )
    parser.addoption(
        "--model", help="The model to ask; by default the first of the repository's index."
    )


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    given = request.config.getoption("--url", default=None)
    if given:
        yield given.rstrip("/")
        return
    folder: Path = request.getfixturevalue("converted")
    command = [
        sys.executable,
        "-m",
        "edgekit",
        "serve",
        f"digits={folder}",
        "--port",
        "0",
        "--device",
        "cpu",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = None
        for line in server.stdout:
            if found := re.search(r"listening on (http://\S+)/v2", line):
                break
        assert found, "the server did not start"
        yield found[1]
        server.terminate()


@pytest.fixture(scope="session")
def name(url: str, request: pytest.FixtureRequest) -> str:
    given = request.config.getoption("--model", default=None)
    return str(given or ask(url, "/v2/repository/index", {}).content[0]["name"])


@pytest.fixture(scope="session")
def model(url: str, name: str) -> dict[str, Any]:
    reply = ask(url, f"/v2/models/{name}")
    assert reply.status == 200
    return dict(reply.content)
