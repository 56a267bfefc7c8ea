"""Samples from images, and how pixels become numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.data.samples import Array, DataError, Sample, SampleSource, Selector, to_input
from edgekit.errors import nearest
from edgekit.names import printable
from edgekit_runtimes import InputError, TensorSpec
from edgekit_runtimes.processing.image_input import SCALES
from edgekit_runtimes.processing.images import pillow_module, read_pixels, scaled

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm"}


@dataclass(frozen=True, slots=True)
class Images:
    """How image files become arrays.

    ``scale``: ``0..1``, ``-1..1``, ``0..255``, or what Keras' applications call ``caffe`` (BGR less
    the ImageNet mean, for VGG and ResNet) and ``torch`` (ImageNet mean and deviation).
    """

    scale: str = "0..1"
    classes: tuple[str, ...] = ()
    """Class folders, in the order of the model's outputs; alphabetical where none are given."""

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise DataError(f"scale {self.scale!r}: choose from {', '.join(SCALES)}.")


def open_images(folder: Path, inputs: Sequence[TensorSpec], images: Images) -> SampleSource:
    """Open image files, resized to the input; the folders that they are in are their classes.

    Folders have the number of their name among ``images.classes``, or without those, among the folders
    in alphabetical order.

    Raises:
        DataError: the model takes no image, there is none in the folder, or a folder is no known class.
    """
    source = printable(folder)
    spec = _image_input(inputs, source)
    folders = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    classes = _numbered(folders, images.classes, source)
    paths = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES
        and (p.is_file() or p.is_symlink())  # of a broken link reading says so
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )
    if not paths:
        raise DataError(f"{source}: no image in it ({', '.join(sorted(SUFFIXES))}).")

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        for number in filter(selected, range(len(paths))):
            path = paths[number]
            top = path.relative_to(folder).parts[0]
            label = np.array(classes.index(top)) if top in classes else None
            yield (
                number,
                (
                    {spec.name: to_input(load_image(path, spec, images), spec, printable(path))},
                    label,
                ),
            )

    stray = [p.name for p in paths if classes and p.parent == folder]
    return SampleSource(
        read,
        count=len(paths),
        label_names=tuple(map(printable, classes)),
        source=source,
        warnings=(_beside_folders(stray, folder),) if stray else (),
        scale=images.scale,
    )


def _numbered(folders: list[str], names: Sequence[str], source: str) -> tuple[str, ...]:
    """The classes in their order; without folders there are none.

    Raises:
        DataError: a folder is called as no class, or as two.
    """
    if not folders or not names:
        return tuple(folders)
    for name in folders:
        if names.count(name) != 1:
            what = "two" if name in names else f"none{nearest(name, names)}"
            raise DataError(
                f"{source}: the class folder {name!r} is {what} of the {len(names)} class names. "
                "Give labels that name the folders, one name a line, in the order of the model's outputs."
            )
    return tuple(names)


def _beside_folders(stray: Sequence[str], folder: Path) -> str:
    shown = ", ".join(map(printable, stray[:3])) + (", ..." if len(stray) > 3 else "")
    return (
        f"{printable(folder)}: {len(stray)} image{'s' if len(stray) > 1 else ''} beside the class folders ({shown}): "
        "without a class, so that no label is used where one of them is evaluated"
    )


def check_images() -> None:
    """Refuse to read images where the package that reads them is not installed.

    Raises:
        RuntimeMissing: Pillow is not installed.
    """
    pillow_module()


def open_image(image: Path | bytes, inputs: Sequence[TensorSpec], images: Images) -> SampleSource:
    """Open one image, resized to the input: a file, or what a camera or another program sent.

    Bytes are an encoded image; or pixels, where there are just as many as the input has: rows from
    the top, channels side by side.

    Raises:
        DataError: the model takes no image, or this is none.
    """
    path = image if isinstance(image, Path) else Path("the image")
    source = printable(path)
    spec = _image_input(inputs, source)

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        if selected(0):
            if isinstance(image, Path):
                pixels = load_image(image, spec, images)
            elif len(image) == np.prod([n or 0 for n in spec.shape[1:]]):
                raw = np.frombuffer(image, np.uint8).reshape([n or 0 for n in spec.shape[1:]])
                pixels = scaled(raw, images.scale)
            else:
                pixels = load_image(path, spec, images, content=image)
            yield 0, ({spec.name: to_input(pixels, spec, source)}, None)

    return SampleSource(read, count=1, source=source, scale=images.scale)


def _image_input(inputs: Sequence[TensorSpec], source: str) -> TensorSpec:
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise DataError(
            f"{source}: images go into one input of (height, width, channels); the model "
            f"takes {'; '.join(map(str, inputs))}."
        )
    return inputs[0]


def load_image(
    path: Path, spec: TensorSpec, images: Images, *, content: bytes | None = None
) -> Array:
    """Read an image as one sample for an input of (height, width, channels), turned upright.

    Args:
        path: the file; the image's name where its content is given.
        spec: the input.
        images: how pixels become numbers.
        content: the file's, where it is not on disk.

    Raises:
        RuntimeMissing: Pillow is not installed.
        DataError: it cannot be decoded, or the input is not an image.
    """
    source = printable(path)
    _, height, width, channels = spec.shape
    scale = SCALES[images.scale]
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels or 3)
    if len(scale.mean) == 3 and mode != "RGB":
        raise DataError(
            f"{source}: scale {images.scale} is for 3 channels, and the input is {spec}."
        )
    if mode is None:
        raise DataError(f"{source}: an image has 1, 3 or 4 channels, and the input is {spec}.")
    size = (height, width) if height and width else None
    try:
        pixels = read_pixels(path if content is None else content, mode, size, source)
    except InputError as error:
        raise DataError(str(error)) from error
    return scaled(pixels, images.scale)
