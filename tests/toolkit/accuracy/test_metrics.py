"""The table of metrics: its names, and what an entry makes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.outputs import classifier, compared, guesses, regression
from support.simulated import boxes

from edgekit.accuracy import formatting
from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.metric import Metric
from edgekit.accuracy.metrics import METRICS, find_metric
from edgekit.accuracy.units import Unit
from edgekit.data.samples import DataError

COUNT = 75  # of samples: more than two of the batches in which outputs are read


@pytest.mark.parametrize("metric", METRICS)
def test_a_file_whose_outputs_are_nan_is_worse_than_its_original_by_every_metric(
    metric: str,
) -> None:
    random = np.random.default_rng(20)
    entry = METRICS[metric]
    labels = random.integers(0, 3, (COUNT, 1))
    scores = guesses(3, labels, random)
    first = labels if entry.against == "labels" else scores
    if entry.tasks == ("values",):
        first = scores = random.normal(size=(COUNT, 2))
    elif entry.tasks == ("detection",):
        first, scores, _ = boxes(random, COUNT)
        first = scores if entry.against == "original" else first
    elif entry.takes == "numbers":
        first = scores = scores.reshape(COUNT, -1)

    good = entry.value(entry.per_sample(first, scores))
    with np.errstate(invalid="ignore"):
        bad = entry.value(entry.per_sample(first, np.full_like(scores, np.nan)))

    assert np.isnan(bad) or (bad < good if entry.higher_is_better else bad > good)


@pytest.mark.parametrize(
    ("name", "near"),
    [("f11", "f1"), ("roc-auc", "roc_auc"), ("accuracy", None), ("top0", "top5"), ("RMSE", None),
     ("meaniou", "mean_iou"), ("", None)],
)  # fmt: skip
def test_a_wrong_name_is_refused_with_the_nearest_and_all_there_are(
    name: str, near: str | None
) -> None:
    with pytest.raises(DataError) as caught:
        find_metric(name)

    message = str(caught.value)
    assert repr(name) in message
    assert all(known in message for known in METRICS)
    if near:
        assert f"did you mean {near!r}" in message


def test_a_metric_is_added_by_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is compared, limited and written by its entry alone."""
    bias = Metric(
        "bias",
        lambda truth, values: (values - truth).mean(axis=1, keepdims=True),
        lambda statistics: abs(float(statistics.mean())),
        ("values",),
        higher_is_better=False,
        unit=Unit(" mm", " mm"),
    )
    monkeypatch.setitem(METRICS, "bias", bias)
    before, after, labels = regression(60, 0.0)
    limits = read_limits(["bias=0.5", "99%"], max="bias=0.25")

    (result,) = compared(before, after + 3, labels, tmp_path, limits, metrics="bias")

    value = result.metric("bias")
    assert value is not None and value.drop is not None and value.interval is not None
    assert value.value == pytest.approx(abs((after + 3 - labels).mean()))
    assert formatting.label("bias") == "bias"
    assert formatting.value(3.25, "bias") == "3.25 mm"
    drop, most = (r for r in result.limit_results if r.limit.metric == "bias")
    assert re.fullmatch(
        r"bias [\d.]+ mm -> [\d.]+ mm: rise [\d.]+ mm \(95% CI [\d.]+ to [\d.]+\), limit 0\.5 mm",
        drop.reason,
    ), drop.reason
    assert most.reason.endswith(" mm), limit at most 0.25 mm")


@pytest.mark.parametrize("metrics", ["f1,recall", "f1, recall", ["f1", "recall"], ("f1,recall",)])
def test_metrics_are_named_in_one_text_or_several(metrics: Any, tmp_path: Path) -> None:
    before, after, labels = classifier(2, 1, 60, 3)

    (result,) = compared(before, after, labels, tmp_path, metrics=metrics)

    assert [m.metric for m in result.metrics] == ["top1", "f1", "recall"]
