"""The samples that a command was given, or else the golden samples of a folder."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.manifest import read_manifest
from edgekit.data.images import Images
from edgekit.data.open import open_samples
from edgekit.data.samples import Array, DataError, SampleSource
from edgekit.names import printable
from edgekit_runtimes import Session
from edgekit_runtimes.bundle.golden import GOLDEN, read_golden


def given_or_golden(data: Any, paths: Sequence[Path]) -> tuple[Any, str]:
    """Return the samples, and what to call them; None and "" where there are none.

    Args:
        data: what was given; None for the golden samples.
        paths: files and folders, in whose folders golden samples are looked for, in this order.
    """
    if data is not None:
        return data, printable(data) if isinstance(data, (str, Path)) else type(data).__name__
    for path in paths:
        folder = path if path.is_dir() else path.parent
        if (folder / GOLDEN).is_file():
            golden = read_golden(folder / GOLDEN)
            return dict(golden.inputs), f"the golden samples in {printable(folder)}"
    return None, ""


def open_for(session: Session, path: Path, data: Any) -> SampleSource:
    """Open samples as a file takes them; images as the manifest beside it says."""
    manifest = read_manifest(path.parent)
    images = Images(manifest.scale or "0..1", manifest.labels) if manifest else Images()
    return open_samples(data, session.inputs, images)


def first_samples(session: Session, path: Path, data: Any, count: int) -> dict[str, Array]:
    """Read the first samples into memory, by input name.

    Raises:
        DataError: there is none.
    """
    source = open_for(session, path, data)
    samples = [sample for _, (sample, _) in islice(source.read(lambda i: True), count)]
    if not samples:
        raise DataError(f"{source.source}: it holds no samples.")
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
