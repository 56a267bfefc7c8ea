"""Boards over a real SSH server: commands, copies that go on where they stopped, errors in words."""

import os
import random
import re
import subprocess
from pathlib import Path

import pytest
from support.cut import Cable
from support.sshd import Server

from edgekit.device.board import BoardError, ConnectionLost, read_address
from edgekit.device.connect import open_board
from edgekit.device.copying import copy

HUGE = 1 << 43  # bytes of a file with nothing in it: more than any disk here has


def written(folder: Path, sizes: dict[str, int]) -> dict[str, Path]:
    """Files of noise, by their names."""
    files = {}
    for name, size in sizes.items():
        files[name] = folder / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_bytes(random.Random(name).randbytes(size))
    return files


def test_a_command_gives_its_output_and_status(sshd: Server) -> None:
    with open_board(sshd.address) as board:
        output = board.run("echo one; echo two >&2; cat; exit 3", [b"abc", b"def"])

    assert (output.status, output.stdout, output.stderr) == (3, "one\nabcdef", "two\n")


def test_files_arrive_under_their_names_and_only_once(sshd: Server, tmp_path: Path) -> None:
    names = {"a b'c.bin": 300_000, "-dash": 5, "deep/er/é": 1000, "empty": 0}
    files = written(tmp_path, names)
    with open_board(sshd.address) as board:
        first = copy(board, files, "models/-x y")
        second = copy(board, files, "models/-x y")

    folder = sshd.home / "models" / "-x y"
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == {name: path.read_bytes() for name, path in files.items()}
    assert (first, second) == (sum(names.values()), 0)


def test_a_copy_goes_on_where_the_connection_was_cut(sshd: Server, tmp_path: Path) -> None:
    files = written(tmp_path, {"small": 1000, "large": 8_000_000})
    with Cable(sshd.port) as cable:
        sshd.know(cable.port)
        cable.mend(left=6_000_000)
        with pytest.raises(ConnectionLost, match="goes on"), open_cable(cable) as board:
            copy(board, files, "out")
        assert not (sshd.home / "out" / "large").exists()
        cable.mend()
        with open_cable(cable) as board:
            sent = copy(board, files, "out")

    assert (sshd.home / "out" / "large").read_bytes() == files["large"].read_bytes()
    assert 2_000_000 < sent < 6_000_000


def open_cable(cable: Cable):  # type: ignore[no-untyped-def]
    return open_board(f"ssh://127.0.0.1:{cable.port}")


def test_what_is_begun_of_another_file_or_damaged_there_is_sent_anew(
    sshd: Server, tmp_path: Path
) -> None:
    files = written(tmp_path, {"begun": 5000, "longer": 10, "damaged": 700})
    folder = sshd.home / "out"
    folder.mkdir()
    (folder / "begun.part").write_bytes(b"of another file")
    (folder / "longer.part").write_bytes(bytes(4000))
    (folder / "damaged").write_bytes(bytes(700))
    with open_board(sshd.address) as board:
        copy(board, files, "out")

    for name, path in files.items():
        assert (folder / name).read_bytes() == path.read_bytes(), name
    assert sorted(p.name for p in folder.iterdir()) == sorted(files)


def test_a_full_disk_is_told_before_anything_is_copied(sshd: Server, tmp_path: Path) -> None:
    files = written(tmp_path, {"huge": 1})
    try:
        with files["huge"].open("r+b") as stream:
            stream.truncate(HUGE)
    except OSError:
        pytest.skip("this file system has no file of that size")

    with open_board(sshd.address) as board, pytest.raises(BoardError, match="its disk is full"):
        copy(board, files, "out")

    assert list((sshd.home / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(sshd: Server, tmp_path: Path) -> None:
    (sshd.home / "out").write_text("a file")

    with open_board(sshd.address) as board, pytest.raises(BoardError, match="make the folder out"):
        copy(board, written(tmp_path, {"a": 1}), "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("unknown", r"not known here.*Type ssh -p \d+ 127.0.0.1 once"),
        ("changed", r"another than before.*ssh-keygen -R"),
        ("refused", r"refuses to let you in.*ssh-copy-id -p \d+ 127.0.0.1"),
    ],
)
def test_who_is_who_is_checked(sshd: Server, change: str, message: str) -> None:
    known, user = sshd.folder / "known_hosts", sshd.folder / "user_key.pub"
    if change == "unknown":
        known.unlink()
    elif change == "changed":
        known.write_text(known.read_text().split(" ")[0] + " " + user.read_text())
    else:
        user.write_text("")

    with pytest.raises(BoardError, match=message), open_board(sshd.address):
        pass
    assert change != "unknown" or not known.exists() or known.read_text() == ""


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ssh://127.0.0.1:1", "nothing answers on port 1"),
        ("ssh://no-such-machine.invalid", "no machine is called no-such-machine.invalid"),
        ("ssh://user:secret@host", "a password does not belong"),
        ("ssh://", "a board is written ssh://"),
        ("ssh://-oProxyCommand=x", "may not begin with a hyphen"),
        ("ssh://host:none", "ssh://host:none: "),
        ("ftp://host/x", "a board is written ssh://"),
        ("/a/path", "a board is written ssh://"),
    ],
)
def test_an_address_that_leads_nowhere(address: str, message: str) -> None:
    with pytest.raises(BoardError, match=re.escape(message)) as error, open_board(address):
        pass
    assert "secret" not in str(error.value)


def test_the_parts_of_an_address() -> None:
    read = read_address("ssh://pi@[fe80::1]:2222/opt/a%20model/")

    assert (read.name, read.port, read.path) == ("pi@fe80::1", 2222, "/opt/a model")
    assert read_address("ssh://Pi/~/m").path == "m"
    assert read_address("adb://R58M123ABC").name == "R58M123ABC"


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="mounts a small disk")
def test_a_disk_that_fills_up_while_it_is_copied_to_is_told(sshd: Server, tmp_path: Path) -> None:
    disk = sshd.home / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        files = written(tmp_path, {"large": 700_000})

        def fill(step: str) -> None:
            (disk / "other").write_bytes(bytes(600_000))

        with open_board(sshd.address) as board:
            with pytest.raises(BoardError, match=r"its disk is full.*goes on where it stopped"):
                copy(board, files, "disk", fill)
            (disk / "other").unlink()
            sent = copy(board, files, "disk")
        assert (disk / "large").read_bytes() == files["large"].read_bytes()
        assert sent < 700_000
    finally:
        subprocess.run(["umount", str(disk)], check=True)
