"""A detector's outputs, which belong together, joined to one: (boxes, 6) a sample.

Where one output has a score for each class behind the corners of each box, the detections are chosen of it as
on a device (``edgekit_runtimes.processing.boxes``).
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.accuracy.task_names import TaskTexts
from edgekit.accuracy.tasks import Labels
from edgekit.data.samples import Array, DataError
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.names import names
from edgekit_runtimes.processing.boxes import detections

DETECTIONS = "detections"
"""What the joined output is called."""

_BATCH = 256
_LEAST_SCORE = 0.01
"""Of what is chosen; mAP counts those of low scores too."""
_MOST = 100  # chosen of a sample
_SCORES, _CLASSES = ("score", "conf", "prob"), ("class", "label", "categor")


@dataclass(frozen=True, slots=True)
class DetectionOutputs:
    """The names of the outputs that make up detections."""

    boxes: str
    """(boxes, 4) a sample: two opposite corners."""
    scores: str
    classes: str
    count: str | None = None
    """How many of the boxes count, where the model says so."""

    @property
    def in_one(self) -> bool:
        """Whether one output has all: corners, and a score for each class."""
        return self.boxes == self.scores

    @property
    def name(self) -> str:
        """What they are called together."""
        return self.boxes if self.in_one else DETECTIONS


def find_detection_outputs(
    original: StoredArrays, given: TaskTexts = ()
) -> DetectionOutputs | None:
    """Find a detector's outputs by shape, and scores and classes by name or by what they hold.

    Args:
        original: the original's outputs.
        given: tasks as the user named them; an output that is named as something else is no part.

    Raises:
        DataError: ``given`` names detection, and there are no such outputs.
    """
    texts = names(given)
    shapes = dict(original.shapes)
    boxes = [name for name, shape in shapes.items() if len(shape) == 2 and shape[1] == 4]
    if len(boxes) == 1:
        room = shapes[boxes[0]][0]
        columns = [name for name, shape in shapes.items() if shape in ((room,), (room, 1))]
        counts = [n for n, shape in shapes.items() if shape in ((), (1,)) and n not in columns]
        if len(columns) == 2 and (pair := _scores_and_classes(original, columns)):
            otherwise = [text.rpartition("=") for text in texts if text != "detection"]
            if any(output in ("", boxes[0], *pair) for output, _, _ in otherwise):
                return None
            return DetectionOutputs(boxes[0], *pair, counts[0] if len(counts) == 1 else None)
    for name, shape in shapes.items():
        said = f"{name}=detection" in texts or ("detection" in texts and len(shapes) == 1)
        if said and len(shape) == 2 and shape[1] >= 5 and shape[1] != 6:
            return DetectionOutputs(name, name, name)
    if "detection" in texts and not any(shape[1:] == (6,) for shape in shapes.values()):
        raise DataError(
            "task detection needs outputs of shape (boxes, 4), (boxes,) and (boxes,) a sample: corners, scores "
            "and classes; or one of shape (boxes, 6) with those in each row, or (boxes, 4 + classes), with "
            "a score for each class. The model's are "
            f"{', '.join(f'{name} {shape}' for name, shape in shapes.items())}."
        )
    return None


def joined(outputs: StoredArrays, parts: DetectionOutputs) -> StoredArrays:
    """Join the outputs, into a folder beside theirs; other outputs stay as they are."""
    folder = outputs.folder.with_name(f"{outputs.folder.name} {DETECTIONS}")
    shutil.rmtree(folder, ignore_errors=True)
    writer = ArrayWriter(folder)
    gone = {parts.boxes, parts.scores, parts.classes, parts.count}
    for batch in outputs.batches(_BATCH):
        rest = {name: array for name, array in batch.items() if name not in gone}
        rows = _chosen(batch[parts.boxes]) if parts.in_one else _rows(batch, parts)
        writer.add({parts.name: rows, **rest})
    return writer.close()


def joined_labels(labels: Labels, parts: DetectionOutputs) -> Labels:
    """Join the labels of boxes and of classes to (boxes, 5) a sample; others stay as they are.

    Labels of all outputs together are taken as they are where they have that shape.
    """
    if parts.in_one:
        return labels
    if labels is None or not isinstance(labels, Mapping):
        return labels if labels is not None and labels.shape[2:] == (5,) else None
    rest = {n: a for n, a in labels.items() if n not in (parts.boxes, parts.scores, parts.classes)}
    boxes, classes = labels.get(parts.boxes), labels.get(parts.classes)
    if boxes is None or classes is None or boxes.shape[2:] != (4,):
        return rest or None
    if classes.size != boxes.size // 4:
        return rest or None
    column = classes.reshape(*boxes.shape[:2], 1)
    return {DETECTIONS: np.concatenate([boxes, column], axis=2).astype(np.float64), **rest}


def _chosen(outputs: Array) -> Array:
    rows = np.zeros((len(outputs), _MOST, 6), np.float32)
    for sample, boxes in zip(rows, outputs, strict=True):
        chosen = detections(boxes[:, :4], boxes[:, 4:], least_score=_LEAST_SCORE, most=_MOST)
        sample[: len(chosen)] = chosen
    return rows


def _rows(batch: Mapping[str, Array], parts: DetectionOutputs) -> Array:
    boxes = batch[parts.boxes].astype(np.float32)
    columns = (batch[name].reshape(*boxes.shape[:2], 1) for name in (parts.scores, parts.classes))
    rows = np.concatenate([boxes, *columns], axis=2).astype(np.float32)
    if parts.count is not None:
        count = batch[parts.count].reshape(len(rows), 1)
        rows[np.arange(rows.shape[1]) >= count] = 0
    return rows


def _scores_and_classes(original: StoredArrays, columns: list[str]) -> tuple[str, str] | None:
    """Tell scores from classes; None where neither names nor values do."""
    first = next(original.batches(_BATCH))
    for scores, classes in (columns, columns[::-1]):
        named = _is_named(scores, _SCORES) and _is_named(classes, _CLASSES)
        whole = np.array_equal(first[classes], np.rint(first[classes]))
        if named or (
            whole
            and first[scores].min() >= 0
            and first[scores].max() <= 1
            and not np.array_equal(first[scores], np.rint(first[scores]))
        ):
            return scores, classes
    return None


def _is_named(output: str, words: tuple[str, ...]) -> bool:
    return any(word in output.lower() for word in words)
