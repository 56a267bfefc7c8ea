"""The boxes of a sample, to be drawn on it: the labels', the original's and the file's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.accuracy.detection import CONFIDENT
from edgekit.accuracy.detection_outputs import DETECTIONS
from edgekit.data.samples import Array

_MOST = 40  # of each kind; more cover the picture

Whose = Literal["label", "original", "candidate"]


@dataclass(frozen=True, slots=True)
class SampleBox:
    """A box on a sample, in the model's unit: pixels, or fractions of the picture."""

    whose: Whose
    left: float
    top: float
    right: float
    bottom: float
    name: str
    """The class's."""
    score: float | None
    """None of labels."""


def sample_boxes(
    output: str, label: Array | None, original: Array, candidate: Array, names: Sequence[str]
) -> tuple[SampleBox, ...]:
    """Collect the true boxes, and those of both models that have a score of 0.5 and more.

    Boxes of three outputs (corners, scores, classes) are taken as TensorFlow's, which begin with the top;
    those of one output as others', which begin with the left.

    Args:
        output: its name.
        label: (boxes, 5), corners and class, where there are labels.
        original: (boxes, 6), corners, score and class.
        candidate: the same of the file.
        names: of the classes.
    """
    rows = list[SampleBox]()
    if label is not None:
        known = label[label[:, 4] >= 0][:_MOST]
        rows += (_box("label", output, row, int(row[4]), None, names) for row in known)
    for whose, detections in _both(original, candidate):
        best = detections[detections[:, 4] >= CONFIDENT]
        for row in best[(-best[:, 4]).argsort(kind="stable")][:_MOST]:
            rows.append(_box(whose, output, row, int(row[5]), float(row[4]), names))
    return tuple(rows)


def _both(original: Array, candidate: Array) -> Iterator[tuple[Whose, Array]]:
    yield "original", original
    yield "candidate", candidate


def _box(
    whose: Whose, output: str, row: Array, number: int, score: float | None, names: Sequence[str]
) -> SampleBox:
    first, second, third, fourth = (float(x) for x in row[:4])
    if output == DETECTIONS:
        first, second, third, fourth = second, first, fourth, third
    left, right = sorted((first, third))
    top, bottom = sorted((second, fourth))
    name = names[number] if 0 <= number < len(names) else str(number)
    return SampleBox(whose, left, top, right, bottom, name, score)
