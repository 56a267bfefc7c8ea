"""A detector's boxes: of those that overlap the best one alone stays (non-maximum suppression), in plain NumPy.

Model files end before it: NPUs cannot do it, and its outputs would have no fixed size.
"""

import numpy as np

from edgekit_runtimes.base import Array


def detections(
    boxes: Array,
    scores: Array,
    *,
    least_score: float = 0.05,
    overlap: float = 0.5,
    most: int = 100,
) -> Array:
    """Choose the detections of one image, each class by itself.

    >>> boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], float)
    >>> scores = np.array([[0.9, 0.0], [0.8, 0.0], [0.1, 0.7]])
    >>> detections(boxes, scores)[:, 4:].tolist()
    [[0.9, 0.0], [0.7, 1.0], [0.1, 0.0]]

    Args:
        boxes: (boxes, 4): two opposite corners.
        scores: (boxes, classes); or (boxes,) of a single one.
        least_score: those of lower scores are none.
        overlap: the intersection over union with a better box of the class, above which one is left out.
        most: detections that are returned.

    Returns:
        (detections, 6), the highest scores first: box, score, class.
    """
    boxes, scores = np.asarray(boxes), np.asarray(scores)
    if scores.ndim == 1:
        scores = scores[:, np.newaxis]
    found = [np.zeros((0, 6), np.float64)]
    for number, column in enumerate(scores.T):
        chosen = non_max_suppression(
            boxes, column, least_score=least_score, overlap=overlap, most=most
        )
        kinds = np.full(len(chosen), number)
        found.append(np.column_stack([boxes[chosen], column[chosen], kinds]))
    rows = np.concatenate(found)
    return rows[np.argsort(-rows[:, 4], kind="stable")][:most]


def non_max_suppression(
    boxes: Array,
    scores: Array,
    *,
    least_score: float = -np.inf,
    overlap: float = 0.5,
    most: int = 100,
) -> Array:
    """Choose boxes by falling scores, and none that overlaps one that is chosen: their indices.

    As ``tf.image.non_max_suppression`` chooses: of equal scores the first box; scores above
    ``least_score`` alone; corners in any order.

    >>> boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], float)
    >>> non_max_suppression(boxes, np.array([0.8, 0.9, 0.7])).tolist()
    [1, 2]
    """
    boxes, scores = np.asarray(boxes, np.float64), np.asarray(scores)
    waiting = np.flatnonzero(scores > least_score)
    waiting = waiting[np.argsort(-scores[waiting], kind="stable")]
    chosen: list[int] = []
    while len(waiting) and len(chosen) < most:
        best, waiting = waiting[0], waiting[1:]
        chosen.append(int(best))
        waiting = waiting[_overlaps(boxes[best], boxes[waiting]) <= overlap]
    return np.array(chosen, np.int64)


def _overlaps(box: Array, others: Array) -> Array:
    """The intersection over union of a box with each of the others; 0 where one has no area."""
    low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    lows, highs = np.minimum(others[:, :2], others[:, 2:]), np.maximum(others[:, :2], others[:, 2:])
    common = np.clip(np.minimum(high, highs) - np.maximum(low, lows), 0, None).prod(axis=1)
    area, areas = (high - low).prod(), (highs - lows).prod(axis=1)
    union = area + areas - common
    overlaps: Array = np.divide(
        common, union, out=np.zeros(len(others)), where=(area > 0) & (areas > 0)
    )
    return overlaps
