"""Android devices by ``adb``: its program where it is installed, and a stand-in that runs commands here."""

import os
import shutil
from pathlib import Path

import pytest

from edgekit.device.board import BoardError
from edgekit.device.connect import open_board
from edgekit.device.copying import copy

NO_DEVICE = "adb://R58M00000"


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a device that is this machine; hardware there is none."""
    home = tmp_path / "device"
    home.mkdir()
    script = tmp_path / "bin" / "adb"
    script.parent.mkdir()
    script.write_text(
        '#!/bin/sh\n[ "$1 $2 $3 $4 $#" = "-s R58M:5555 shell -T 5" ] || { echo "error: no $*" >&2; exit 1; }\n'
        f'exec sh -c "$(echo "$5" | sed \'s|/data/local/tmp|{home}|\')"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return home


def test_files_and_commands_go_the_same_way(device: Path, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_bytes(os.urandom(200_000))
    with open_board("adb://R58M:5555") as board:
        sent = copy(board, {"a file": file}, "models")
        status = board.run("exit 7").status

    assert (device / "models" / "a file").read_bytes() == file.read_bytes()
    assert (sent, status, board.note) == (200_000, 7, "not tested on hardware")


def test_without_adb_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with (
        pytest.raises(BoardError, match=r"no adb here.*apt-get install adb"),
        open_board(NO_DEVICE),
    ):
        pass


@pytest.mark.skipif(shutil.which("adb") is None, reason="no adb: apt-get install adb")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(BoardError, match="no such device"), open_board(NO_DEVICE):
        pass
