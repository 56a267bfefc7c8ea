"""A board on this machine: a real SSH server, with a home folder of its own."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.once import once
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


@pytest.fixture
def board(sshd: Server) -> Server:
    """Such a board with edgekit on it."""
    (sshd.home / ".edgekit").symlink_to(sys.prefix)
    return sshd


@pytest.fixture(scope="session")
def shipped(digits: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object) -> Path:
    """A folder of two int8 files, as ``edgekit convert`` leaves it; read only."""
    import edgekit

    def convert(folder: Path) -> None:
        edgekit.convert(digits / "mlp.keras", digits / "calib.npz", folder, precision="int8")

    return once(tmp_path_factory, "digits/shipped", convert)
