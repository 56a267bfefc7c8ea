"""``ExportJob``: what a target is made of."""

from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.manifest import FileEntry, Manifest
from edgekit_runtimes.bundle.golden import Golden


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A folder that ``convert`` made, and which of its files are wanted."""

    folder: Path
    manifest: Manifest
    files: tuple[FileEntry, ...]
    """At least one; each is still the one that the manifest describes."""
    golden: Golden | None
    """None where the folder has no golden samples."""

    @property
    def title(self) -> str:
        """The original's name, without its folder and its suffix."""
        return Path(self.manifest.model.name).stem
