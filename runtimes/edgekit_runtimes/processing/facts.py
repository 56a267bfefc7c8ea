"""``Facts``: what whoever runs a model file has to know beside its arrays; in manifests, and in files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any, get_args

from edgekit_runtimes.base import ModelError, TensorSpec
from edgekit_runtimes.processing.image_input import (
    ColorOrder,
    Crop,
    ImageInput,
    Interpolation,
    Resize,
)
from edgekit_runtimes.processing.postprocessing import Kind, Postprocessing

FACTS_KEY = "edgekit.facts"
"""The name of the metadata entry of a file that has them, as JSON."""


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

    def image_input(self, name: str) -> ImageInput | None:
        """How images become an input; None where it is not known."""
        return next((image for image in self.preprocessing if image.input == name), None)


def facts_to_text(facts: Facts) -> str:
    """The facts as the JSON text that a file holds."""
    import json  # a millisecond of the start of every script

    return json.dumps(asdict(facts), ensure_ascii=False)


def facts_from_text(text: str, path: Path) -> Facts:
    """The facts that a file holds.

    Raises:
        ModelError: it holds something else there.
    """
    import json

    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    return facts_from_plain(plain, path)


def facts_from_plain(plain: Mapping[str, Any], path: Path) -> Facts:
    """The facts of a manifest, or of a file, as JSON has them; what is not there is not known.

    Raises:
        ModelError: something is of another type than edgekit writes.
    """
    try:
        labels, license_ = plain.get("labels") or [], plain.get("license")
        if not all(isinstance(label, str) for label in labels):
            raise ValueError("labels are not all texts")
        return Facts(
            tuple(labels),
            tuple(_image(entry) for entry in plain.get("preprocessing") or []),
            tuple(_meaning(entry) for entry in plain.get("postprocessing") or []),
            None if license_ is None else str(license_),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise _damaged(path, error) from error


def check_facts(facts: Facts, inputs: Sequence[TensorSpec], path: str) -> None:
    """Refuse facts that are not of a model with these inputs.

    Raises:
        ModelError: an image would get another size than its input has.
    """
    shapes = {spec.name: spec.shape for spec in inputs}
    for image in facts.preprocessing:
        shape = (image.height, image.width, len(image.mean))
        if shapes.get(image.input, ())[1:] != shape or len(image.std) != len(image.mean):
            raise ModelError(
                f"{path}: what is said of images for its input {image.input!r}, {shape}, does not fit its "
                f"inputs {'; '.join(map(str, inputs))}. Convert again."
            )


def _image(entry: Mapping[str, Any]) -> ImageInput:
    image = ImageInput(
        input=str(entry["input"]),
        height=int(entry["height"]),
        width=int(entry["width"]),
        color_order=_one_of(ColorOrder, entry["color_order"]),
        scale=str(entry["scale"]),
        mean=tuple(map(float, entry["mean"])),
        std=tuple(map(float, entry["std"])),
        resize=_one_of(Resize, entry["resize"]),
        interpolation=_one_of(Interpolation, entry["interpolation"]),
        crop=_one_of(Crop, entry["crop"]),
        exif_orientation=bool(entry["exif_orientation"]),
    )
    if not all(0 < abs(std) < inf for std in image.std):
        raise ValueError(f"std {image.std}")
    return image


def _meaning(entry: Mapping[str, Any]) -> Postprocessing:
    meaning = Postprocessing(
        output=str(entry["output"]),
        task=str(entry["task"]),
        kind=_one_of(Kind, entry["kind"]),
        top_k=int(entry["top_k"]),
        part=str(entry["part"]),
    )
    if meaning.top_k < 0:
        raise ValueError(f"top_k {meaning.top_k}")
    return meaning


def _one_of(literal: Any, value: Any) -> Any:
    """A value of a ``Literal``; a newer edgekit may write others, which would be taken for something else."""
    if value not in get_args(literal):
        raise ValueError(f"{value!r} is none of {', '.join(get_args(literal))}")
    return value


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path}: what it says of images, labels and outputs is damaged: {error}.")
