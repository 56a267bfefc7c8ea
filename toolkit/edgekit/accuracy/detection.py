"""Detections: boxes with scores and classes, matched to the true boxes, and mAP as COCO defines it.

A detection is a row (box, score, class), a true box a row (box, class). A box is two opposite corners, four
numbers; in which order does not matter, if labels and model have the same. Rows with a score of 0 or less,
and true rows with a negative class, are padding.

Source: T.-Y. Lin et al. (2014), and the code of its evaluation, `pycocotools.cocoeval`: ten thresholds of
the intersection over union, 0.50 to 0.95; at most 100 detections of a class and image; precision
at 101 recalls, interpolated; the mean over the classes that have a true box.
"""

from functools import partial
from itertools import starmap

import numpy as np

from edgekit.accuracy.draws import OfDraws
from edgekit.data.samples import Array

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Of the intersection over union, at which a detection counts as right."""

CONFIDENT = 0.5
"""A score, from which on a detection without labels counts."""

_RECALLS = np.linspace(0, 1, 101)
_MOST = 100  # detections of a class in an image
_AT_ONCE = 4_000_000  # numbers in an array


def matches(truth: Array, detections: Array) -> Array:
    """Match each image's detections with its true boxes of the same class, the highest scores first.

    Returns:
        (images, 1 + 3 * detections + true boxes): how many detections there is room for; their scores,
        their classes (-1 for none), and at which thresholds they are right, a bit each; the true classes.
    """
    return np.stack([_matched(*image) for image in zip(truth, detections, strict=True)])


def same_boxes(original: Array, detections: Array) -> Array:
    """Count the detections that original and file share, twice, and those of both.

    Of scores from 0.5 on; the same class, and at least half in common. An image without any in both counts
    as one that they share.
    """
    images = starmap(_shared, zip(original, detections, strict=True))
    pairs = [(2 * shared, both) if both else (1, 1) for shared, _, both in images]
    return np.array(pairs, np.float64)


def in_common(original: Array, detections: Array) -> Array:
    """How much of the detections of both is in common, of those that ``same_boxes`` counts.

    Returns:
        (images, 2): by the intersections over unions of those that they share, and by their number. Both are
        1 where all are equal, and where there are none.
    """
    images = starmap(_shared, zip(original, detections, strict=True))
    parts = [(2 * overlap / n, 2 * shared / n) if n else (1, 1) for shared, overlap, n in images]
    return np.array(parts, np.float64)


def intersections_over_unions(first: Array, second: Array) -> Array:
    """Of each box with each: (n, 4) and (m, 4) to (n, m)."""
    (a_low, a_high), (b_low, b_high) = _corners(first), _corners(second)
    sides = np.minimum(a_high[:, np.newaxis], b_high) - np.maximum(a_low[:, np.newaxis], b_low)
    common = np.clip(sides, 0, None).prod(axis=-1)
    areas = (a_high - a_low).prod(axis=-1)[:, np.newaxis] + (b_high - b_low).prod(axis=-1)
    union = areas - common
    overlap: Array = np.divide(common, union, out=np.zeros(union.shape), where=union > 0)
    return overlap


def _by_class(thresholds: tuple[int, ...], statistics: Array, weights: Array) -> Array:
    """Average precision of each class that has a true box, the mean over thresholds."""
    room = int(statistics[0, 0])
    scores, classes, right = (
        statistics[:, 1 + part * room : 1 + (part + 1) * room] for part in range(3)
    )
    true = statistics[:, 1 + 3 * room :]
    if np.isnan(scores).any():
        return np.full((1, len(weights)), np.nan)
    highest = int(max(true.max(initial=-1), classes.max(initial=-1)))
    values = np.full((highest + 1, len(weights)), np.nan)
    for number in range(highest + 1):
        positives = weights @ (true == number).sum(axis=1)
        if not (true == number).any():
            continue
        image, place = np.nonzero(classes == number)
        order = np.argsort(-scores[image, place], kind="stable")
        image, bits = image[order], right[image, place][order].astype(np.int64)
        step = max(1, _AT_ONCE // max(len(image), 1))
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            taken = weights[part][:, image]
            found = [
                _area(taken, (bits >> at) & 1, positives[part, np.newaxis]) for at in thresholds
            ]
            values[number, part] = np.mean(found, axis=0)
    return values


map_by_class: OfDraws = partial(_by_class, tuple(range(len(THRESHOLDS))))
map50_by_class: OfDraws = partial(_by_class, (0,))


def _area(taken: Array, right: Array, positives: Array) -> Array:
    """The mean precision at 101 recalls, of detections by falling score: (draws, detections) to (draws,)."""
    if not taken.shape[1]:
        return np.zeros(len(taken))
    hits = np.cumsum(taken * right, axis=1)
    precision = hits / (np.cumsum(taken, axis=1) + np.spacing(1))
    best_from_here = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(all="ignore"):
        reached = np.searchsorted(_RECALLS, hits / positives, side="right")
    steps = np.diff(reached, axis=1, prepend=0)
    area: Array = (steps * best_from_here).sum(axis=1) / len(_RECALLS)
    area[positives[:, 0] <= 0] = np.nan
    return area


def _matched(true: Array, detections: Array) -> Array:
    boxes, scores = detections[:, :4], detections[:, 4]
    known = (scores > 0) & np.isfinite(detections[:, 5])
    classes = np.where(known, np.rint(np.where(known, detections[:, 5], 0)), -1)
    true_classes = np.where(np.isnan(true[:, 4]), -1, true[:, 4])
    bits = np.zeros(len(scores), np.int64)
    for number in np.unique(classes[classes >= 0]):
        places = np.flatnonzero(classes == number)
        places = places[np.argsort(-scores[places], kind="stable")]
        classes[places[_MOST:]] = -1
        places = places[:_MOST]
        overlaps = intersections_over_unions(boxes[places], true[true_classes == number, :4])
        right = _assigned(overlaps, THRESHOLDS) > 0
        bits[places] = (right.T.astype(np.int64) << np.arange(len(THRESHOLDS))).sum(axis=1)
    return np.concatenate([[len(scores)], scores, classes, bits, true_classes])


def _assigned(overlaps: Array, thresholds: Array) -> Array:
    """What each detection, in turn, has in common with the box that it takes: the best that is still free.

    (detections, true boxes) to (thresholds, detections); 0 where it takes none.
    """
    taken = np.zeros((len(thresholds), len(overlaps)))
    if not overlaps.shape[1]:
        return taken
    free = np.repeat(overlaps[np.newaxis], len(thresholds), axis=0)
    each = np.arange(len(thresholds))
    for row in range(len(overlaps)):
        # Of equal ones the last, as in COCO's code.
        best = free.shape[2] - 1 - np.argmax(free[:, row, ::-1], axis=1)
        takes = free[each, row, best] >= np.minimum(thresholds, 1 - 1e-10)
        taken[takes, row] = free[each, row, best][takes]
        free[each[takes], :, best[takes]] = -1
    return taken


def _shared(original: Array, detections: Array) -> tuple[int, float, int]:
    """How many detections both share, how much these have in common, and how many there are of both."""
    first, second = (rows[rows[:, 4] >= CONFIDENT] for rows in (original, detections))
    first = first[np.argsort(-first[:, 4], kind="stable")]
    overlaps = intersections_over_unions(first[:, :4], second[:, :4])
    overlaps[first[:, 5, np.newaxis] != second[:, 5]] = 0
    (taken,) = _assigned(overlaps, THRESHOLDS[:1])
    return int((taken > 0).sum()), float(taken.sum()), len(first) + len(second)


def _corners(boxes: Array) -> tuple[Array, Array]:
    """The low and the high corner, (boxes, 2) each."""
    pairs = boxes.reshape(-1, 2, 2)
    return pairs.min(axis=1), pairs.max(axis=1)
