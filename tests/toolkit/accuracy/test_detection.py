"""mAP against COCO's own evaluation, and by hand; a detector's outputs, found and joined."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from support.outputs import Array, stored
from support.simulated import boxes

from edgekit.accuracy.detection_outputs import (
    DetectionOutputs,
    find_detection_outputs,
    joined,
    joined_labels,
)
from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.metrics import METRICS
from edgekit.data.samples import DataError


def coco(truth: Array, detections: Array) -> Any:
    """COCO's evaluation of the same boxes."""
    images = [{"id": i + 1} for i in range(len(truth))]
    categories = [{"id": c} for c in range(10)]
    annotations: list[Any] = []
    results: list[Any] = []
    for image, rows in enumerate(truth, 1):
        for x1, y1, x2, y2, c in rows[rows[:, 4] >= 0].tolist():
            box = [x1, y1, x2 - x1, y2 - y1]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": int(c), "bbox": box,
                 "area": box[2] * box[3], "iscrowd": 0}
            )  # fmt: skip
    for image, rows in enumerate(detections, 1):
        for x1, y1, x2, y2, score, c in rows[rows[:, 4] > 0].tolist():
            box = [x1, y1, x2 - x1, y2 - y1]
            results.append({"image_id": image, "category_id": int(c), "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "info": {},
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        known.createIndex()
        run = COCOeval(known, known.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


def worth(metric: str, truth: Array, detections: Array) -> float:
    entry = METRICS[metric]
    return entry.value(entry.per_sample(truth, detections))


@pytest.mark.parametrize("seed", range(4))
def test_map_is_cocos(seed: int) -> None:
    """Images of a simulated detector, of which a part has large errors, equal scores, and no boxes."""
    random = np.random.default_rng(seed)
    truth, detections, _ = boxes(random, 60)
    detections[..., :4] += random.normal(0, 0.03, detections[..., :4].shape) * (seed > 0)
    if seed > 1:
        detections[..., 4] = np.round(detections[..., 4], 1)
        truth[::7, :, 4] = -1
        truth[:, 1, :4], truth[:, 1, 4] = truth[:, 0, :4], truth[:, 0, 4]
    if seed == 3:
        detections[..., 5] = random.integers(0, 6, detections.shape[:2])
        truth[truth[..., 4] == 2, 4] = 9
    expected = coco(truth, detections)

    assert worth("map", truth, detections) == pytest.approx(expected.stats[0], abs=1e-9)
    assert worth("map50", truth, detections) == pytest.approx(expected.stats[1], abs=1e-9)
    entry = METRICS["map"]
    statistics = entry.per_sample(truth, detections)
    each = Estimate("map", entry, statistics, statistics).by_class
    precision = expected.eval["precision"][:, :, :, 0, -1]
    for number, (value, _) in enumerate(each):
        theirs = precision[:, :, number]
        assert np.isnan(value) if (theirs == -1).all() else value == pytest.approx(theirs.mean())


def test_of_many_boxes_of_a_class_the_best_hundred_count() -> None:
    random = np.random.default_rng(5)
    low = random.uniform(0, 0.9, (4, 150, 2))
    truth = np.concatenate([low, low + 0.1, np.zeros((4, 150, 1))], axis=2)
    scores = random.random((4, 150, 1))
    detections = np.concatenate([truth[..., :4], scores, np.zeros((4, 150, 1))], axis=2)

    assert worth("map", truth, detections) == pytest.approx(coco(truth, detections).stats[0])
    assert worth("map", truth, detections) < 0.7


def test_map_by_hand() -> None:
    """Two true boxes; found in turn: right, wrong, right. Precision 1 up to a recall of 0.5, then 2/3."""
    truth = np.array([[[0, 0, 2, 2, 0], [4, 4, 6, 6, 0]]], float)
    detections = np.array(
        [[[0, 0, 2, 2, 0.9, 0], [8, 8, 9, 9, 0.8, 0], [4, 4, 6, 6, 0.7, 0], [0, 0, 1, 1, 0, 0]]]
    )

    assert worth("map50", truth, detections) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_a_box_counts_from_a_threshold_on() -> None:
    """A true box of 10 by 10 and a found one of 10 by 8: 0.8 in common, which is 7 of 10 thresholds."""
    truth = np.array([[[0, 0, 10, 10, 0]]], float)
    detections = np.array([[[0, 0, 10, 8, 0.9, 0]]])

    assert worth("map", truth, detections) == pytest.approx(0.7)
    assert worth("map50", truth, detections) == pytest.approx(1)


def test_a_draw_is_what_its_images_give() -> None:
    truth, before, _ = boxes(np.random.default_rng(6), 12)
    entry = METRICS["map"]
    statistics = entry.per_sample(truth, before)
    assert entry.of_draws is not None
    random = np.random.default_rng(7)
    drawn = random.integers(0, 12, (5, 12))
    weights = np.stack([np.bincount(row, minlength=12) for row in drawn])

    found = entry.of_draws(statistics, weights)

    assert found == pytest.approx([entry.value(statistics[np.sort(row)]) for row in drawn])


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2)])
def test_the_order_of_corners_does_not_matter(order: tuple[int, ...]) -> None:
    truth, before, _ = boxes(np.random.default_rng(8), 20)
    turned, found = truth.copy(), before.copy()
    turned[..., :4], found[..., :4] = truth[..., order], before[..., order]

    assert worth("map", turned, found) == pytest.approx(worth("map", truth, before))


