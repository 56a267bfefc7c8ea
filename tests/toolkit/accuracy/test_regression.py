"""Metrics of values, compared with scikit-learn's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference
from support.outputs import Array, measure, worth

from edgekit.accuracy.metrics import METRICS

COUNT = 75  # of samples: more than two of the batches in which outputs are read


VALUES: dict[str, Callable[[Array, Array], float]] = {
    "mse": reference.mean_squared_error,
    "mae": reference.mean_absolute_error,
    "rmse": lambda labels, values: reference.mean_squared_error(labels, values) ** 0.5,
    "r2": reference.r2_score,
}


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

    assert r2.value(r2.per_sample(labels, values)) == pytest.approx(
        reference.r2_score(labels[:, 0], values[:, 0])
    )
