"""A board on this machine: a real SSH server, with a home folder of its own."""

import os
import signal
from collections.abc import Iterator

import pytest
from support.sshd import Server, start_sshd


@pytest.fixture
def sshd(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A board behind SSH whose key is known, and a client that it lets in."""
    server, process = start_sshd(tmp_path_factory.mktemp("sshd"))
    monkeypatch.setenv("PATH", f"{server.folder / 'bin'}:{os.environ['PATH']}")
    yield server
    process.send_signal(signal.SIGTERM)
    process.wait()
