"""What the outputs of a file depend on beside the file: versions, edgekit's own code, the processor."""

import functools
import hashlib
import platform
from dataclasses import dataclass
from importlib import metadata

from edgekit.bundle.environment import own_code, processor

COMPARED = (
    "edgekit-toolkit",
    "numpy",
    "ai-edge-litert",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
)
"""The distributions whose versions must agree where outputs are to be the same bits."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of one process."""

    host: str
    versions: tuple[tuple[str, str], ...]
    """Of each package of ``COMPARED`` that is installed."""
    code: str
    """A hash of edgekit's modules: in a checkout they change without a new version."""
    architecture: str
    instruction_sets: tuple[str, ...]
    """Of the processor, those that decide how a runtime computes."""

    @property
    def key(self) -> str:
        """The same for processes that compute the same."""
        rest = (self.versions, self.code, self.architecture, self.instruction_sets)
        return hashlib.sha256(repr(rest).encode()).hexdigest()


@functools.cache
def surroundings() -> Surroundings:
    """Those of this process."""
    versions = []
    for name in COMPARED:
        try:
            versions.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    cpu = processor()
    return Surroundings(
        host=platform.node(),
        versions=tuple(versions),
        code=own_code(),
        architecture=cpu.architecture,
        instruction_sets=cpu.instruction_sets,
    )


def difference(ours: Surroundings, theirs: Surroundings) -> str:
    """What the other machine has otherwise, and what to do; empty where they agree."""
    here, there = dict(ours.versions), dict(theirs.versions)
    apart = [name for name in COMPARED if here.get(name) != there.get(name)]
    if apart:
        said = ", ".join(f"{name} {there.get(name, 'is missing')}" for name in apart)
        wanted = ", ".join(f"{name} {here.get(name, 'is missing')}" for name in apart)
        return f"has other packages, {said}; here: {wanted}. Install the same in both places"
    if ours.code != theirs.code:
        return "has edgekit of the same version with other code. Install the same in both places"
    if ours.architecture != theirs.architecture:
        return (
            f"has a processor of another architecture, {theirs.architecture}; here: {ours.architecture}. "
            "Outputs would differ: use machines of one kind"
        )
    if ours.instruction_sets != theirs.instruction_sets:
        lacks = sorted(set(ours.instruction_sets) - set(theirs.instruction_sets))
        more = sorted(set(theirs.instruction_sets) - set(ours.instruction_sets))
        parts = [f"lacks {', '.join(lacks)}"] if lacks else []
        parts += [f"has {', '.join(more)}, which this machine's lacks"] if more else []
        return (
            f"has a processor that {' and '.join(parts)}. Kernels, and so outputs, would differ: use "
            "machines of one kind"
        )
    return ""
