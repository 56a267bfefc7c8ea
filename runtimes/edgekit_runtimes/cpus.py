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
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        old = int((cgroup / "cpu/cpu.cfs_quota_us").read_text())
        return old / int((cgroup / "cpu/cpu.cfs_period_us").read_text()) if old > 0 else None
    except (OSError, ValueError):
        return None
