"""Class indices, as ArgMax gives them: compared as indices, with and without labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference
from support.outputs import compared

COUNT, CLASSES = 200, 5


def indices(shape: tuple[int, ...], changed: float) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(1)
    labels = random.integers(0, CLASSES, shape)
    before = np.where(random.random(shape) < 0.9, labels, random.integers(0, CLASSES, shape))
    after = np.where(random.random(shape) < changed, (before + 1) % CLASSES, before)
    return labels, before, after


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(COUNT,), (COUNT, 1)])
def test_an_index_is_right_or_wrong(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    labels, before, after = indices(shape, 0.1)
    (result,) = compared(before.astype(kind), after.astype(kind), labels, tmp_path, metrics="f1")

    assert (result.task, result.accuracy) == ("index", (after == labels).mean())
    assert result.agreement == pytest.approx((before == after).mean())
    assert [m.metric for m in result.metrics] == ["top1", "mae", "f1"]
    assert [m.value for m in result.metrics[1:]] == pytest.approx(
        [
            np.abs(labels - after).mean(),
            reference.f1_score(labels.ravel(), after.ravel(), average="macro"),
        ]
    )


def test_without_labels_changed_indices_count_and_not_their_distance(tmp_path: Path) -> None:
    """One index in 500 is another: as numbers that would be an SQNR of 25 dB and less."""
    before = np.tile(np.arange(500), 2)
    after = before.copy()
    after[7] = 490
    (result,) = compared(before, after, None, tmp_path)
    (as_float32,) = compared(before, after, None, tmp_path / "float", is_float=True)

    assert (result.task, result.metrics[0].metric) == ("index", "agreement")
    assert result.agreement == pytest.approx(0.999)
    for found in (result, as_float32):
        assert [r.limit.metric for r in found.limit_results] == ["agreement"]
        assert found.verdict == "pass"


def test_a_sequence_of_indices_is_right_step_by_step_and_as_a_whole(tmp_path: Path) -> None:
    labels, before, after = indices((COUNT, 6), 0.02)
    labels[:, 5] = -1
    (result,) = compared(before, after, labels, tmp_path)

    assert [m.metric for m in result.metrics] == ["top1", "exact"]
    same = after[:, :5] == labels[:, :5]
    assert [m.value for m in result.metrics] == pytest.approx(
        [same.mean(), same.all(axis=1).mean()]
    )


def test_a_sequence_of_scores_is_too(tmp_path: Path) -> None:
    labels, *both = indices((COUNT, 6), 0.02)
    before, after = (np.log(0.9 * np.eye(CLASSES)[x] + 0.02) for x in both)
    labels[:, 4:] = 255
    (result,) = compared(before, after, labels, tmp_path)

    assert result.task == "sequence"
    same = after.argmax(-1)[:, :4] == labels[:, :4]
    assert [m.value for m in result.metrics] == pytest.approx(
        [same.mean(), same.all(axis=1).mean()]
    )


def test_counts_and_images_are_values(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    images = random.integers(0, 256, (20, 4, 4, 3), np.uint8)
    (result,) = compared(images, images, None, tmp_path / "images")
    assert result.task == "values"

    below_zero = random.integers(-9, 9, (20, 1))
    (result,) = compared(below_zero, below_zero, None, tmp_path / "counts")
    assert result.task == "values"
    (result,) = compared(abs(below_zero), abs(below_zero), None, tmp_path / "told", task="values")
    assert result.task == "values"
