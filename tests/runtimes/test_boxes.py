"""Non-maximum suppression in NumPy: as TensorFlow chooses, each class by itself."""

import numpy as np
import pytest

from edgekit_runtimes.processing.boxes import detections, non_max_suppression


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("overlap", "most", "least"), [(0.5, 100, 0.2), (0.3, 5, -1.0)])
def test_it_chooses_as_tensorflow_does(seed: int, overlap: float, most: int, least: float) -> None:
    """Boxes that overlap, some without area, some with their corners the other way round, equal scores."""
    import tensorflow as tf

    random = np.random.default_rng(seed)
    low = random.uniform(0, 50, (300, 2))
    boxes = np.concatenate([low, low + random.uniform(0, 25, (300, 2))], axis=1)
    boxes[::7] = boxes[::7, [2, 3, 0, 1]]
    boxes[::11, 2:] = boxes[::11, :2]
    boxes = boxes.astype(np.float32)
    scores = random.integers(0, 40, 300).astype(np.float32) / 40

    chosen = non_max_suppression(boxes, scores, overlap=overlap, most=most, least_score=least)

    wanted = tf.image.non_max_suppression(boxes, scores, most, overlap, least).numpy()
    assert 1 < len(wanted) <= most
    np.testing.assert_array_equal(chosen, wanted)


def test_each_class_is_chosen_by_itself() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 30, 40, 40]], np.float32)
    scores = np.array([[0.9, 0.1], [0.6, 0.8], [0.3, 0.01]], np.float32)

    rows = detections(boxes, scores)

    assert rows.shape == (3, 6)
    np.testing.assert_array_equal(rows[:, :4], boxes[[0, 1, 2]])
    np.testing.assert_allclose(rows[:, 4], [0.9, 0.8, 0.3])
    assert rows[:, 5].tolist() == [0, 1, 0]
    assert detections(boxes, scores, most=1)[:, 5].tolist() == [0]
    assert detections(boxes, scores[:, 0], least_score=0.5).shape == (1, 6)
    assert detections(boxes, scores, least_score=1).shape == (0, 6)


def test_no_boxes_give_no_detections() -> None:
    assert detections(np.zeros((0, 4)), np.zeros((0, 3))).shape == (0, 6)
