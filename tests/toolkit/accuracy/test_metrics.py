"""Every metric against another's implementation of it: scikit-learn's, SciPy's, or its formula."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax
from scipy.stats import entropy
from sklearn import metrics as reference

from edgekit.accuracy.limits import Limits
from edgekit.accuracy.metrics import METRICS, find_metric
from edgekit.accuracy.results import MetricValue, compare
from edgekit.accuracy.tasks import Task, find_tasks, scores, truth
from edgekit.data.samples import DataError
from edgekit.data.store import ArrayWriter, StoredArrays

Array = npt.NDArray[Any]

COUNT = 75  # of samples: more than two of the batches in which outputs are read


def stored(folder: Path, **outputs: Array) -> StoredArrays:
    store = ArrayWriter(folder)
    store.add(outputs)
    return store.close()


def measure(
    metric: str, labels: Array | None, before: Array, after: Array, folder: Path
) -> MetricValue:
    """A metric as ``compare`` takes it of an original's outputs and a file's."""
    original, candidate = stored(folder / "original", y=before), stored(folder / "file", y=after)
    tasks = find_tasks(original, labels)
    (score,) = compare(original, candidate, tasks, labels, Limits(), metrics=(metric,))
    found = score.metric(metric)
    assert found is not None
    return found


def worth(metric: str, labels: Array, outputs: Array) -> float:
    """A metric against labels of outputs alone, without its interval, which takes long."""
    found = find_metric(metric)
    wide = outputs.ndim > 1 and outputs.shape[-1] > 1
    task: Task = "values" if metric in VALUES else "classes" if wide else "binary"
    true = truth(labels, outputs, task)
    assert true is not None
    if task == "values":
        return found.value(found.rows(true, outputs.astype(float).reshape(len(outputs), -1)))
    return found.value(found.rows(true, scores(outputs, task)))


def guesses(classes: int, labels: Array, random: np.random.Generator) -> Array:
    """Probabilities that are right more often than not."""
    return softmax(
        random.normal(size=(*labels.shape, classes)) + 2 * np.eye(classes)[labels], axis=-1
    )


def outcomes(score: Any, **options: Any) -> Callable[[Array, Array], float]:
    return lambda labels, given: score(labels, given.argmax(-1), zero_division=0, **options)


MACRO: dict[str, Callable[[Array, Array], float]] = {
    "top1": lambda labels, given: reference.accuracy_score(labels, given.argmax(-1)),
    "top3": lambda labels, given: reference.top_k_accuracy_score(
        labels, given, k=3, labels=range(given.shape[-1])
    ),
    "top5": lambda labels, given: reference.top_k_accuracy_score(
        labels, given, k=5, labels=range(given.shape[-1])
    ),
    "precision": outcomes(reference.precision_score, average="macro"),
    "recall": outcomes(reference.recall_score, average="macro"),
    "f1": outcomes(reference.f1_score, average="macro"),
    "mean_iou": outcomes(reference.jaccard_score, average="macro"),
    "roc_auc": lambda labels, given: reference.roc_auc_score(labels, given, multi_class="ovr"),
}
BINARY: dict[str, Callable[[Array, Array], float]] = {
    "top1": lambda labels, yes: reference.accuracy_score(labels, yes > 0.5),
    "precision": lambda labels, yes: reference.precision_score(labels, yes > 0.5),
    "recall": lambda labels, yes: reference.recall_score(labels, yes > 0.5),
    "f1": lambda labels, yes: reference.f1_score(labels, yes > 0.5),
    "roc_auc": lambda labels, yes: reference.roc_auc_score(labels, yes),
    "mean_iou": lambda labels, yes: reference.jaccard_score(labels, yes > 0.5, average="macro"),
}
VALUES: dict[str, Callable[[Array, Array], float]] = {
    "mse": reference.mean_squared_error,
    "mae": reference.mean_absolute_error,
    "rmse": lambda labels, values: reference.mean_squared_error(labels, values) ** 0.5,
    "r2": reference.r2_score,
}


@pytest.mark.parametrize("metric", MACRO)
def test_of_several_classes_it_is_scikit_learns(metric: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    classes = 3 if metric == "roc_auc" else 7
    labels = random.integers(0, classes, COUNT)
    before, after = (guesses(classes, labels, random).astype(np.float32) for _ in "12")

    found = measure(metric, labels, before, after, tmp_path)

    assert found.value == pytest.approx(MACRO[metric](labels, after), abs=1e-6)
    assert found.original == pytest.approx(MACRO[metric](labels, before), abs=1e-6)
    assert found.drop == pytest.approx(found.original - found.value)


@pytest.mark.parametrize("metric", ["top1", "top3", "precision", "recall", "f1", "mean_iou"])
def test_classes_that_nobody_saw_or_said_do_not_count(metric: str) -> None:
    random = np.random.default_rng(2)
    labels = random.choice([0, 2, 3], COUNT)  # of six; 4 and 5 are neither true nor answered
    outputs = guesses(6, labels, random)
    outputs[:, 4:] = 0

    assert set(outputs.argmax(-1)) == {0, 1, 2, 3}
    assert worth(metric, labels, outputs) == pytest.approx(MACRO[metric](labels, outputs))


def test_roc_auc_is_over_the_classes_that_occur() -> None:
    """As F1 is: of a class without a sample, nothing is known, and of the others all is."""
    random = np.random.default_rng(2)
    labels = random.choice([0, 2, 3], COUNT)
    outputs = guesses(4, labels, random)
    each = [reference.roc_auc_score(labels == c, outputs[:, c]) for c in (0, 2, 3)]

    assert worth("roc_auc", labels, outputs) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("metric", BINARY)
@pytest.mark.parametrize("shape", [(COUNT, 1), (COUNT,)])
def test_of_yes_or_no_it_is_scikit_learns(metric: str, shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, COUNT)
    yes = np.clip(0.3 + 0.4 * labels + random.normal(0, 0.3, COUNT), 0, 1)

    assert worth(metric, labels, yes.reshape(shape)) == pytest.approx(BINARY[metric](labels, yes))


@pytest.mark.parametrize("metric", ["top1", "precision", "recall", "f1", "roc_auc", "mean_iou"])
def test_two_classes_are_yes_or_no_by_another_name(metric: str) -> None:
    """Class 1 is what precision, recall and F1 speak of."""
    random = np.random.default_rng(4)
    labels = random.integers(0, 2, COUNT)
    yes = np.clip(0.3 + 0.4 * labels + random.normal(0, 0.3, COUNT), 0, 1)
    outputs = np.stack([1 - yes, yes], axis=1)

    assert worth(metric, labels, outputs) == pytest.approx(BINARY[metric](labels, yes))


@pytest.mark.parametrize("metric", MACRO)
def test_one_hot_labels_say_the_same(metric: str) -> None:
    random = np.random.default_rng(5)
    labels = random.integers(0, 6, COUNT)
    outputs = guesses(6, labels, random)

    assert worth(metric, np.eye(6)[labels], outputs) == pytest.approx(
        MACRO[metric](labels, outputs)
    )


@pytest.mark.parametrize("metric", VALUES)
@pytest.mark.parametrize("columns", [1, 4])
def test_of_plain_values_it_is_scikit_learns(metric: str, columns: int, tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    labels = random.normal([[3.0, -7.0, 100.0, 0.1][:columns]], size=(COUNT, columns))
    before, after = (
        (labels + random.normal(0, 0.3, labels.shape)).astype(np.float32) for _ in "12"
    )

    found = measure(metric, labels, before, after, tmp_path)

    assert found.value == pytest.approx(VALUES[metric](labels, after))
    assert found.original == pytest.approx(VALUES[metric](labels, before))
    worse = found.original - found.value if metric == "r2" else found.value - found.original
    assert found.drop == pytest.approx(worse)


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        (np.uint8, 1.0),  # 200 squared is no uint8
        (np.int32, 1000.0),  # 200,000 squared is no int32
        (np.float16, 10.0),  # 2,000 squared is no float16
        (np.float32, 1000.0),  # and 200,000 squared, less its mean's square, is imprecise
    ],
)
@pytest.mark.parametrize("metric", VALUES)
def test_labels_may_be_of_any_type(metric: str, kind: Any, scale: float) -> None:
    random = np.random.default_rng(7)
    labels = ((200 + random.normal(0, 5, (COUNT, 1))) * scale).astype(kind)
    values = labels.astype(np.float64) + random.normal(0, 2 * scale, labels.shape)

    expected = VALUES[metric](labels.astype(np.float64), values)
    assert worth(metric, labels, values) == pytest.approx(expected, rel=1e-5)


def test_a_column_of_labels_that_never_changes_has_no_r2() -> None:
    """There is no variance to explain: scikit-learn says 0 or 1, which would pull the mean."""
    random = np.random.default_rng(8)
    labels = np.column_stack([random.normal(size=COUNT), np.full(COUNT, 5.0)])
    values = labels + random.normal(0, 0.1, labels.shape)
    r2 = METRICS["r2"]

    assert r2.value(r2.rows(labels, values)) == pytest.approx(
        reference.r2_score(labels[:, 0], values[:, 0])
    )


@pytest.mark.parametrize("any_", [255, -1])
@pytest.mark.parametrize("metric", ["mean_iou", "top1", "f1", "precision", "recall"])
def test_pixels_that_a_mask_calls_any_do_not_count(metric: str, any_: int) -> None:
    random = np.random.default_rng(9)
    masks = random.integers(0, 4, (COUNT, 5, 6))
    outputs = guesses(4, masks, random)
    masks[random.random(masks.shape) < 0.2] = any_

    kept = masks != any_
    assert worth(metric, masks, outputs) == pytest.approx(MACRO[metric](masks[kept], outputs[kept]))


@pytest.mark.parametrize("shape", [(COUNT, 5, 6), (COUNT, 5, 6, 1)])
def test_masks_of_yes_or_no_are_two_classes(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(10)
    masks = random.integers(0, 2, (COUNT, 5, 6))
    yes = np.clip(0.3 + 0.4 * masks + random.normal(0, 0.3, masks.shape), 0, 1)[..., np.newaxis]

    expected = reference.jaccard_score(masks.ravel(), yes.ravel() > 0.5, average="macro")
    assert worth("mean_iou", masks.reshape(shape), yes) == pytest.approx(expected)


@pytest.mark.parametrize("classes", [3, 10])
def test_of_equal_scores_the_first_class_wins_as_argmax_has_it(classes: int) -> None:
    """The outputs of int8 files are multiples of 1/256, and often equal."""
    random = np.random.default_rng(11)
    labels = random.integers(0, classes, COUNT)
    outputs = np.full((COUNT, classes), 1 / classes)
    some = guesses(classes, labels, random)
    for row in range(0, COUNT, 2):  # the two best are equal
        best, second = np.argsort(some[row])[::-1][:2]
        some[row, best] = some[row, second] = (some[row, best] + some[row, second]) / 2
    for tied in (outputs, some):
        ranked = np.argsort(-tied, axis=-1, kind="stable")
        assert (ranked[:, 0] == tied.argmax(-1)).all()
        for most in (1, 2):
            right = (ranked[:, :most] == labels[:, np.newaxis]).any(axis=1)
            assert worth(f"top{most}", labels, tied) == right.mean()


def test_more_places_than_classes_are_always_right() -> None:
    scores = np.random.default_rng(12).random((COUNT, 1, 3))
    top5 = METRICS["top5"]

    assert top5.value(top5.rows(np.ones((COUNT, 1), np.int64), scores)) == 1


@pytest.mark.parametrize("label", [-1, 5, 255])
@pytest.mark.parametrize("metric", ["top1", "top3", "precision", "recall", "f1"])
@pytest.mark.parametrize("classes", [2, 5])
def test_a_label_that_is_no_class_is_never_right(metric: str, label: int, classes: int) -> None:
    """What is said of such a sample is wrong; the mean is over the classes that the model has."""
    random = np.random.default_rng(13)
    labels = random.integers(0, classes, COUNT)
    outputs = guesses(classes, labels, random)
    labels[::10] = label

    if metric.startswith("top"):
        ranked = np.argsort(-outputs, axis=-1)[:, : int(metric[3:])]
        expected = (ranked == labels[:, np.newaxis]).any(axis=1).mean()
    else:
        score = getattr(reference, f"{metric}_score")
        known = {"average": None, "labels": range(classes), "zero_division": 0}
        each = score(labels, outputs.argmax(-1), **known)
        expected = each[1] if classes == 2 else each.mean()
    assert worth(metric, labels, outputs) == pytest.approx(expected)


def test_agreement_is_the_share_of_equal_answers(tmp_path: Path) -> None:
    random = np.random.default_rng(15)
    labels = random.integers(0, 4, COUNT)
    before, after = guesses(4, labels, random), guesses(4, labels, random)

    found = measure("agreement", None, before, after, tmp_path)

    assert 0 < found.value < 1
    assert found.value == np.mean(before.argmax(-1) == after.argmax(-1))
    assert (found.original, found.drop) == (None, None)


def test_cosine_is_the_mean_over_samples(tmp_path: Path) -> None:
    random = np.random.default_rng(16)
    before = random.normal(size=(COUNT, 24)).astype(np.float32)
    after = before + random.normal(0, 0.5, before.shape).astype(np.float32)

    found = measure("cosine", None, before, after, tmp_path)

    each = reference.pairwise.cosine_similarity(before, after).diagonal()
    assert found.value == pytest.approx(each.mean(), rel=1e-6)


def test_vectors_of_zeros_are_alike_and_unlike_any_other() -> None:
    before = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    after = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])

    assert METRICS["cosine"].rows(before, after).ravel().tolist() == [1, 0, 0]


@pytest.mark.parametrize("logits", [False, True])
def test_kl_is_scipys_entropy_of_one_relative_to_the_other(logits: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(17)
    before = random.normal(0, 2, (COUNT, 5))
    after = before + random.normal(0, 0.4, before.shape)
    p, q = softmax(before, axis=-1), softmax(after, axis=-1)
    labels = before.argmax(-1)  # they tell that logits are classes

    found = measure("kl", labels, *((before, after) if logits else (p, q)), tmp_path)

    assert found.value == pytest.approx(entropy(p, q, axis=-1).mean(), rel=1e-6)


def test_kl_of_yes_or_no_is_that_of_two_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(18)
    labels = random.integers(0, 2, COUNT)
    before, after = random.uniform(0.05, 0.95, (2, COUNT, 1))
    p, q = (np.hstack([1 - x, x]) for x in (before, after))

    found = measure("kl", labels, before, after, tmp_path)

    assert found.value == pytest.approx(entropy(p, q, axis=-1).mean())


def test_kl_is_finite_where_int8_has_rounded_to_nothing() -> None:
    p, q = np.array([[[0.999, 0.001]]]), np.array([[[1.0, 0.0]]])
    kl = METRICS["kl"]

    assert 0 < kl.value(kl.rows(p, q)) < 0.01


def test_sqnr_and_the_largest_error_are_their_formulas(tmp_path: Path) -> None:
    random = np.random.default_rng(19)
    before = random.normal(size=(COUNT, 3, 4))
    after = before + random.normal(0, 0.1, before.shape)
    noise = after - before

    found = measure("sqnr", None, before, after, tmp_path / "1")
    assert found.value == pytest.approx(10 * np.log10((before**2).sum() / (noise**2).sum()))
    assert found.interval is not None and found.interval[0] < found.value < found.interval[1]

    found = measure("max_error", None, before, after, tmp_path / "2")
    assert found.value == pytest.approx(np.abs(noise).max())
    assert found.interval == (found.value, found.value), "another draw says nothing of a maximum"


@pytest.mark.parametrize(
    ("before", "after", "decibel"),
    [([1.0, 2], [1, 2], np.inf), ([0.0, 0], [1, 2], -np.inf), ([0.0, 0], [0, 0], np.inf),
     ([1.0, 2], [np.nan, 2], -np.inf), ([1.0, 2], [np.inf, 2], -np.inf),
     ([3.0, 4], [3.5, 4], 20.0)],
)  # fmt: skip
def test_sqnr_at_its_ends(before: list[float], after: list[float], decibel: float) -> None:
    sqnr = METRICS["sqnr"]

    assert sqnr.value(sqnr.rows(np.array([before]), np.array([after]))) == decibel


@pytest.mark.parametrize("metric", METRICS)
def test_a_file_that_answers_nan_is_never_worth_as_much_as_its_original(metric: str) -> None:
    random = np.random.default_rng(20)
    found = METRICS[metric]
    labels = random.integers(0, 3, (COUNT, 1))
    scores = guesses(3, labels, random)
    first = labels if found.against == "labels" else scores
    if found.tasks == ("values",):
        first = scores = random.normal(size=(COUNT, 2))
    elif found.given == "numbers":
        first = scores = scores.reshape(COUNT, -1)

    good = found.value(found.rows(first, scores))
    with np.errstate(invalid="ignore"):
        bad = found.value(found.rows(first, np.full_like(scores, np.nan)))

    assert np.isnan(bad) or (bad < good if found.higher_is_better else bad > good)


# Functions of the user's own.

OWN = '''
import numpy as np

def near(labels, outputs):
    """Shares need no more than labels and answers."""
    return np.mean(np.abs(outputs.argmax(-1) - labels) <= 1)

def confidence(labels, outputs):
    """The score of the true class: labels are indices."""
    return outputs[np.arange(len(labels)), labels].mean()

def cost(labels, outputs):
    return float((outputs.argmax(-1) != labels).sum())

cost.lower_is_better = True

def boxes(labels, outputs):
    """Labels of another shape than the outputs'."""
    return float(np.abs(labels[:, 0, :2] - outputs[:, :2]).mean())

