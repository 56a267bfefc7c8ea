"""``ImageInput``: how an image becomes the numbers that a model's input takes, as a manifest says it."""

from dataclasses import dataclass
from typing import Literal

from edgekit_runtimes.base import TensorSpec

ColorOrder = Literal["L", "RGB", "BGR", "RGBA"]
Resize = Literal["stretch"]
Interpolation = Literal["bilinear-antialiased"]
Crop = Literal["none"]


@dataclass(frozen=True, slots=True)
class ImageInput:
    """What is done to an image, in this order: upright, colors, size, numbers; rows from the top.

    Each number is (pixel - mean) / std of its channel, of pixels from 0 to 255.
    """

    input: str
    """The name of the input."""
    height: int
    width: int
    color_order: ColorOrder
    """Of the channels, which are the last axis; ``L`` is gray."""
    scale: str
    """The convention that mean and std come from, by its name: see ``SCALES``."""
    mean: tuple[float, ...]
    """Of each channel, in ``color_order``."""
    std: tuple[float, ...]
    resize: Resize = "stretch"
    """Width and height each to the input's, whatever the shape of the image was."""
    interpolation: Interpolation = "bilinear-antialiased"
    """A triangle filter that widens as an image shrinks: Pillow's ``BILINEAR``."""
    crop: Crop = "none"
    exif_orientation: bool = True
    """Whether the image is turned upright first, as its EXIF says."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A convention of how pixels become numbers: one value for all channels, or one for each."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    color_order: ColorOrder = "RGB"


# As keras.applications.imagenet_utils.preprocess_input has them.
SCALES: dict[str, Scale] = {
    "0..1": Scale((0.0,), (255.0,)),
    "-1..1": Scale((127.5,), (127.5,)),
    "0..255": Scale((0.0,), (1.0,)),
    "caffe": Scale((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "BGR"),
    "torch": Scale((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""The conventions by the names that ``--scale`` takes."""

_GRAY_OR_ALPHA: dict[int, ColorOrder] = {1: "L", 4: "RGBA"}


def image_input(spec: TensorSpec, scale: str) -> ImageInput | None:
    """What is done to an image for an input, by a convention; None where the input takes no image.

    >>> spec = TensorSpec("photo", (1, 224, 224, 3), "float32")
    >>> image_input(spec, "-1..1").mean
    (127.5, 127.5, 127.5)
    """
    if len(spec.shape) != 4:
        return None
    _, height, width, channels = spec.shape
    convention = SCALES[scale]
    fits = channels == 3 or (channels in _GRAY_OR_ALPHA and len(convention.mean) == 1)
    if not (height and width and channels and fits):
        return None
    each = channels // len(convention.mean)
    return ImageInput(
        input=spec.name,
        height=height,
        width=width,
        color_order=_GRAY_OR_ALPHA.get(channels, convention.color_order),
        scale=scale,
        mean=convention.mean * each,
        std=convention.std * each,
    )
