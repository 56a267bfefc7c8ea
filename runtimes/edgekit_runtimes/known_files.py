"""What was found out about files, kept for the next time: in this process, and in the user's cache folder.

One small file for each fact, under ``$XDG_CACHE_HOME/edgekit/files`` (``~/.cache/edgekit/files``), so
that looking one up is opening a file. Where the folder cannot be written, facts last as long as the
process.
"""

import contextlib
import os
import time
from pathlib import Path

_MOST = 2000  # facts in the folder; past it, the oldest go
_SETTLED = 2.0  # seconds: the coarsest clock of a file system
_here: dict[str, str] = {}


def recall(key: str) -> str | None:
    """A fact by its key, or None."""
    if key in _here:
        return _here[key]
    try:
        fact = (cache_folder() / "files" / key).read_text()
    except (OSError, ValueError, RuntimeError):  # no home, no such fact, or a damaged one
        return None
    _here[key] = fact
    return fact


def keep(key: str, fact: str) -> None:
    """Keeps a fact; the key is a file's name."""
    _here[key] = fact
    with contextlib.suppress(OSError, RuntimeError):  # a read-only device finds it out each time
        folder = cache_folder() / "files"
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{key}.{os.getpid()}"
        fresh.write_text(fact)
        fresh.replace(folder / key)
        if hash(key) % 50 == 0:
            _forget_the_oldest(folder)


def cache_folder() -> Path:
    """Where edgekit keeps what it can find out again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit"


def identity(path: Path) -> tuple[int, ...]:
    """Numbers that change with a file's content: device, inode, size, and times to the nanosecond.

    Raises:
        OSError: there is no such file.
    """
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def is_settled(numbers: tuple[int, ...]) -> bool:
    """Whether a change of the file from now on would change its identity.

    A file that was written within the last tick of its file system's clock can be written once more
    without another time.
    """
    return time.time() - max(numbers[3:]) / 1e9 > _SETTLED


def sha256(path: Path, *, again: bool = False) -> str:
    """The hash of a file's content, in hexadecimal; computed once for as long as its identity lasts.

    Args:
        path: the file.
        again: compute it in any case: storage that fails changes a file, and not its identity.

    Raises:
        OSError: it cannot be read.
    """
    numbers = identity(path)
    key = "-".join(("sha256", *map(str, numbers)))
    if not again and (known := recall(key)) is not None:
        return known
    import hashlib  # a millisecond of the start of every script

    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if is_settled(numbers) and identity(path) == numbers:
        keep(key, digest)
    return digest


def _forget_the_oldest(folder: Path) -> None:
    facts = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
    for file in facts[:-_MOST]:
        file.unlink(missing_ok=True)
