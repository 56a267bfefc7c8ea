"""Samples that are images, as pictures that a page can hold."""

import base64
import io
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from edgekit.data.samples import Array
from edgekit.data.store import StoredArrays

_LEAST, _MOST = 4, 160  # pixels of a side
_SIZE = re.compile(rb"tEXtsize\0([1-9]\d{0,5}) ([1-9]\d{0,5}) ")


def pictures(samples: StoredArrays, rows: Iterable[int]) -> dict[int, str]:
    """Samples as data URIs of PNG files, by row; none where the inputs are no images.

    An input is an image where it alone has height, width and 1, 3 or 4 channels. Values of 0..1 and of
    0..255 are shown as they are, others from their least to their greatest.
    """
    images = [name for name, shape in samples.shapes.items() if _is_image(shape)]
    wanted = set(rows)
    if len(images) != 1 or not wanted:
        return {}
    try:
        from PIL import Image
    except ImportError:  # the page does without
        return {}
    uris = {}
    for row, sample in enumerate(samples):
        if row in wanted:
            image = Image.fromarray(_pixels(sample[images[0]]))
            image.thumbnail((_MOST, _MOST))
            buffer = io.BytesIO()
            image.save(buffer, "PNG", optimize=True, pnginfo=_size(sample[images[0]]))
            uris[row] = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        if len(uris) == len(wanted):
            break
    return uris


def size_of(png: bytes) -> tuple[int, int] | None:
    """The width and height of the sample that a picture was made of, in pixels."""
    found = _SIZE.search(png)
    return (int(found[1]), int(found[2])) if found else None


def _size(sample: Array) -> Any:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("size", f"{sample.shape[1]} {sample.shape[0]} ")
    return info


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and min(shape[:2]) >= _LEAST and shape[2] in (1, 3, 4)


def _pixels(values: Array) -> Array:
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scaled = (values.astype(np.float64) - low) / ((high - low) or 1) * 255
    pixels: Array = np.rint(scaled).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
