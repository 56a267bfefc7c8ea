"""The boxes of a sample, to be drawn on it: the labels', the original's and the file's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.accuracy.detection import CONFIDENT
from edgekit.accuracy.detection_outputs import DETECTIONS
from edgekit.data.samples import Array
from edgekit.names import class_name

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
        rows += (_box("label", output, row, class_name(row[4], names), None) for row in known)
    models: tuple[tuple[Whose, Array], ...] = (("original", original), ("candidate", candidate))
    for whose, detections in models:
        best = detections[detections[:, 4] >= CONFIDENT]
        for row in best[(-best[:, 4]).argsort(kind="stable")][:_MOST]:
            rows.append(_box(whose, output, row, class_name(row[5], names), float(row[4])))
    return tuple(rows)


def _box(whose: Whose, output: str, row: Array, name: str, score: float | None) -> SampleBox:
    first, second, third, fourth = (float(x) for x in row[:4])
    if output == DETECTIONS:
        first, second, third, fourth = second, first, fourth, third
    left, right = sorted((first, third))
    top, bottom = sorted((second, fourth))
    return SampleBox(whose, left, top, right, bottom, name, score)
