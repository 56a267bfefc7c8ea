"""A Raspberry Pi without one: Debian's arm64 programs under qemu, as ``make test-arm64`` installs them."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / ".venv" / "arm64"
"""Where ``make test-arm64`` puts them."""

PROCESSOR = "cortex-a72"
"""A Raspberry Pi 4's. Never qemu's own "max", with which XNNPACK computes wrong numbers."""

_QEMU = "qemu-aarch64-static"


def command(folder: Path, line: str) -> list[str]:
    """The command that runs a line of sh there, with ``folder`` as home; it has to be started in that folder.

    The folder has the same path there as here: proot does not know the newest system calls (statx, faccessat2), and
    paths in them mean this machine's.
    """
    return [
        *("env", "-i", "PATH=/usr/bin:/bin", f"HOME={folder}", "LANG=C.UTF-8"),
        *("proot", "-q", f"{_QEMU} -cpu {PROCESSOR}", "-r", str(ROOT), "-w", str(folder)),
        # Without /sys, XNNPACK does not find out what processor it has, and stays out.
        *("-b", "/dev", "-b", "/sys", "-b", "/proc", "-b", f"{ROOT}/etc/cpuinfo:/proc/cpuinfo"),
        *("-b", "/etc/resolv.conf", "-b", "/etc/hosts", "-b", "/etc/ssl/certs"),
        *("-b", str(folder), "/bin/sh", "-c", line),
    ]


def run(folder: Path, line: str) -> "subprocess.CompletedProcess[str]":
    """Runs a line of sh there to its end."""
    there = command(folder, line)
    return subprocess.run(there, cwd=folder, capture_output=True, text=True, check=False)


def skip_unless_there() -> None:
    """Skips a test where the emulation is not installed, or this machine needs none."""
    if platform.machine() != "x86_64":
        pytest.skip("compares arm64 with x86_64, and this machine is neither")
    lacking = [name for name in ("proot", _QEMU) if shutil.which(name) is None]
    if lacking or not (ROOT / ".complete").exists():
        pytest.skip(f"no {', '.join(lacking) or ROOT}: make test-arm64")