def raising(labels, outputs):
    raise ZeroDivisionError("in my own code")

def texts(labels, outputs):
    return "much"
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that one works in, with a module in it."""
    (tmp_path / "my_metrics.py").write_text(OWN)
    (tmp_path / "my_broken.py").write_text("import numpy as np\n\ndef f(:\n")
    (tmp_path / "my_raising.py").write_text("raise RuntimeError('on import')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("my_metrics", "my_broken", "my_raising"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("near", lambda labels, scores: np.mean(np.abs(scores.argmax(-1) - labels) <= 1)),
        ("confidence", lambda labels, scores: scores[np.arange(COUNT), labels].mean()),
        ("cost", lambda labels, scores: float((scores.argmax(-1) != labels).sum())),
    ],
)
def test_a_function_of_ones_own_is_given_labels_and_outputs_as_they_are(
    name: str, expected: Any, own: Path
) -> None:
    random = np.random.default_rng(21)
    labels = random.integers(0, 5, COUNT)
    before, after = (guesses(5, labels, random) for _ in range(2))

    found = measure(f"my_metrics:{name}", labels, before, after, own)

    assert found.value == pytest.approx(expected(labels, after))
    assert found.original == pytest.approx(expected(labels, before))
    sign = -1 if name == "cost" else 1
    assert found.drop == pytest.approx(sign * (found.original - found.value))
    assert found.interval is not None and found.interval[0] <= found.drop <= found.interval[1]


def test_a_function_of_ones_own_may_take_labels_of_any_shape(own: Path) -> None:
    random = np.random.default_rng(22)
    labels, outputs = random.normal(size=(COUNT, 3, 4)), random.normal(size=(COUNT, 6))

    found = measure("my_metrics:boxes", labels, outputs, outputs, own)

    assert found.value == pytest.approx(np.abs(labels[:, 0, :2] - outputs[:, :2]).mean())


@pytest.mark.parametrize("name", ["raising", "texts"])
def test_an_error_in_it_is_told_with_its_name(name: str, own: Path) -> None:
    labels = np.arange(COUNT) % 3
    scores = guesses(3, labels, np.random.default_rng(23))

    with pytest.raises(DataError, match=f"my_metrics:{name}: (Zero|Value|Type)") as caught:
        measure(f"my_metrics:{name}", labels, scores, scores, own)
    if name == "raising":
        assert "in my own code" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my_metrics:nothing", "has no attribute 'nothing'"),
        ("my_nothing:f", "No module named 'my_nothing'"),
        ("my_broken:f", "invalid syntax"),
        ("my_raising:f", "on import"),
        (":f", ":f"),
        (".relative:f", ".relative:f"),
        ("my_metrics:np", "my_metrics:np"),  # no function
    ],
)
def test_a_function_that_is_not_there_is_told_with_its_name(
    name: str, words: str, own: Path
) -> None:
    with pytest.raises(DataError) as caught:
        find_metric(name)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [("f11", "f1"), ("roc-auc", "roc_auc"), ("accuracy", None), ("top0", "top1"), ("RMSE", None),
     ("meaniou", "mean_iou"), ("", None)],
)  # fmt: skip
def test_a_wrong_name_is_refused_with_the_nearest_and_all_there_are(
    name: str, near: str | None
) -> None:
    with pytest.raises(DataError) as caught:
        find_metric(name)

    said = str(caught.value)
    assert repr(name) in said
    assert all(known in said for known in METRICS)
    if near:
        assert "did you mean" in said
