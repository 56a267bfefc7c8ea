"""The processors of this machine: how many this process may use, their name and instruction sets."""

import functools
import os
import sys
from math import ceil
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cpu_limit(cgroup: Path = _CGROUP) -> int:
    """The number of processors that this process may keep busy: at least 1.

    >>> cpu_limit() >= 1
    True

    The smallest of what the machine has, what the process is pinned to, and what its container is
    allowed (the quota of control groups, version 2 or 1; a part of a processor counts as one).
    """
    if sys.platform == "linux":
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return max(1, min(available, ceil(_quota(cgroup) or available)))


@functools.cache
def processor_name() -> str:
    """The processor's name as the system reports it: ``AMD EPYC``, ``Cortex-A72``, ``arm64``."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = dict(line.partition("\t")[::2] for line in lines)
    for key in ("model name", "Model", "Hardware"):
        if name := named.get(key, "").strip(" \t:"):
            return name
    return machine()


def exact_int8() -> bool:
    """Whether this processor sums 8-bit products without saturating.

    x86 before VNNI sums pairs of them in 16 bits, which the largest overflow. Kernels that use that
    instruction give wrong results there, without an error.
    """
    if machine().lower() not in ("x86_64", "amd64"):
        return True
    return has_vnni()


def has_vnni() -> bool:
    """Whether this is an x86 processor that sums 8-bit products in 32 bits: VNNI or AMX.

    False where the system does not list instruction sets.
    """
    return bool(instruction_sets() & {"avx_vnni", "avx512_vnni", "amx_int8"})


@functools.cache
def instruction_sets() -> frozenset[str]:
    """The processor's instruction sets, by Linux's names; empty where the system has no list."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    entries = (line.partition(":") for line in lines)
    return frozenset(
        flag
        for key, _, flags in entries
        if key.strip() in ("flags", "Features")
        for flag in flags.split()
    )


def machine() -> str:
    """The processor's architecture: ``x86_64``, ``aarch64``, ... (without importing ``platform``)."""
    return os.uname().machine if hasattr(os, "uname") else os.environ["PROCESSOR_ARCHITECTURE"]


def _quota(cgroup: Path) -> float | None:
    """The number of processors that the control group's quota allows; None without a quota."""
    folders = (cgroup, *_own_groups(cgroup))
    return min((q for f in folders if (q := _quota_of(f)) is not None), default=None)


def _own_groups(cgroup: Path) -> list[Path]:
    """The folders of this process's control group and those above it, where they are visible."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    group = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    parts = Path(group).parts
    return [cgroup.joinpath(*parts[: i + 1]) for i in range(len(parts)) if ".." not in parts]


def _quota_of(folder: Path) -> float | None:
    """One folder's quota: version 2 keeps both numbers in one file, version 1 in two."""
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
