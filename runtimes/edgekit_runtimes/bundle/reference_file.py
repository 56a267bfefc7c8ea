"""The reference that a model is monitored against: of the manifest that lists its file."""

from pathlib import Path

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.bundle.manifest_file import MANIFEST, listed_files, read_listed
from edgekit_runtimes.monitoring.reference import Reference, reference_from_manifest


def read_reference(path: Path) -> Reference:
    """Read what a file's inputs and outputs are compared with.

    Raises:
        ModelError: no manifest beside it lists it, or that has no distributions, or they are damaged.
    """
    manifest = read_listed(path.parent)
    if manifest is None or path.name not in listed_files(manifest, path.parent):
        raise ModelError(
            f"{path}: no {MANIFEST} beside it lists it, and a model is monitored against the distributions "
            "in it. Open it in the folder that edgekit convert made."
        )
    return reference_from_manifest(manifest, path.name, str(path.parent / MANIFEST))
