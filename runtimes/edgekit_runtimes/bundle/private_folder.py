"""Folders of this process alone, which only this user can read: gone with it, or removed by the next one.

Who uses a folder holds a lock on a file in it (``flock``), which the system lets go of however the
process ends. Process numbers would not do: in containers each is the first.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

_PREFIX, _LOCK = ".edgekit-", "lock"


def make_private(parent: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor of its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # another run, which removes what is left behind, was quicker
            continue
        if try_lock(descriptor) is not False and is_still(folder / _LOCK, descriptor):
            return folder, descriptor
        os.close(descriptor)


def remove_private(folder: Path, descriptor: int) -> None:
    """Remove a folder that ``make_private`` made, its lock last."""
    _remove(folder)
    os.close(descriptor)


def remove_stale(parent: Path) -> None:
    """Remove the folders in a folder that nobody uses any more."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or not _is_ours(folder):
                continue
            try:
                descriptor = os.open(folder / _LOCK, os.O_RDWR)
            except FileNotFoundError:  # somebody was killed, or comes in, between two calls
                folder.rmdir()
                continue
            try:
                if try_lock(descriptor):
                    _remove(folder)
            finally:
                os.close(descriptor)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file or folder for as long as it is open; False where another process has it locked.

    None where the file system, or the system, knows no such locks.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_still(path: Path, descriptor: int) -> bool:
    """Whether an open file or folder is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: killed meanwhile, what is left can still be told and removed."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _LOCK:
                path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
