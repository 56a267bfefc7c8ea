"""Boxes on a sample's picture, in percent of its sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from edgekit.diagnosis.changed_boxes import SampleBox

_FRACTIONS = 2.0  # a corner beyond it is in pixels


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box to be drawn."""

    box: SampleBox
    x: float
    y: float
    width: float
    height: float


def place_boxes(boxes: Sequence[SampleBox], size: tuple[int, int]) -> list[PlacedBox]:
    """Place boxes on a picture of a sample of such a width and height; what lies outside is cut off.

    Args:
        boxes: in pixels of the sample, or in fractions of its sides where no corner is beyond 2.
        size: the sample's width and height.
    """
    corners = [
        (box, (box.left, box.top, box.right, box.bottom))
        for box in boxes
        if all(map(isfinite, (box.left, box.top, box.right, box.bottom)))
    ]
    in_pixels = any(end > _FRACTIONS for _, ends in corners for end in ends)
    across, down = size if in_pixels else (1, 1)
    placed = []
    for box, (left, top, right, bottom) in corners:
        x, end = (min(max(100 * at / across, 0.0), 100.0) for at in (left, right))
        y, low = (min(max(100 * at / down, 0.0), 100.0) for at in (top, bottom))
        placed.append(PlacedBox(box, x, y, end - x, low - y))
    return placed
