"""Images of every kind to the numbers that an input takes: by the same code in validation and on the device."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import EXTRA, Array, InputError, RuntimeMissing
from edgekit_runtimes.processing.image_input import SCALES, ColorOrder, ImageInput, Scale

_MODES: dict[ColorOrder, str] = {"L": "L", "RGB": "RGB", "BGR": "RGB", "RGBA": "RGBA"}
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


def prepare(picture: Any, to: ImageInput) -> Array:
    """Make of an image one sample for an input: float32 of (height, width, channels).

    Args:
        picture: a path; bytes of an encoded image, or of as many pixels as the input has (rows from the top,
            channels side by side); an image of Pillow's; or 8-bit pixels as an array of (height, width) or
            (height, width, channels), in RGB.
        to: what is done to it.

    Raises:
        RuntimeMissing: Pillow is not installed, and the image is not pixels in the input's size.
        InputError: it cannot be read as an image.
    """
    mode = _MODES[to.color_order]
    size = to.height, to.width
    pixels = _ready(picture, (*size, _CHANNELS[mode]))
    if pixels is None:
        pixels = read_pixels(picture, mode, size)
    return _numbers(pixels, Scale(to.mean, to.std, to.color_order))


def scaled(pixels: Array, scale: str) -> Array:
    """Make numbers of pixels in RGB, gray or RGBA, by a convention of ``SCALES``."""
    return _numbers(pixels, SCALES[scale])


def _numbers(pixels: Array, scale: Scale) -> Array:
    """(pixel - mean) / std of each channel, each step in float32, so that every target has the same bits."""
    ordered = pixels[..., ::-1] if scale.color_order == "BGR" else pixels
    mean, std = np.array(scale.mean, np.float32), np.array(scale.std, np.float32)
    numbers: Array = (ordered.astype(np.float32) - mean) / std
    return numbers


def read_pixels(
    picture: Any, mode: str, size: tuple[int, int] | None, name: str | None = None
) -> Array:
    """Read an image, turned upright, in the channels and the size that are wanted: 8-bit pixels.

    Args:
        picture: as for ``prepare``, but no bytes of pixels.
        mode: ``L``, ``RGB`` or ``RGBA``.
        size: height and width; None leaves its own.
        name: what errors call it.

    Raises:
        RuntimeMissing: Pillow is not installed.
        InputError: it cannot be read as an image.
    """
    pillow = pillow_module()
    named = name or (str(picture) if isinstance(picture, (str, Path)) else "the image")
    try:
        with warnings.catch_warnings(action="ignore"), _opened(picture, pillow) as file:
            turn = _TURNS.get(_orientation(file))
            if file.mode.startswith("I;16"):  # Pillow itself would clip it to white
                file = file.point(lambda value: value / 257, "L")
            image = file.convert(mode)
            if turn is not None:
                image = image.transpose(pillow.Image.Transpose[turn])
            if size is not None:
                image = image.resize(size[::-1], pillow.Image.Resampling.BILINEAR)
            return np.asarray(image).reshape(image.height, image.width, _CHANNELS[mode])
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them
        raise InputError(f"{named}: cannot be read as an image: {error}") from error


def is_picture(value: Any) -> bool:
    """Whether a value is an image, and not the numbers that an input takes."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype == np.uint8)
    return isinstance(value, (str, Path, bytes, bytearray, memoryview)) or hasattr(value, "getexif")


def pillow_module() -> Any:
    """Pillow.

    Raises:
        RuntimeMissing: it is not installed.
    """
    try:
        import PIL.Image
    except ImportError as error:
        raise RuntimeMissing(f"reading images needs Pillow: {EXTRA.format('images')}") from error
    return PIL


def _ready(picture: Any, shape: tuple[int, int, int]) -> Array | None:
    """Pixels that are in the input's size and channels already; None for any other image."""
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return (
            np.frombuffer(picture, np.uint8).reshape(shape)
            if len(picture) == np.prod(shape)
            else None
        )
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8:
        same = picture.shape == shape or (shape[2] == 1 and picture.shape == shape[:2])
        return picture.reshape(shape) if same else None
    return None


def _opened(picture: Any, pillow: Any) -> Any:
    """An image of Pillow's; closing it closes what was opened here."""
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
            raise InputError(
                "an array that is an image holds 8-bit pixels, uint8 of (height, width) or (height, width, "
                f"channels); this one is {picture.dtype} of {picture.shape}."
            )
        squeezed = picture[..., 0] if picture.shape[2:] == (1,) else picture
        return pillow.Image.fromarray(squeezed)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return pillow.Image.open(io.BytesIO(picture))
    if isinstance(picture, (str, Path)):
        return pillow.Image.open(picture)
    if hasattr(picture, "getexif"):
        copy = picture.copy()  # the caller's own stays open, and keeps its size
        copy.info.update(getattr(picture, "info", {}))
        return copy
    raise InputError(
        f"{type(picture).__name__} is no image: pass a path, bytes, an image of Pillow's, or uint8 pixels."
    )


def _orientation(file: Any) -> int:
    """How the camera was held: EXIF's tag Orientation, of which 1 is upright."""
    try:
        return int(file.getexif().get(0x0112, 1))
    except Exception:  # of damaged EXIF Pillow raises whatever; the image itself may be whole
        return 1


# By EXIF's orientation, what makes an image upright: as Pillow's ImageOps.exif_transpose has it.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
