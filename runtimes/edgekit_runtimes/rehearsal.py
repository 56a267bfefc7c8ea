"""A file opened and run once in a process of its own, before it may run in this one.

No check of a file can foresee all that a runtime's kernels do with it. A file that ends that process
is refused here. What passed is remembered by its content, its device, and the runtime as installed.
"""

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from edgekit_runtimes.base import Engine, ModelError, RuntimesError
from edgekit_runtimes.known_files import identity, keep, recall, sha256

if TYPE_CHECKING:  # starting processes takes imports that a script for a known file does without
    from edgekit_runtimes.engines.devices import Device
    from edgekit_runtimes.subprocess_engine import Child

TIME_LIMIT = 120.0
"""Seconds for opening a file and running it once."""

_GRACE = 5.0  # seconds more, after which the process ends itself: then we are gone
_IDLE = 5.0  # seconds without a file, after which the process ends by itself
_one_at_a_time = Lock()
_child: "tuple[int, Child] | None" = None
"""The process of ours in which files are tried out, by the number of the process that started it."""


def rehearsed(path: Path, device: "Device", threads: int) -> bool:
    """Whether a file with this content has run on this device before.

    Raises:
        OSError: it cannot be read.
    """
    return recall(_key(path, device, threads)) is not None


def rehearse(path: Path, device: "Device", threads: int) -> None:
    """Open a file in a process of its own, and run it once.

    Raises:
        ModelError: that process crashed, memory or time ran out, or it cannot be opened or run.
        DeviceUnavailable: the device is not there.
        OSError: the file cannot be read, or the process cannot be started.
    """
    if not sys.executable or getattr(sys, "frozen", False) or not _travels(device.open):
        return  # an application that is one file has no Python to start
    from edgekit_runtimes.subprocess_engine import run_once

    key = _key(path, device, threads)
    asked = device.open, path.absolute(), threads, TIME_LIMIT + _GRACE
    with _one_at_a_time:
        child = _started()
        child.subject = str(path)
        try:
            try:
                child.ask(run_once, *asked, timeout=TIME_LIMIT)
            except ModelError:
                if child.status() != 0:
                    raise
                child = _started()  # it had just ended, for want of files
                child.subject = str(path)
                child.ask(run_once, *asked, timeout=TIME_LIMIT)
        except RuntimesError as error:
            if child.status() is None:
                raise
            raise ModelError(
                f"{error} That was in a process of its own, where files that no manifest lists are tried "
                "first: the file is damaged, or its runtime cannot take it."
            ) from error
        except Exception as error:  # whatever a runtime raises
            raise ModelError(
                f"{path}: it cannot be opened and run: {type(error).__name__}: {error}"
            ) from error
        except BaseException:  # interrupted: what the process returns next would be of this file
            child.kill()
            raise
    keep(key, "")


def _started() -> "Child":
    global _child
    from edgekit_runtimes.subprocess_engine import Child

    if _child and _child[0] == os.getpid() and _child[1].status() is None:
        return _child[1]
    if _child and _child[0] == os.getpid():
        _child[1].end()
    if _child is None:
        atexit.register(_end)
    _child = os.getpid(), Child("the trial", idle=_IDLE)
    return _child[1]


def _end() -> None:
    if _child and _child[0] == os.getpid():
        _child[1].kill()
        _child[1].end()


def _key(path: Path, device: "Device", threads: int) -> str:
    beside = path.with_name(f"{path.name}.data")  # an ONNX file's weights, as edgekit names them
    content = [sha256(file)[:40] for file in (path, beside) if file.is_file()]
    name = device.name.replace(os.sep, "_")[-60:]
    return "-".join(("ran", *content, name, str(threads), *_installed(device.packages)))


def _installed(packages: Sequence[str]) -> list[str]:
    """What changes when another version of a package is installed; its number takes longer to find."""
    found = []
    for package in packages:
        try:
            spec = find_spec(package.replace("-", "_"))
        except ValueError:  # hidden
            continue
        if spec and spec.origin:
            numbers = identity(Path(spec.origin))
            found.append(f"{numbers[1]:x}.{numbers[3]:x}")
    return found


def _travels(opener: Callable[[Path, int], Engine]) -> bool:
    """Whether another process can import a function: one of ``__main__`` or a lambda it cannot."""
    import pickle

    try:
        return b"__main__" not in pickle.dumps(opener)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
