"""One sample for a model, of an image or of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array, InputError, TensorSpec
from edgekit_runtimes.processing.facts import Facts
from edgekit_runtimes.processing.image_input import SCALES, image_input
from edgekit_runtimes.processing.images import is_picture, prepare


def sample_of(
    x: Any, inputs: Sequence[TensorSpec], facts: Facts, scale: str | None, path: str
) -> dict[str, Array]:
    """Make of what a caller has the arrays of one sample, by input name and without the batch axis.

    Args:
        x: as for ``Session.predict``.
        inputs: of the model.
        facts: of the model: how images become inputs.
        scale: overrules those.
        path: the model, for messages.

    Raises:
        InputError: it fits no input, or nothing says what pixels become.
        RuntimeMissing: Pillow is not installed.
    """
    if scale is not None and scale not in SCALES:
        raise InputError(f"scale {scale!r}: choose from {', '.join(SCALES)}.")
    if not isinstance(x, Mapping):
        if len(inputs) != 1:
            names = {spec.name: "..." for spec in inputs}
            raise InputError(f"{path} has {len(inputs)} inputs: pass a sample by name, {names}.")
        x = {inputs[0].name: x}
    specs = {spec.name: spec for spec in inputs}
    return {
        name: _array(value, specs[name], facts, scale, path) if name in specs else np.asarray(value)
        for name, value in x.items()
    }


def _array(value: Any, spec: TensorSpec, facts: Facts, scale: str | None, path: str) -> Array:
    if not is_picture(value):
        return np.asarray(value)
    known = image_input(spec, scale) if scale else facts.image_input(spec.name)
    if known is not None:
        return prepare(value, known)
    if isinstance(value, np.ndarray) and value.shape == spec.shape[1:] and len(value.shape) != 3:
        return value  # numbers of 8 bits, and no image
    if image_input(spec, "0..1") is None:
        raise InputError(f"{path}: its input {spec} takes no image.")
    raise InputError(
        f"{path}: nothing says what the pixels of an image become. Pass scale=... ({', '.join(SCALES)}), as "
        "the model was trained; edgekit convert with scale=... writes it into the files."
    )
