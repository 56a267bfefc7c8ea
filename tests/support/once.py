"""Folders that are made once a run, for all its processes."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that whoever asks first makes, and all others read: they must not write into it.

    Args:
        folders: pytest's; the folder lies where all of xdist's processes find it.
        name: stands for what is in it, options included.
        make: fills the folder, which is there and empty.
    """
    base = shared_folder(folders)
    folder = base / name
    mark = name.replace("/", "-")
    with (base / f"{mark}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, or the process ends
        done = base / f"{mark}.done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one who failed
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def shared_folder(folders: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run have, and no other run."""
    base = folders.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    base.mkdir(exist_ok=True)
    return base
