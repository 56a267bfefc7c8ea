"""What the inputs and the outputs of a model must be for a session to run it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit_runtimes.base import Engine, ModelError, TensorSpec


def check_ends(path: Path, engine: Engine) -> None:
    """Refuse a model that cannot be run on arrays of numbers.

    Raises:
        ModelError: it has no inputs or no outputs, one holds no numbers, or its scale fits no integers.
    """
    for specs, noun in ((engine.inputs, "input"), (engine.outputs, "output")):
        if not specs:
            raise ModelError(f"{path}: it has no {noun}s. A model that edgekit runs has both.")
        _check_specs(path, specs, noun)


def _check_specs(path: Path, specs: Sequence[TensorSpec], noun: str) -> None:
    for spec in specs:
        try:
            kind = str(np.dtype(spec.dtype).kind)
        except TypeError:
            kind = ""
        if kind not in (("f", "i", "u", "b") if noun == "input" else ("f", "i", "u", "b", "c")):
            raise ModelError(
                f"{path}: its {noun} {spec.name!r} holds {spec.dtype or 'no numbers'}; models are run on "
                "arrays of numbers."
            )
        if noun == "input" and not spec.shape:
            raise ModelError(
                f"{path}: its input {spec.name!r} is a single number, or of unknown shape; models are run "
                "that have a batch axis first in every input."
            )
        if spec.scale is None:
            continue
        limits = np.iinfo(spec.dtype) if kind in "iu" else None
        fits = limits and limits.min <= spec.zero_point <= limits.max
        if not fits or not 0 < spec.scale < np.inf:
            raise ModelError(
                f"{path}: its {noun} {spec.name!r} of {spec.dtype} has the scale {spec.scale:g} and the "
                f"zero point {spec.zero_point}, which do not fit: the file is damaged."
            )
