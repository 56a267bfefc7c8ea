"""Samples from a folder of images, and how pixels become numbers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.data.samples import Array, DataError, Sample, SampleSource, Selector, to_input
from edgekit_runtimes import RuntimeMissing, TensorSpec

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm"}


@dataclass(frozen=True, slots=True)
class Images:
    """How image files become arrays.

    ``scale``: ``0..1``, ``-1..1``, ``0..255``, or what Keras' applications call ``caffe`` (BGR less
    the ImageNet mean, for VGG and ResNet) and ``torch`` (ImageNet mean and deviation).
    """

    scale: str = "0..1"

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise DataError(f"scale {self.scale!r}: choose from {', '.join(SCALES)}.")


def open_images(folder: Path, inputs: Sequence[TensorSpec], images: Images) -> SampleSource:
    """Open image files, resized to the input; the folders that they are in are their classes.

    Raises:
        DataError: the model takes no image, or there is none in the folder.
    """
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise DataError(
            f"{folder}: images go into one input of (height, width, channels); the model "
            f"takes {'; '.join(map(str, inputs))}."
        )
    spec = inputs[0]
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    paths = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )
    if not paths:
        raise DataError(f"{folder}: no image in it ({', '.join(sorted(SUFFIXES))}).")

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        for number in filter(selected, range(len(paths))):
            path = paths[number]
            top = path.relative_to(folder).parts[0]
            label = np.array(classes.index(top)) if top in classes else None
            yield (
                number,
                ({spec.name: to_input(load_image(path, spec, images), spec, str(path))}, label),
            )

    return SampleSource(read, count=len(paths), label_names=tuple(classes), source=str(folder))


def load_image(path: Path, spec: TensorSpec, images: Images) -> Array:
    """Read an image file as one sample for an input of (height, width, channels).

    Raises:
        RuntimeMissing: Pillow is not installed.
        DataError: it cannot be decoded, or the input is not an image.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise RuntimeMissing(
            "reading images needs Pillow: pip install 'edgekit-toolkit[validate]'"
        ) from error
    _, height, width, channels = spec.shape
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels or 3)
    if images.scale in ("caffe", "torch") and mode != "RGB":
        raise DataError(f"{path}: scale {images.scale} is for 3 channels, and the input is {spec}.")
    if mode is None:
        raise DataError(f"{path}: an image has 1, 3 or 4 channels, and the input is {spec}.")
    try:
        with Image.open(path) as file:
            if file.mode.startswith("I;16"):  # Pillow itself would clip it to white
                file = file.point(lambda value: value / 257, "L")
            image = file.convert(mode)
            if height and width:
                image = image.resize((width, height), Image.Resampling.BILINEAR)
            pixels = np.asarray(image, np.float32).reshape(image.height, image.width, -1)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as an image: {error}") from error
    return SCALES[images.scale](pixels)


# As keras.applications.imagenet_utils.preprocess_input does them, on pixels of 0..255.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
SCALES: dict[str, Callable[[Array], Array]] = {
    "0..1": lambda pixels: pixels / np.float32(255),
    "-1..1": lambda pixels: pixels / np.float32(127.5) - np.float32(1),
    "0..255": lambda pixels: pixels,
    "caffe": lambda pixels: pixels[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32),
    "torch": lambda pixels: (pixels / np.float32(255) - _MEAN) / _DEVIATION,
}
