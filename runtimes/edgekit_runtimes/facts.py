"""``Facts``: what whoever runs a model file has to know beside its arrays; in manifests, and in files."""

from dataclasses import dataclass

from edgekit_runtimes.image_input import ImageInput
from edgekit_runtimes.postprocessing import Postprocessing


@dataclass(frozen=True, slots=True)
class Facts:
    """From an image to the inputs, and from the outputs to an answer."""

    labels: tuple[str, ...] = ()
    """The classes' names, in order."""
    preprocessing: tuple[ImageInput, ...] = ()
    """How images become inputs; of those inputs alone of which it is known."""
    postprocessing: tuple[Postprocessing, ...] = ()
    """What each output means."""
    license: str | None = None
    """Of the model: an SPDX expression, or a note."""
