"""README's way to a Raspberry Pi, word for word, and ``edgekit push``: to arm64 programs under qemu."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import emulated
import pytest
from support.sshd import Server, start_sshd

import edgekit

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(3000)]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def raspberry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A board whose programs are arm64's; ``ssh`` and ``scp`` find it as raspberrypi.local."""
    emulated.skip_unless_there()
    folder = tmp_path / "sshd"
    folder.mkdir()
    server, process = start_sshd(folder, emulated.command(folder / "home", "")[:-1])
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    yield server
    process.terminate()
    process.wait()


def blocks() -> list[str]:
    """The commands of README's section: those of the workstation, those of the board, those of later."""
    section = (ROOT / "README.md").read_text().partition("### On a Raspberry Pi\n")[2]
    section = re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0]
    # The server of a test lets in the user who runs it, and no other.
    return [block.replace("pi@", "") for block in re.findall(r"```\n(.*?)```", section, re.DOTALL)]


def here(line: str, folder: Path) -> str:
    """The output of a line of sh on this machine."""
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_way_to_a_raspberry_pi(
    raspberry: Server, digits: Path, tmp_path: Path, forked_workers: object
) -> None:
    data = digits / "calib.npz"
    edgekit.convert(digits / "cnn.keras", data, tmp_path / "out", precision="int8")
    shutil.copy(data, tmp_path / "samples.npz")
    (tmp_path / "dist").symlink_to(ROOT / "dist")
    there, board, later = blocks()
    wheel, *copies = there.splitlines()
    here(wheel, ROOT)
    for line in copies:
        here(line, tmp_path)

    done = emulated.run(raspberry.home, f"set -e\n{board}")

    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("out: pass", "model_int8.tflite", "model_int8.onnx", "p50", "label"):
        assert word in done.stdout, done.stdout
    print(done.stdout)
    shown = here(
        later.replace("edgekit push", f"{sys.executable} -m edgekit push --seconds 0.1"), tmp_path
    )
    assert "aarch64" in shown and "in use there now: ~/edgekit/out" in shown
    print(shown)
