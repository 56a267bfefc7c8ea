"""Scratch folders, which hold samples while a run lasts: gone with it, or removed by the next one."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.stopping import tidily


@contextlib.contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new, empty folder, which only this user can read, and which is removed afterwards.

    What killed runs left there, or among temporary files, is removed first. SIGTERM and SIGHUP end the process only when it is
    gone.

    Args:
        parent: the folder to make it in; by default that of temporary files.
    """
    # Its package imports NumPy, which `edgekit --help` does without.
    from edgekit_runtimes.bundle.private_folder import make_private, remove_private, remove_stale

    temporary = Path(tempfile.gettempdir())
    parent = parent or temporary
    with tidily():
        for place in {parent, temporary}:
            remove_stale(place)
        folder, descriptor = make_private(parent)
        try:
            yield folder
        finally:
            remove_private(folder, descriptor)
