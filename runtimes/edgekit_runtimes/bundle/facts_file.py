"""The facts of a model file: those of the manifest that lists it, or else those that it carries itself."""

from pathlib import Path

from edgekit_runtimes.bundle.manifest_file import MANIFEST, listed_files, read_listed
from edgekit_runtimes.files import FILES
from edgekit_runtimes.processing.facts import FACTS_KEY, Facts, facts_from_plain, facts_from_text


def read_facts(path: Path) -> Facts:
    """Read what is known of a file beside its arrays; nothing, where neither says anything.

    Raises:
        ModelError: the manifest beside it, or what it carries, is damaged.
        OSError: the file cannot be read.
    """
    manifest = read_listed(path.parent)
    if manifest and path.name in listed_files(manifest, path.parent):
        return facts_from_plain(manifest, path.parent / MANIFEST)
    text = FILES[path.suffix].metadata(path, FACTS_KEY) if path.suffix in FILES else None
    return facts_from_text(text, path) if text else Facts()
