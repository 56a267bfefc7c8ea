"""A detector's samples: which boxes came or went, and where they are drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.accuracy.detection import in_common
from edgekit.data.store import ArrayWriter
from edgekit.diagnosis.changed_boxes import SampleBox
from edgekit.diagnosis.changed_samples import OutputDifferences, find_differences
from edgekit.report.box_chart import place_boxes

Array = npt.NDArray[Any]


def differences(
    folder: Path, before: Array, after: Array, output: str, truth: Array | None = None
) -> OutputDifferences:
    stores = []
    for name, outputs in (("before", before), ("after", after)):
        writer = ArrayWriter(folder / name)
        writer.add({output: outputs.astype(np.float32)})
        stores.append(writer.close())
    return find_differences(
        output, task="detection", original=stores[0], candidate=stores[1], labels=truth,
        numbers=range(10, 10 + len(before)), class_names=["cat", "dog"], worst=5,
    )  # fmt: skip


CAT, DOG = [0.1, 0.2, 0.3, 0.6, 0.9, 0], [0.5, 0.5, 0.9, 0.9, 0.8, 1]
UNSURE = [0, 0, 0.2, 0.2, 0.3, 1]


def test_samples_whose_boxes_come_or_go_come_first(tmp_path: Path) -> None:
    moved = [0.1, 0.2, 0.3, 0.5, 0.9, 0]  # three quarters in common
    before = np.array([[CAT, DOG], [CAT, UNSURE], [CAT, DOG], [UNSURE, UNSURE]])
    after = np.array([[DOG, CAT], [moved, UNSURE], [CAT, UNSURE], [UNSURE, UNSURE]])
    found = differences(tmp_path, before, after, "rows")

    assert found.changed == 1
    assert [(w.number, w.changed) for w in found.worst[:2]] == [(12, True), (11, False)]
    assert [round(w.error, 3) for w in found.worst] == [0.333, 0.25, 0, 0]
    first = found.worst[0]
    assert (first.original, first.candidate) == ("cat 0.9, dog 0.8", "cat 0.9")
    assert {w.original for w in found.worst if w.number == 13} == {"none"}


def test_boxes_of_another_class_are_not_in_common() -> None:
    other = [*CAT[:5], 1]

    assert in_common(np.array([[CAT], [UNSURE]]), np.array([[other], [UNSURE]])).tolist() == [
        [0, 0],
        [1, 1],
    ]


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_a_change_and_not_in_common(
    value: float, column: int, tmp_path: Path
) -> None:
    after = np.array([[CAT]])
    after[..., column] = value
    (sample,) = differences(tmp_path, np.array([[CAT]]), after, "rows").worst

    assert sample.changed and sample.error == (0 if column == 4 and value == np.inf else 1)
    assert len(sample.boxes) == (1 if np.isnan(after[0, 0, 4]) else 2)
    assert column != 5 or sample.candidate == f"{value} 0.9"


@pytest.mark.parametrize(
    ("output", "corners"),
    [("rows", (0.1, 0.2, 0.3, 0.6)), ("detections", (0.2, 0.1, 0.6, 0.3))],
)
def test_boxes_of_three_outputs_begin_with_the_top(
    output: str, corners: tuple[float, ...], tmp_path: Path
) -> None:
    truth = np.array([[[*DOG[:4], 1], [0, 0, 0, 0, -1]]])
    found = differences(tmp_path, np.array([[CAT]]), np.array([[UNSURE]]), output, truth)
    (sample,) = found.worst
    label, original = sample.boxes

    assert (label.whose, label.name, label.score) == ("label", "dog", None)
    assert (original.whose, original.name) == ("original", "cat")
    ends = (original.left, original.top, original.right, original.bottom)
    assert ends == pytest.approx(corners)
    assert sample.label == "dog"


@pytest.mark.parametrize("unit", [1, 100])
def test_boxes_are_placed_in_fractions_or_in_pixels(unit: float) -> None:
    box = SampleBox("original", 0.1 * unit, -0.1 * unit, 0.5 * unit, 0.5 * unit, "cat", 0.9)
    nowhere = SampleBox("original", 0, 0, float("nan"), 0.5, "cat", 0.9)
    (placed,) = place_boxes([box, nowhere], (100, 200) if unit > 1 else (7, 7))

    down = 50 if unit == 1 else 25
    assert (placed.x, placed.y, placed.width) == pytest.approx((10, 0, 40))
    assert placed.height == pytest.approx(down)