def test_without_labels_boxes_are_compared_with_the_originals() -> None:
    _, before, _ = boxes(np.random.default_rng(9), 30)
    entry = METRICS["same_boxes"]
    after = before[:, ::-1].copy()  # in another order: the same boxes

    assert entry.value(entry.per_sample(before, after)) == 1
    after[0] = 0
    lost = (before[0, :, 4] >= 0.5).sum()
    kept = (before[..., 4] >= 0.5).sum() - lost
    assert entry.value(entry.per_sample(before, after)) == pytest.approx(
        2 * kept / (2 * kept + lost)
    )


# A detector's outputs.


@pytest.mark.parametrize(
    "names",
    [("boxes", "scores", "classes"), ("out:0", "out:2", "out:1"), ("a", "b", "c")],
)
@pytest.mark.parametrize("count", [False, True])
def test_outputs_are_found_and_joined(
    names: tuple[str, str, str], count: bool, tmp_path: Path
) -> None:
    truth, rows, _ = boxes(np.random.default_rng(10), 40)
    rows = rows.astype(np.float32)
    outputs = dict(zip(names, (rows[..., :4], rows[..., 4], rows[..., 5]), strict=True))
    if count:
        outputs["number"] = np.full((40, 1), 3, np.float32)
    original = stored(tmp_path / "original", {**outputs, "embedding": np.ones((40, 3))})

    parts = find_detection_outputs(original)

    assert parts == DetectionOutputs(*names, "number" if count else None)
    together = next(joined(original, parts).batches(40))
    assert list(together) == ["detections", "embedding"]
    kept = 3 if count else 8
    assert (together["detections"][:, :kept] == rows[:, :kept]).all()
    assert (together["detections"][:, kept:] == 0).all()
    given = joined_labels({names[0]: truth[..., :4], names[2]: truth[..., 4]}, parts)
    assert isinstance(given, dict) and (given["detections"] == truth).all()
    assert (joined_labels(truth, parts) == truth).all()  # type: ignore[operator]
    assert find_detection_outputs(original, "values") is None
    assert find_detection_outputs(original, "embedding=values") == parts


@pytest.mark.parametrize("task", ["detection", "found=detection"])
def test_detections_are_chosen_of_one_output_with_a_score_for_each_class(
    task: str, tmp_path: Path
) -> None:
    """Boxes and scores as YOLO and SSD give them: of two that overlap the better one stays."""
    first = [
        [0, 0, 10, 10, 0.9, 0.0, 0.02],
        [0, 1, 10, 10, 0.8, 0.0, 0.0],
        [20, 20, 9, 9, 0, 0.7, 0],
    ]
    found = np.stack([first, np.zeros((3, 7))])
    original = stored(tmp_path / "original", {"found": found})

    parts = find_detection_outputs(original, task)

    assert parts is not None and parts.in_one
    rows = next(joined(original, parts).batches(2))["found"]
    assert rows.shape == (2, 100, 6)
    wanted = [[0, 0, 10, 10, 0.9, 0], [20, 20, 9, 9, 0.7, 1], [0, 0, 10, 10, 0.02, 2]]
    np.testing.assert_allclose(rows[0, :3], wanted, rtol=1e-6)
    assert not rows[0, 3:].any() and not rows[1].any()
    truth = np.array([[[0, 0, 10, 10, 0]], [[0, 0, 0, 0, -1]]], np.float64)
    assert joined_labels(truth, parts) is truth
    assert find_detection_outputs(original) is None


def test_outputs_that_are_no_detections_are_refused_by_their_shapes(tmp_path: Path) -> None:
    original = stored(tmp_path / "outputs", {"pose": np.ones((5, 4)), "more": np.ones((5, 3))})

    assert find_detection_outputs(original) is None
    with pytest.raises(DataError, match=r"\(boxes, 4\).*pose \(4,\), more \(3,\)"):
        find_detection_outputs(original, "detection")
