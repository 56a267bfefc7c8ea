"""What a person sees of an output: the samples that changed most, confusions, the errors."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from edgekit.accuracy.tasks import Labels, find_tasks
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.diagnosis.changed_samples import OutputDifferences, find_differences

Array = npt.NDArray[Any]

COUNT = 75  # more than two of the batches in which outputs are read
NAMES = ("cat", "dog", "owl")


def stored(folder: Path, outputs: Array) -> StoredArrays:
    store = ArrayWriter(folder)
    store.add({"y": outputs})
    return store.close()


def evidence(
    before: Array, after: Array, labels: Labels, folder: Path, *, worst: int = 5,
    names: tuple[str, ...] = NAMES,
) -> OutputDifferences:  # fmt: skip
    original, candidate = stored(folder / "o", before), stored(folder / "f", after)
    (task,) = find_tasks(original, labels).values()
    numbers = [100 + row for row in range(len(before))]
    return find_differences(
        "y",
        task=task,
        original=original,
        candidate=candidate,
        labels=labels,
        numbers=numbers,
        class_names=names,
        worst=worst,
    )


def classes(seed: int = 0) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, COUNT)
    logits = 2 * np.eye(3)[labels] + random.normal(size=(COUNT, 3))
    return softmax(logits, -1), softmax(logits + random.normal(0, 0.7, logits.shape), -1), labels


def test_confusions_are_scikit_learns(tmp_path: Path) -> None:
    before, after, labels = classes()
    found = evidence(before, after, labels, tmp_path)

    assert found.class_names == NAMES
    assert np.array_equal(found.original_confusion, confusion_matrix(labels, before.argmax(-1)))
    assert np.array_equal(found.candidate_confusion, confusion_matrix(labels, after.argmax(-1)))


def test_without_labels_confusions_are_of_the_originals_answers(tmp_path: Path) -> None:
    before, after, _ = classes()
    found = evidence(before, after, None, tmp_path)

    answered = before.argmax(-1)
    assert np.array_equal(found.original_confusion, np.diag(np.bincount(answered)))
    assert np.array_equal(found.candidate_confusion, confusion_matrix(answered, after.argmax(-1)))


def test_pixels_that_a_mask_calls_any_are_in_no_confusion(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    masks = random.integers(0, 3, (COUNT, 4, 4))
    before = softmax(2 * np.eye(3)[masks] + random.normal(size=(COUNT, 4, 4, 3)), -1)
    masks[:, 0, 0], masks[:, 1, 1] = 255, -1
    found = evidence(before, before, masks, tmp_path)

    kept = (masks >= 0) & (masks < 3)
    expected = confusion_matrix(masks[kept], before.argmax(-1)[kept])
    assert np.array_equal(found.original_confusion, expected)
    assert np.array_equal(found.candidate_confusion, expected)


def test_the_samples_that_changed_are_first_then_the_largest_errors(tmp_path: Path) -> None:
    before, after, labels = classes()
    found = evidence(before, after, labels, tmp_path, worst=COUNT)

    changed = before.argmax(-1) != after.argmax(-1)
    errors = np.abs(after - before).max(axis=1)
    assert 0 < changed.sum() < COUNT
    assert found.changed == changed.sum()
    expected = sorted(range(COUNT), key=lambda row: (not changed[row], -errors[row]))
    assert [w.row for w in found.worst] == expected
    for w in found.worst:
        assert w.number == 100 + w.row
        assert (w.changed, w.error) == (changed[w.row], pytest.approx(errors[w.row]))
        assert w.label == NAMES[labels[w.row]]
        top = before[w.row].argmax()
        assert w.original == f"{NAMES[top]} {before[w.row, top]:.3g}"
        assert w.candidate == f"{NAMES[after[w.row].argmax()]} {after[w.row].max():.3g}"


@pytest.mark.parametrize("worst", [0, 1, 4, 1000])
def test_no_more_samples_are_kept_than_asked_for(worst: int, tmp_path: Path) -> None:
    before, after, labels = classes()
    found = evidence(before, after, labels, tmp_path, worst=worst)

    assert len(found.worst) == min(worst, COUNT)


def test_classes_without_names_are_numbers(tmp_path: Path) -> None:
    before, after, labels = classes()
    found = evidence(before, after, labels, tmp_path, names=("cat",))

    assert found.class_names == ("cat", "1", "2")


def test_of_yes_or_no_both_are_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, COUNT)
    before, after = np.clip(0.5 + (labels - 0.5) * random.uniform(-0.5, 1, (2, COUNT)), 0, 1)
    found = evidence(
        before[:, np.newaxis], after[:, np.newaxis], labels, tmp_path, names=("no", "yes")
    )

    assert np.array_equal(found.candidate_confusion, confusion_matrix(labels, after > 0.5))
    assert found.worst[0].label in ("no", "yes")
    assert found.worst[0].original.split()[0] in ("no", "yes")


@pytest.mark.parametrize("labelled", [True, False])
def test_of_plain_values_the_errors_and_the_first_values_are_told(
    labelled: bool, tmp_path: Path
) -> None:
    random = np.random.default_rng(3)
    labels = random.normal(size=(COUNT, 6))
    before = labels + random.normal(0, 0.3, labels.shape)
    after = before + random.normal(0, 0.1, labels.shape)
    found = evidence(before, after, labels if labelled else None, tmp_path)

    errors = np.abs(after - before).max(axis=1)
    first = found.worst[0]
    assert first.row == errors.argmax()
    assert not first.changed
    assert first.candidate == ", ".join(f"{v:.4g}" for v in after[first.row, :4]) + ", ..."
    assert bool(first.label) == labelled
    assert (
        found.class_names,
        found.original_confusion,
        found.candidate_confusion,
        found.changed,
    ) == ((), (), (), 0)


def test_the_histogram_counts_every_error_once_and_none_stands_in_the_middle(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(4)
    before = random.normal(size=(COUNT, 5))
    after = before + random.normal(0, 0.1, before.shape)
    after[:20] = before[:20]
    found = evidence(before, after, None, tmp_path)

    errors = (after - before).ravel()
    assert sum(found.error_counts) == errors.size
    assert list(found.error_counts) == np.histogram(errors, found.error_edges)[0].tolist()
    assert found.error_edges[0] == -found.error_edges[-1] == -np.abs(errors).max()
    middle = len(found.error_counts) // 2
    assert found.error_edges[middle] < 0 < found.error_edges[middle + 1]
    assert found.error_counts[middle] >= 100


def test_of_equal_outputs_there_is_nothing_to_see(tmp_path: Path) -> None:
    before, _, labels = classes()
    found = evidence(before, before, labels, tmp_path)

    assert found.changed == 0
    assert all(w.error == 0 and not w.changed for w in found.worst)
    assert max(found.error_counts) == sum(found.error_counts) == before.size


@pytest.mark.parametrize("kind", ["classes", "values"])
@pytest.mark.parametrize("flaw", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_the_worst_of_all(
    kind: str, flaw: float, tmp_path: Path
) -> None:
    """In whatever row of a batch they stand."""
    random = np.random.default_rng(5)
    before, after, labels = classes()
    if kind == "values":
        before, labels = random.normal(size=(COUNT, 5)), None  # type: ignore[assignment]
        after = before + random.normal(0, 1, before.shape)
    for row in (0, 5, 17, 31, 40, COUNT - 1):
        broken = after.copy()
        broken[row] = flaw
        found = evidence(before, broken, labels, tmp_path / f"{row}", worst=3)
        assert row in [w.row for w in found.worst], row
        (worst,) = (w for w in found.worst if w.row == row)
        assert worst.error == float("inf")
        assert np.isfinite(found.error_edges).all()


def test_one_infinite_answer_does_not_hide_the_other_errors(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    before = random.normal(size=(COUNT, 5))
    after = before + random.normal(0, 0.1, before.shape)
    after[3, 2] = np.inf
    found = evidence(before, after, None, tmp_path)

    assert found.error_edges[-1] < 1
    assert sum(found.error_counts) in (before.size, before.size - 1)


def test_a_table_of_very_many_classes_is_left_out(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    before = softmax(random.normal(size=(COUNT, 60)), -1)
    after = softmax(random.normal(size=(COUNT, 60)), -1)
    found = evidence(before, after, random.integers(0, 60, COUNT), tmp_path)

    assert (found.class_names, found.original_confusion) == ((), ())
    assert found.changed == (before.argmax(-1) != after.argmax(-1)).sum()


def test_a_mask_is_told_by_the_shares_of_its_classes(tmp_path: Path) -> None:
    masks = np.zeros((4, 2, 2), np.int64)
    masks[0, 0] = 2  # half of it is owls
    before = softmax(9.0 * np.eye(3)[masks], -1)
    after = before.copy()
    after[0, 0, 0] = after[0, 1, 0]  # one owl is a cat
    found = evidence(before, after, masks, tmp_path, worst=1)

    (worst,) = found.worst
    assert (worst.row, worst.changed) == (0, True)
    assert {*worst.original.split(", ")} == {"cat 50%", "owl 50%"}
    assert worst.candidate == "cat 75%, owl 25%"
