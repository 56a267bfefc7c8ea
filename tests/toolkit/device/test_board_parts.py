"""``edgekit bisect`` on a board behind a real SSH server."""

import shutil
import sys
from pathlib import Path

import pytest
from support.sshd import Server

import edgekit
from edgekit.device.board import BoardError


def test_layers_run_on_a_board_and_nothing_is_left_there(
    sshd: Server, converted: Path, tmp_path: Path
) -> None:
    (sshd.home / ".venv/bin").mkdir(parents=True)
    python = sshd.home / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for name in ("model_int8.tflite", "golden.npz", "manifest.json"):
        shutil.copy(converted / name, tmp_path)

    found = edgekit.bisect(tmp_path, f"{sshd.address}/~/work", device="reference")
    assert found.same
    (file,) = found.files
    assert len(file.layers) == 9
    assert {layer.status for layer in file.layers} == {"same"}
    assert list((sshd.home / "work").iterdir()) == []
    with pytest.raises(BoardError, match="no device 'tpu' opens"):
        edgekit.bisect(tmp_path, sshd.address, device="tpu")


def test_a_board_without_the_runtimes_says_what_to_install(sshd: Server, converted: Path) -> None:
    login = sshd.folder / "login"
    login.write_text(login.read_text().replace("exec sh", "PATH=/nowhere exec /bin/sh"))
    with pytest.raises(BoardError, match="no Python there has edgekit's runtimes"):
        edgekit.bisect(converted / "model_int8.tflite", sshd.address)
