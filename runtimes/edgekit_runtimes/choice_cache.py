"""The choices that ``device="auto"`` has made, in one JSON file of the user's cache folder."""

import hashlib
import json
import os
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from edgekit_runtimes.host import cpu_limit, processor_name
from edgekit_runtimes.known_files import cache_folder, sha256


def choice_key(question: str, files: Iterable[Path], packages: Iterable[str]) -> str:
    """A key that changes with everything that a choice depends on.

    Args:
        question: what was asked for, and what there is to choose from.
        files: their content counts, not their paths.
        packages: the distributions whose versions count.
    """
    digest = hashlib.sha256(question.encode())
    for path in files:
        digest.update(sha256(path).encode())
    digest.update(f"{processor_name()} {cpu_limit()}".encode())
    for package in packages:
        try:
            digest.update(f"{package} {metadata.version(package)}".encode())
        except metadata.PackageNotFoundError:
            continue
    return digest.hexdigest()


def read_choices() -> dict[str, str]:
    """The choices by key; empty where there are none, or the file is damaged."""
    try:
        choices = json.loads(_file().read_text())
    except (OSError, ValueError, RuntimeError):  # no home, no file, or a damaged one
        return {}
    return choices if isinstance(choices, dict) else {}


def write_choice(key: str, choice: str) -> None:
    """Adds a choice; without an error where the folder cannot be written."""
    try:
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({**read_choices(), key: choice}, indent=1))
        fresh.replace(file)
    except (OSError, RuntimeError):  # a read-only device measures each time
        return


def _file() -> Path:
    return cache_folder() / "auto.json"
