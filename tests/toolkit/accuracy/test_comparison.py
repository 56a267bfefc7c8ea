"""Metrics that compare a file with the original, against SciPy's, scikit-learn's or their formulas."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy
from sklearn import metrics as reference
from support.outputs import guesses, measure

from edgekit.accuracy.metrics import METRICS

COUNT = 75  # of samples: more than two of the batches in which outputs are read


def test_agreement_is_the_fraction_of_equal_predictions(tmp_path: Path) -> None:
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

    assert METRICS["cosine"].per_sample(before, after).ravel().tolist() == [1, 0, 0]


@pytest.mark.parametrize("logits", [False, True])
def test_kl_is_scipys_entropy_of_one_relative_to_the_other(logits: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(17)
    before = random.normal(0, 2, (COUNT, 5))
    after = before + random.normal(0, 0.4, before.shape)
    p, q = softmax(before, axis=-1), softmax(after, axis=-1)
    labels = before.argmax(-1)  # they tell that logits are classes

    found = measure("kl", labels, *((before, after) if logits else (p, q)), tmp_path)

    assert found.value == pytest.approx(entropy(p, q, axis=-1).mean(), rel=1e-6)


def test_kl_of_one_probability_is_that_of_two_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(18)
    labels = random.integers(0, 2, COUNT)
    before, after = random.uniform(0.05, 0.95, (2, COUNT, 1))
    p, q = (np.hstack([1 - x, x]) for x in (before, after))

    found = measure("kl", labels, before, after, tmp_path)

    assert found.value == pytest.approx(entropy(p, q, axis=-1).mean())


def test_kl_is_finite_where_int8_has_rounded_to_nothing() -> None:
    p, q = np.array([[[0.999, 0.001]]]), np.array([[[1.0, 0.0]]])
    kl = METRICS["kl"]

    assert 0 < kl.value(kl.per_sample(p, q)) < 0.01


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

    assert sqnr.value(sqnr.per_sample(np.array([before]), np.array([after]))) == decibel
