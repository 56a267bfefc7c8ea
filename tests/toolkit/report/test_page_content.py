"""What the page says and draws, as text: `make test-page` looks at it in a browser."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.outputs import regression
from support.recordings import MACHINE, judged, predicting

from edgekit.diagnosis.layers import LayerResult
from edgekit.report.html import write_page
from edgekit.report.layer_chart import layer_chart
from edgekit.report.overview_chart import overviews
from edgekit.report.page_content import reasons, sections
from edgekit.report.result import Report

LABELS = np.arange(600) % 3
WRONG = np.where(np.arange(600) < 90, (LABELS + 1) % 3, LABELS)
NAMES = ("cat", "dog", "owl")
CAUSE = "range too narrow: representable 0..0.632, observed 0..2.28"


def layer(name: str, sqnr: float, noise: float, cause: str = "") -> LayerResult:
    return LayerResult(name, "CONV_2D", sqnr, noise, (0, 2.28), (0, 0.632), 0.31, cause)


@pytest.fixture
def failing(tmp_path: Path) -> Report:
    """Two files that fail alike, with the same layer at fault, and one that passes."""
    right, wrong = predicting(LABELS, 3), predicting(WRONG, 3)
    layers = {"layers": (layer("conv", 12, 0.97, CAUSE), layer("dense", 40, 0.03))}
    return judged(
        tmp_path / "made",
        right,
        {"good.tflite": right, "bad.tflite": wrong, "worse.tflite": wrong},
        LABELS,
        files={"bad.tflite": layers, "worse.tflite": layers},
        label_names=NAMES,
    )


@pytest.fixture
def page(tmp_path: Path) -> Callable[[Report], str]:
    def page(report: Report) -> str:
        write_page(report, tmp_path / "page.html")
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return page


def text_of(html: str) -> str:
    body = html[html.index("<body>") :]
    body = re.sub(r"<title>.*?</title>|<svg.*?>|<text.*?</text>", " ", body, flags=re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def test_when_where_and_with_what_stands_at_the_top(
    failing: Report, page: Callable[[Report], str]
) -> None:
    html = page(failing)
    top = text_of(html[: html.index("<main")])

    for said in (
        "2026-05-04 12:30:00 UTC", "1234567890ab-dirty", "bench-7", "Linux 6.1", "Fast Chip 9000",
        "avx512_vnni", "1 for each call, of 4 usable", "python 3.11.9", "edgekit-toolkit 0.1.0",
    ):  # fmt: skip
        assert said in top
        assert text_of(html).count(said) == 1
    assert failing.to_dict()["environment"]["host"] == "bench-7"
    assert "Host" not in page(replace(failing, environment=replace(MACHINE, host="")))


def test_each_reason_and_each_cause_is_given_once(
    failing: Report, page: Callable[[Report], str]
) -> None:
    (problem,) = reasons(failing)
    told = text_of(page(failing))

    assert problem.titles == ("bad.tflite", "worse.tflite")
    assert told.count(problem.text) == 1
    assert told.count("McNemar") == 1
    assert told.count(CAUSE) == 1


def test_a_file_that_passes_has_its_causes_beside_its_layers(
    failing: Report, page: Callable[[Report], str]
) -> None:
    good = replace(failing.files[0], layers=failing.files[1].layers)
    told = text_of(page(replace(failing, files=(good,))))

    assert told.count(CAUSE) == 1
    assert "Why it fails" not in told
    passed_on = replace(good, layers=(*good.layers, replace(good.layers[0], name="reshape")))
    assert text_of(page(replace(failing, files=(passed_on,)))).count(CAUSE) == 1


def test_the_legend_names_every_sign_of_the_limits(
    failing: Report, page: Callable[[Report], str]
) -> None:
    html = page(failing)
    legend = text_of("<body>" + html[html.index('<ul class="legend">') :].partition("</ul>")[0])

    for sign in ("measured value", "fail", "inconclusive", "95% interval", "limit", "beyond"):
        assert sign in legend
    assert html.count('class="legend"') == 1


def test_every_class_has_its_recall_precision_and_f1(failing: Report) -> None:
    """As scikit-learn has them."""
    metrics = pytest.importorskip("sklearn.metrics")
    for file, predicted in zip(failing.files, (LABELS, WRONG, WRONG), strict=True):
        found = file.differences[0].per_class
        _, recall, f1, support = metrics.precision_recall_fscore_support(LABELS, predicted)

        assert [c.name for c in found] == list(NAMES)
        assert [c.labels for c in found] == support.tolist()
        assert [c.candidate_correct / c.labels for c in found] == pytest.approx(recall)
        assert [c.candidate_f1 for c in found] == pytest.approx(f1)
        assert {c.original_f1 for c in found} == {1.0}


def test_of_many_classes_those_that_changed_most_come_first(
    tmp_path: Path, page: Callable[[Report], str]
) -> None:
    labels = np.arange(600) % 60
    wrong = np.where(labels == 41, 7, labels)
    report = judged(
        tmp_path / "made", predicting(labels, 60), {"a.tflite": predicting(wrong, 60)}, labels
    )
    (section,) = sections(report)
    (output,) = section.outputs

    assert {c.name for c in output.classes[:2]} == {"41", "7"}
    assert (len(output.classes), len(output.more_classes)) == (20, 40)
    assert "The 20 that changed most, of 60." in text_of(page(report))


def test_without_labels_the_predictions_of_both_are_counted(
    tmp_path: Path, page: Callable[[Report], str]
) -> None:
    report = judged(tmp_path / "made", predicting(LABELS, 3), {"a.tflite": predicting(WRONG, 3)})
    (first, *_) = report.files[0].differences[0].per_class

    assert (first.labels, first.original_correct) == (200, 200)
    assert (first.candidate_predicted, first.candidate_correct) == (200, 170)
    assert "Predictions of each class" in text_of(page(report))


def test_several_labels_at_once_are_counted_label_by_label(
    tmp_path: Path, page: Callable[[Report], str]
) -> None:
    """As scikit-learn has it; beside them the metrics that need scores."""
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (400, 3))
    before, after = (np.clip(labels + random.normal(0, s, labels.shape), 0, 1) for s in (0.3, 0.6))
    report = judged(
        tmp_path / "made", before, {"a.tflite": after}, labels, label_names=("red", "round", "soft")
    )
    (section,) = sections(report)
    (output,) = section.outputs
    counts = [row.counts for row in output.classes if row.counts]

    assert [row.name for row in output.classes] == ["red", "round", "soft"]
    for found, predicted in (("original_f1", before > 0.5), ("candidate_f1", after > 0.5)):
        expected = metrics.f1_score(labels, predicted, average=None)
        assert [getattr(c, found) for c in counts] == pytest.approx(expected)
    assert "roc_auc" in output.class_metrics
    assert "f1" not in output.class_metrics, "which the counts have"
    assert "ROC AUC" in text_of(page(report))
    assert "same labels" in text_of(page(report))


def test_detections_have_the_average_precision_of_each_class(
    tmp_path: Path, page: Callable[[Report], str]
) -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(0, 70, (40, 3, 2))
    boxes = np.concatenate([corners, corners + 20], axis=-1)
    classes = random.integers(0, 2, (40, 3, 1)).astype(float)
    scores = random.uniform(0.3, 1, (40, 3, 1))
    before = np.concatenate([boxes, scores, classes], axis=-1).astype(np.float32)
    after = before + np.r_[8, 0, 8, 0, 0, 0].astype(np.float32) * (classes == 1)
    truth = np.concatenate([boxes, classes], axis=-1)
    report = judged(
        tmp_path / "made", before, {"a.tflite": after}, truth, task="detection",
        label_names=("cat", "dog"),
    )  # fmt: skip
    (section,) = sections(report)
    (output,) = section.outputs
    cat, dog = output.classes

    assert (cat.name, dog.name) == ("cat", "dog")
    assert cat.change == 0
    assert dog.change > 0.3
    told = text_of(page(report))
    assert "mAP" in told
    assert "predictions changed" not in told


@pytest.mark.parametrize(("columns", "plots"), [(1, 1), (3, 3), (40, 1)])
def test_numbers_are_plotted_against_the_originals_with_the_worst_of_them(
    columns: int, plots: int, tmp_path: Path, page: Callable[[Report], str]
) -> None:
    before, after, labels = regression(500, 1.0, columns)
    after[123, 0] = before[123, 0] + 60  # which a choice of every so many samples can miss
    report = judged(tmp_path / "made", before, {"a.tflite": after}, labels)
    pairs = report.files[0].differences[0].value_pairs

    assert len(pairs) == plots
    assert sum(len(p.original) for p in pairs) <= 400
    worst = max(
        (abs(b - a), b) for p in pairs for a, b in zip(p.original, p.candidate, strict=True)
    )
    assert worst[0] == pytest.approx(60, rel=1e-4)
    html = page(report)
    assert html.count('class="equal"') == plots
    assert html.count(' r="3"/>') == sum(len(p.original) for p in pairs)
    assert "Classes" not in text_of(html)


def test_values_that_are_no_numbers_are_left_out_of_the_plot(tmp_path: Path) -> None:
    before, after, labels = regression(60, 1.0)
    after[7] = np.nan
    report = judged(tmp_path / "made", before, {"a.tflite": after}, labels)
    (pairs,) = report.files[0].differences[0].value_pairs

    assert len(pairs.original) == 59
    assert np.isfinite(pairs.candidate).all()


def test_all_files_are_plotted_by_accuracy_against_latency_and_size(
    failing: Report, page: Callable[[Report], str]
) -> None:
    latency, size = overviews(failing.files)

    assert (latency.title, size.title) == ("accuracy against latency, µs", "accuracy against size")
    for plot in (latency, size):
        xs = [dot.x for dot in plot.dots]
        assert xs == sorted(xs)
        assert len(set(xs)) == 3
        good, *bad = plot.dots
        assert all(good.y < dot.y for dot in bad), "higher is better, and y grows downwards"
        assert plot.original == pytest.approx(good.y)
        assert all(0 <= value <= 100 for dot in plot.dots for value in (dot.x, dot.y))
    assert latency.dots[0].text == "250, 100.0%"
    assert [label.numbers for label in size.labels] == [(1,), (2,), (3,)]
    assert page(failing).count('<figure class="plot">') == 2


def test_a_range_of_latencies_as_wide_as_that_of_two_machines_has_a_logarithmic_scale(
    failing: Report,
) -> None:
    files = [
        replace(file, latency_ms=latency)
        for file, latency in zip(failing.files, (0.02, 0.2, 20.0), strict=True)
    ]
    plot = overviews(files)[0]
    first, second, third = (dot.x for dot in plot.dots)

    assert (third - second) / (second - first) == pytest.approx(2)
    assert len(plot.x_ticks) >= 3


def test_dots_at_one_place_share_their_number(failing: Report) -> None:
    same = [replace(failing.files[0], name=name) for name in ("a.tflite", "b.tflite", "c.tflite")]

    assert [label.numbers for label in overviews(same)[0].labels] == [(1, 2, 3)]


def test_one_file_alone_has_no_overview(failing: Report) -> None:
    assert overviews(failing.files[:1]) == ()


@pytest.mark.parametrize("outlier", [-80.0, 200.0, float("inf"), float("-inf"), float("nan")])
def test_one_outlier_does_not_flatten_the_other_layers(outlier: float) -> None:
    usual = [layer(f"layer {i}", 38 + i, 0.01) for i in range(8)]
    chart = layer_chart([*usual, layer("odd", outlier, 0.92)])

    assert min(bar.width for bar in chart.bars[:8]) > 50
    assert len({bar.width for bar in chart.bars[:8]}) == 8
    odd = chart.bars[8]
    assert (odd.off_left, odd.off_right) == (not outlier > 0, outlier > 0)
    assert min(bar.noise for bar in chart.bars[:8]) > 10
    assert odd.noise == 100
    assert odd.marked


def test_few_layers_are_all_drawn_with_their_names_and_of_many_the_worst(
    failing: Report, page: Callable[[Report], str]
) -> None:
    many = tuple(layer(f"layer-{i}", 40, i / 5000) for i in range(100))
    file = replace(failing.files[0], layers=many)
    chart = layer_chart(many)

    assert [bar.number for bar in chart.bars] == list(range(71, 101))
    told = text_of(page(replace(failing, files=(file,))))
    assert "Of the file's 100 layers the 30 that add most of the noise" in told
    assert told.count("layer-99 ") == 2, "beside its bar, and in the table"
    assert told.count("layer-3 ") == 1
    few = layer_chart(many[:40])
    assert [bar.layer.name for bar in few.bars] == [f"layer-{i}" for i in range(40)]


def test_the_same_report_is_the_same_page(failing: Report, page: Callable[[Report], Any]) -> None:
    assert page(failing) == page(failing)
