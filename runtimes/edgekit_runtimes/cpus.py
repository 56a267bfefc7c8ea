"""How many processors this process may use."""

import os
from math import ceil
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cpu_limit(cgroup: Path = _CGROUP) -> int:
    """The number of processors that this process may keep busy: at least 1.

    The smallest of what the machine has, what the process is pinned to, and what its container is
    allowed (the quota of control groups, version 2 or 1; a part of a processor counts as one).
    """
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        available = os.cpu_count() or 1
    return max(1, min(available, ceil(_quota(cgroup) or available)))


def _quota(cgroup: Path) -> float | None:
    """Processors by the control group's quota, None where there is none."""
    found = [q for folder in (cgroup, *_own(cgroup)) if (q := _quota_of(folder)) is not None]
    return min(found, default=None)


def _own(cgroup: Path) -> list[Path]:
    """The folders of this process's own group and those above it, where they can be seen."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    group = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    parts = Path(group).parts
    return [cgroup.joinpath(*parts[: i + 1]) for i in range(len(parts)) if ".." not in parts]


def _quota_of(folder: Path) -> float | None:
    """Version 2 says both numbers in one file, version 1 in two."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        old = int((folder / "cpu/cpu.cfs_quota_us").read_text())
        return old / int((folder / "cpu/cpu.cfs_period_us").read_text()) if old > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
