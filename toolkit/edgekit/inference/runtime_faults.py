"""What the runtime that runs a file is known to compute wrongly in it."""

from pathlib import Path

from edgekit_runtimes import DEVICES
from edgekit_runtimes.formats.known_faults import faults_of


def runtime_faults(file: Path, device: str) -> list[str]:
    """Return a sentence for each fault of an installed runtime that a file's outputs suffer from.

    Args:
        file: what runs.
        device: where, by the name that its session or its placement has for it.
    """
    packages = [
        package for d in DEVICES if device in (d.name, d.kind) for package in d.packages
        if file.suffix in d.suffixes
    ]  # fmt: skip
    return list(map(str, faults_of(file, packages)))
