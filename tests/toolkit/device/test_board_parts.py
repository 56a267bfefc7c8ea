"""``edgekit bisect`` on a board behind a real SSH server."""

import shutil
from pathlib import Path

import pytest
from support.sshd import Server

import edgekit


def test_layers_run_on_a_board_and_nothing_is_left_there(
    board: Server, shipped: Path, tmp_path: Path
) -> None:
    for name in ("model_int8.tflite", "golden.npz"):
        shutil.copy(shipped / name, tmp_path)

    found = edgekit.bisect(tmp_path, f"{board.address}/~/work", device="reference")
    assert found.same
    (file,) = found.files
    assert [layer.operator for layer in file.layers].count("FULLY_CONNECTED") == 2
    assert {layer.status for layer in file.layers} == {"same"}
    assert list((board.home / "work").iterdir()) == []
    with pytest.raises(edgekit.BoardError, match="no device 'tpu' opens"):
        edgekit.bisect(tmp_path, board.address, device="tpu")


def test_a_board_without_edgekit_is_told_so_before_anything_runs(
    sshd: Server, shipped: Path
) -> None:
    with pytest.raises(edgekit.BoardError, match="no Python there"):
        edgekit.bisect(shipped, sshd.address, python="/nowhere/python")
