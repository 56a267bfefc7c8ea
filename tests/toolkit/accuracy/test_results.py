"""An original and a file side by side: figures, verdicts, and reasons in words."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax
from scipy.stats import binomtest

from edgekit.accuracy.limits import Limits, read_limits
from edgekit.accuracy.results import OutputResult, compare
from edgekit.accuracy.statistics import Verdict, drop_interval, share_interval
from edgekit.accuracy.tasks import Labels, find_tasks
from edgekit.data.samples import DataError
from edgekit.data.store import ArrayWriter, StoredArrays

Array = npt.NDArray[Any]


def stored(folder: Path, outputs: dict[str, Array]) -> StoredArrays:
    store = ArrayWriter(folder)
    store.add(outputs)
    return store.close()


def scores(
    before: Array | dict[str, Array],
    after: Array | dict[str, Array],
    labels: Labels,
    folder: Path,
    limits: Limits | None = None,
    **options: Any,
) -> tuple[OutputResult, ...]:
    """What ``compare`` says of an original's outputs and a file's."""
    both = (x if isinstance(x, dict) else {"y": x} for x in (before, after))
    original, candidate = (
        stored(folder / str(number), outputs) for number, outputs in enumerate(both)
    )
    tasks = find_tasks(original, labels)
    return compare(original, candidate, tasks, labels, limits or Limits(), **options)


def classifier(
    lost: int, won: int, both: int, neither: int, classes: int = 4
) -> tuple[Array, Array, Array]:
    """Outputs of an original and a file, and labels: so many samples lost, won, right, wrong."""
    random = np.random.default_rng(0)
    before = np.repeat([True, False, True, False], [lost, won, both, neither])
    after = np.repeat([False, True, True, False], [lost, won, both, neither])
    order = random.permutation(len(before))
    labels = random.integers(0, classes, len(before))

    def outputs(right: Array) -> Array:
        said = np.where(right, labels, (labels + 1) % classes)
        return softmax(4 * np.eye(classes)[said] + random.random((len(said), classes)), axis=-1)

    return outputs(before[order]), outputs(after[order]), labels


def masks(count: int, noise: float, seed: int) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, (count, 6, 6))
    logits = 3 * np.eye(3)[truth] + random.normal(0, 1, (count, 6, 6, 3))
    return (
        softmax(logits, axis=-1),
        softmax(logits + random.normal(0, noise, logits.shape), axis=-1),
        truth,
    )


def regression(count: int, noise: float, columns: int = 1) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(1)
    labels = random.normal(50, 10, (count, columns))
    before = labels + random.normal(0, 2, labels.shape)
    return before, before + random.normal(0, noise, labels.shape), labels


# Each kind of task has its own metric, and all three verdicts.


@pytest.mark.parametrize(
    ("lost", "won", "count", "limit", "verdict"),
    [(5, 2, 1000, "1%", "pass"), (20, 5, 1000, "1%", "inconclusive"), (40, 5, 1000, "1%", "fail"),
     (20, 5, 1000, "3%", "pass"), (0, 0, 100, "1%", "inconclusive"), (0, 9, 100, "1%", "pass")],
)  # fmt: skip
def test_a_classifier_is_judged_by_the_answers_that_it_loses(
    lost: int, won: int, count: int, limit: str, verdict: Verdict, tmp_path: Path
) -> None:
    before, after, labels = classifier(lost, won, count - lost - won - 10, 10)
    (score,) = scores(before, after, labels, tmp_path, read_limits(limit))

    (judged,) = score.limit_results
    assert (score.verdict, judged.verdict, judged.limit.metric) == (verdict, verdict, "top1")
    assert judged.observed == pytest.approx((lost - won) / count)
    assert judged.interval == drop_interval(lost, won, count)
    assert score.metrics[0].metric == "top1"
    assert score.metrics[0].interval == judged.interval
    assert score.accuracy == pytest.approx((count - 10 - lost) / count)
    assert score.original_accuracy == pytest.approx((count - 10 - won) / count)
    assert score.agreement == pytest.approx(1 - (lost + won) / count)
    assert (score.task, score.samples) == ("classes", count)
    expected = binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert judged.p_value == pytest.approx(expected)
    assert bool(judged.needed) == (verdict == "inconclusive")
    assert bool(score.reason) == (verdict != "pass")


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.0, "inconclusive"), (0.3, "fail")]
)  # fmt: skip
def test_yes_or_no_is_judged_alike(shift: float, verdict: Verdict, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, 200)
    before = np.clip(0.2 + 0.6 * labels + random.normal(0, 0.15, 200), 0, 1)[:, np.newaxis]
    after = np.clip(before - shift, 0, 1)
    (score,) = scores(before, after, labels, tmp_path)

    assert (score.task, score.verdict) == ("binary", verdict)
    assert [m.metric for m in score.metrics[:3]] == ["top1", "roc_auc", "f1"]


@pytest.mark.parametrize(
    ("count", "noise", "verdict"), [(60, 0.05, "pass"), (60, 0.4, "inconclusive"), (60, 4, "fail")]
)
def test_masks_are_judged_by_mean_iou(
    count: int, noise: float, verdict: Verdict, tmp_path: Path
) -> None:
    before, after, labels = masks(count, noise, 3)
    (score,) = scores(before, after, labels, tmp_path)

    assert [m.metric for m in score.metrics[:2]] == ["mean_iou", "top1"]
    (judged,) = score.limit_results
    assert (judged.limit.metric, judged.verdict) == ("mean_iou", verdict), judged
    assert judged.interval[0] <= judged.observed <= judged.interval[1]


@pytest.mark.parametrize(("noise", "verdict"), [(0.1, "pass"), (0.9, "inconclusive"), (8, "fail")])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_regression_is_judged_by_r2(
    noise: float, verdict: Verdict, columns: int, tmp_path: Path
) -> None:
    before, after, labels = regression(120, noise, columns)
    (score,) = scores(before, after, labels, tmp_path)

    assert [m.metric for m in score.metrics] == ["r2", "rmse", "mae"]
    assert score.agreement is None
    (judged,) = score.limit_results
    assert (judged.limit.metric, judged.verdict) == ("r2", verdict), judged


@pytest.mark.parametrize(("noise", "verdict"), [(0.02, "pass"), (0.5, "fail")])
def test_an_embedding_without_labels_is_judged_by_its_sqnr(
    noise: float, verdict: Verdict, tmp_path: Path
) -> None:
    random = np.random.default_rng(4)
    before = random.normal(size=(50, 32))
    after = before + random.normal(0, noise, before.shape)
    (score,) = scores(before, after, None, tmp_path)

    assert score.verdict == verdict
    assert [m.metric for m in score.metrics] == ["sqnr", "cosine"]
    assert score.sqnr_db == pytest.approx(-20 * math.log10(noise), abs=0.5)
    if verdict == "fail":
        assert re.fullmatch(
            r"sqnr is \d\.\d dB, 95% interval \d\.\d dB to \d\.\d dB, limit at least 20\.0 dB",
            score.reason,
        )


def test_sqnr_near_its_limit_on_few_samples_is_not_proven(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    before = random.normal(size=(6, 3))
    after = before + random.normal(0, 0.095, before.shape)
    (score,) = scores(before, after, None, tmp_path)

    assert score.verdict == "inconclusive"
    assert [m.metric for m in score.metrics] == ["sqnr"], "three values are no embedding"


@pytest.mark.parametrize(
    ("changed", "count", "verdict"), [(0, 300, "pass"), (5, 300, "inconclusive"), (30, 300, "fail")]
)
def test_without_labels_answers_that_change_count(
    changed: int, count: int, verdict: Verdict, tmp_path: Path
) -> None:
    before, after, _ = classifier(changed, 0, count - changed, 0)
    (score,) = scores(before, after, None, tmp_path)

    assert (score.verdict, score.metrics[0].metric) == (verdict, "agreement")
    assert score.agreement == pytest.approx(1 - changed / count)
    if verdict == "fail":
        assert score.reason.startswith("answers changed: 10.0%, 95% interval ")
        assert "limit 2.0%" in score.reason


def test_a_share_of_changed_answers_is_never_below_none(tmp_path: Path) -> None:
    before, after, _ = classifier(0, 0, 60, 0)
    (score,) = scores(before, after, None, tmp_path)

    (judged,) = score.limit_results
    assert judged.verdict == "inconclusive"
    assert 0 <= judged.interval[0] <= judged.interval[1] <= 1
    assert "-" not in score.reason.partition("95% interval")[2].partition(",")[0]


def test_of_many_classes_the_five_best_are_of_interest(tmp_path: Path) -> None:
    before, after, labels = classifier(2, 2, 100, 0, classes=25)
    (score,) = scores(before, after, labels, tmp_path)

    assert [m.metric for m in score.metrics] == ["top1", "top5"]


@pytest.mark.parametrize("shape", ["(n,)", "(n, 1)", "one-hot"])
def test_logits_are_a_classifier_where_the_labels_say_so(shape: str, tmp_path: Path) -> None:
    """Keras' own data sets have labels of shape (n, 1)."""
    before, after, labels = classifier(2, 1, 60, 3)
    shaped = {"(n,)": labels, "(n, 1)": labels[:, np.newaxis], "one-hot": np.eye(4)[labels]}[shape]
    (score,) = scores(np.log(before), np.log(after), shaped, tmp_path)

    assert (score.task, score.metrics[0].metric) == ("classes", "top1")
    assert score.accuracy == pytest.approx(61 / 66)


@pytest.mark.parametrize("any_", [255, -1])
@pytest.mark.parametrize("kind", ["softmax", "logits", "sigmoid"])
def test_masks_may_hold_what_counts_for_nothing(kind: str, any_: int, tmp_path: Path) -> None:
    before, after, labels = masks(10, 1.0, 6)
    if kind == "logits":
        before, after = np.log(before), np.log(after)
    elif kind == "sigmoid":
        before, after, labels = before[..., :1], after[..., :1], (labels == 0).astype(np.int64)
    labels[:, 0] = any_
    (score,) = scores(before, after, labels, tmp_path)

    assert score.task == ("binary" if kind == "sigmoid" else "classes")
    assert score.metrics[0].metric == "mean_iou"
    cut_before, cut_after = before[:, 1:], after[:, 1:]
    (without,) = scores(cut_before, cut_after, labels[:, 1:], tmp_path / "cut")
    assert score.metrics[0].value == pytest.approx(without.metrics[0].value)


def test_labels_that_are_texts_are_refused_in_words(tmp_path: Path) -> None:
    before, after, labels = classifier(1, 1, 20, 0)
    with pytest.raises(DataError, match="numbers"):
        scores(before, after, labels.astype(str), tmp_path)


# Several outputs.


def two_outputs() -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    before, after, labels = classifier(30, 2, 260, 8)
    random = np.random.default_rng(7)
    embedding = random.normal(size=(300, 20))
    near = embedding + random.normal(0, 0.01, embedding.shape)
    return {"digit": before, "emb": embedding}, {"digit": after, "emb": near}, {"digit": labels}


def test_outputs_have_labels_and_verdicts_of_their_own(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    digit, emb = scores(before, after, labels, tmp_path)

    assert (digit.output, digit.task, digit.verdict) == ("digit", "classes", "fail")
    assert (emb.output, emb.task, emb.verdict) == ("emb", "values", "pass")
    assert digit.metrics[0].metric == "top1"
    assert emb.metrics[0].metric == "sqnr"


def test_labels_for_all_outputs_count_where_they_fit(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    digit, emb = scores(before, after, labels["digit"], tmp_path)

    assert digit.metrics[0].metric == "top1"
    assert (emb.task, emb.metrics[0].metric) == ("values", "sqnr")


def test_a_limit_may_be_of_one_output_alone(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    before["sign"], after["sign"] = before["digit"], after["digit"]
    labels["sign"] = labels["digit"]
    limits = read_limits(["f1@digit=50%", "top1@digit=50%"])
    digit, _, sign = scores(before, after, labels, tmp_path, limits)

    assert [j.limit.metric for j in digit.limit_results] == ["f1", "top1"]
    assert digit.verdict == "pass"
    assert [(j.limit.metric, j.limit.value) for j in sign.limit_results] == [("top1", 0.01)]
    assert sign.verdict == "fail"


@pytest.mark.parametrize("limit", ["top1@emb=1%", "f1@emb=1%", "rmse@digit=1"])
@pytest.mark.parametrize("metrics", [(), ("f1",)])
def test_a_limit_on_an_output_that_its_metric_does_not_fit_is_refused(
    limit: str, metrics: tuple[str, ...], tmp_path: Path
) -> None:
    """It is not enough that another output has that metric: the limit would be left out, silently."""
    before, after, labels = two_outputs()
    with pytest.raises(DataError, match=re.escape(limit.partition("@")[0])):
        scores(before, after, labels, tmp_path, read_limits(limit), metrics=metrics)


def test_a_limit_on_no_output_of_the_model_is_refused(tmp_path: Path) -> None:
    before, after, labels = two_outputs()
    with pytest.raises(DataError, match=r"no output 'digits' \(did you mean 'digit'"):
        scores(before, after, labels, tmp_path, read_limits("f1@digits=1%"))


@pytest.mark.parametrize(
    ("metric", "labelled", "words"),
    [
        ("f1", False, ["f1 needs labels", "`y`"]),
        ("rmse", True, ["rmse is for outputs that are values", "y (classes)"]),
        ("roc_auc", False, ["roc_auc needs labels"]),
    ],
)
@pytest.mark.parametrize("limited", [False, True])
def test_a_metric_that_fits_no_output_is_refused_with_the_reason(
    metric: str, labelled: bool, words: list[str], limited: bool, tmp_path: Path
) -> None:
    before, after, labels = classifier(1, 1, 50, 0)
    asked: dict[str, Any] = (
        {"limits": read_limits(f"{metric}=0.5")} if limited else {"metrics": (metric,)}
    )
    with pytest.raises(DataError) as caught:
        scores(before, after, labels if labelled else None, tmp_path, **asked)
    assert all(word in str(caught.value) for word in words), caught.value


def test_roc_auc_of_masks_is_refused_in_words(tmp_path: Path) -> None:
    before, after, labels = masks(10, 0.5, 8)
    with pytest.raises(DataError, match="roc_auc is for outputs with one answer a sample"):
        scores(before, after, labels, tmp_path, metrics=("roc_auc",))


def test_labels_of_another_shape_are_told_where_a_metric_needs_them(tmp_path: Path) -> None:
    before, after, labels = classifier(1, 1, 50, 0)
    with pytest.raises(DataError, match="labels' shape fits none of the outputs"):
        scores(before, after, np.stack([labels] * 3, axis=1), tmp_path, metrics=("f1",))


# Limits.


def test_a_drop_in_another_metric_stands_beside_the_tasks_own(tmp_path: Path) -> None:
    before, after, labels = classifier(10, 8, 300, 5)
    (score,) = scores(before, after, labels, tmp_path, read_limits(["2%", "f1=3%"]))

    assert [(j.limit.metric, j.limit.value) for j in score.limit_results] == [
        ("top1", 0.02),
        ("f1", 0.03),
    ]


def test_a_word_on_the_tasks_own_metric_replaces_the_default(tmp_path: Path) -> None:
    before, after, labels = classifier(10, 0, 300, 5)
    (score,) = scores(before, after, labels, tmp_path, read_limits("top1=8%"))

    assert [(j.limit.metric, j.limit.value, j.verdict) for j in score.limit_results] == [
        ("top1", 0.08, "pass")
    ]


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [("rmse=0.5", "pass"), ("rmse=10%rel", "pass"), ("rmse=0.01%rel", "inconclusive"),
     ("mae=1%", None), ("r2=20%rel", "pass")],
)  # fmt: skip
def test_of_a_metric_that_is_no_share_a_drop_is_in_its_unit_or_a_part(
    limit: str, verdict: Verdict | None, tmp_path: Path
) -> None:
    before, after, labels = regression(60, 0.3)
    if verdict is None:
        with pytest.raises(DataError, match="not a share of one"):
            read_limits(limit)
        return
    (score,) = scores(before, after, labels, tmp_path, read_limits([limit, "50%"]))
    judged = next(j for j in score.limit_results if str(j.limit).endswith(limit))

    assert judged.verdict == verdict, judged
    name = limit.partition("=")[0]
    measure = score.metric(name)
    assert measure is not None and measure.original is not None
    scale = measure.original if limit.endswith("rel") else 1
    assert judged.observed == pytest.approx(measure.drop / scale)
    if verdict != "pass":
        assert "% of the original's (" in judged.reason


def test_a_relative_drop_in_accuracy_is_a_part_of_the_originals(tmp_path: Path) -> None:
    before, after, labels = classifier(20, 0, 80, 100)  # 50% to 40%
    (score,) = scores(before, after, labels, tmp_path, read_limits("top1=15%rel"))

    (judged,) = score.limit_results
    assert judged.observed == pytest.approx(0.2)
    assert judged.interval == pytest.approx(tuple(2 * x for x in drop_interval(20, 0, 200)))
    assert score.reason.startswith(
        "top1 lost 20.0% of the original's (50.0% to 40.0%), 95% interval"
    )


@pytest.mark.parametrize(
    ("floors", "ceilings", "verdict", "words"),
    [
        ("top1=0.5", None, "pass", ""),
        ("top1=0.85", None, "inconclusive", "top1 is 88.6%, 95% interval 84.1% to 92.0%, limit at least 85.0%"),
        ("top1=99%", None, "fail", "top1 is 88.6%, 95% interval 84.1% to 92.0%, limit at least 99.0%"),
        ("agreement=0.9", None, "pass", ""),
        (None, "kl=10", "pass", ""),
        (None, "kl=1e-9", "fail", "kl is "),
        (None, "max_error=2", "pass", ""),
        (None, "max_error=0.1", "fail", ", limit at most 0.1"),
    ],
)  # fmt: skip
def test_a_floor_or_a_ceiling_is_for_the_files_own_value(
    floors: str | None, ceilings: str | None, verdict: Verdict, words: str, tmp_path: Path
) -> None:
    before, after, labels = classifier(5, 1, 225, 24)
    limits = read_limits("50%", floors, ceilings)
    (score,) = scores(before, after, labels, tmp_path, limits)

    own, judged = score.limit_results
    assert own.verdict == "pass"
    assert judged.verdict == verdict
    assert words in judged.reason, judged.reason
    if floors and floors.startswith("top1"):
        assert judged.interval == share_interval(226, 255)
        assert judged.p_value is None, "McNemar's test is of changes"


@pytest.mark.parametrize(("error", "verdict"), [(1e-6, "pass"), (0.1, "fail")])
def test_a_float_file_must_match_but_for_rounding(
    error: float, verdict: Verdict, tmp_path: Path
) -> None:
    random = np.random.default_rng(9)
    before, _, labels = classifier(0, 0, 100, 0)
    after = before + random.normal(0, error, before.shape)
    (score,) = scores(before, after, labels, tmp_path, is_float=True)

    assert [(j.limit.metric, j.limit.kind, j.limit.value) for j in score.limit_results] == [
        ("sqnr", "min", 60.0)
    ]
    assert score.verdict == verdict
    assert score.metrics[0].metric == "top1"


def test_a_float_file_has_to_meet_the_users_limits_too(tmp_path: Path) -> None:
    before, _, labels = classifier(0, 0, 100, 100)
    (score,) = scores(before, before, labels, tmp_path, read_limits(min="top1=0.9"), is_float=True)

    assert math.isinf(score.sqnr_db)
    assert score.verdict == "fail"
    assert "top1 is 50.0%" in score.reason


# What it says.


def test_a_reason_gives_figures_an_interval_a_limit_and_chance(tmp_path: Path) -> None:
    before, after, labels = classifier(40, 5, 945, 10)
    (score,) = scores(before, after, labels, tmp_path)

    assert score.reason == (
        "top1 lost 3.5 points (98.5% to 95.0%), 95% interval 2.17 to 4.82, limit 1 "
        "(McNemar p < 0.0001)"
    )


def test_a_reason_names_how_many_samples_would_tell(tmp_path: Path) -> None:
    before, after, labels = classifier(3, 1, 190, 6)
    (score,) = scores(before, after, labels, tmp_path, read_limits("3%"))

    found = re.fullmatch(
        r"top1 lost 1 points \(96\.5% to 95\.5%\), 95% interval -1\.38 to 3\.36, limit 3; "
        r"about ([\d,]+) samples would tell",
        score.reason,
    )
    assert found, score.reason
    (judged,) = score.limit_results
    assert judged.needed is not None and judged.needed > 200
    assert int(found[1].replace(",", "")) == pytest.approx(judged.needed, rel=0.02)  # "about"


def test_at_the_limit_no_number_of_samples_is_promised(tmp_path: Path) -> None:
    before, after, labels = classifier(2, 0, 195, 3)
    (score,) = scores(before, after, labels, tmp_path)

    assert score.verdict == "inconclusive"
    assert score.reason.endswith("; too near the limit for any number of samples to tell")


def test_what_fails_is_told_before_what_is_not_proven(tmp_path: Path) -> None:
    before, after, labels = classifier(8, 2, 180, 10)
    limits = read_limits("3%", min="f1=99.9%")
    (score,) = scores(before, after, labels, tmp_path, limits)

    assert [j.verdict for j in score.limit_results] == ["inconclusive", "fail"]
    first, second = score.reason.split("; ", 1)
    assert first.startswith("f1 is ") and second.startswith("top1 lost ")


def test_of_a_lower_is_better_metric_the_reason_says_that_it_rose(tmp_path: Path) -> None:
    before, after, labels = regression(60, 4)
    (score,) = scores(before, after, labels, tmp_path, read_limits(["rmse=0.5", "99%"]))

    judged = next(j for j in score.limit_results if j.limit.metric == "rmse")
    assert judged.verdict == "fail"
    assert re.fullmatch(
        r"rmse rose by [\d.]+ \([\d.]+ to [\d.]+\), 95% interval [\d.]+ to [\d.]+, limit 0\.5",
        judged.reason,
    )


# What is broken, and what is the same.


@pytest.mark.parametrize("flaw", [np.nan, np.inf])
@pytest.mark.parametrize("share", [0.01, 1.0])
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("is_float", [True, False])
def test_answers_that_are_no_numbers_fail(
    flaw: float, share: float, labelled: bool, is_float: bool, tmp_path: Path
) -> None:
    before, _, labels = classifier(0, 0, 400, 0)
    after = before.copy()
    after[: int(400 * share)] = flaw
    (score,) = scores(
        before, after, labels if labelled else None, tmp_path, Limits(max_drop=1), is_float=is_float
    )

    assert score.verdict == "fail"
    assert "NaN or infinite" in score.reason


@pytest.mark.parametrize("columns", [1, 20])
def test_numbers_that_are_none_fail_a_regression(columns: int, tmp_path: Path) -> None:
    before, after, labels = regression(60, 0.1, columns)
    after[7] = np.nan
    (score,) = scores(before, after, labels, tmp_path)

    assert score.verdict == "fail"
    assert "NaN or infinite" in score.reason


@pytest.mark.parametrize("kind", ["classes", "binary", "masks", "values", "logits"])
def test_a_file_that_answers_as_its_original_never_fails(kind: str, tmp_path: Path) -> None:
    if kind == "masks":
        before, _, labels = masks(40, 0.1, 10)
    elif kind == "values":
        before, _, labels = regression(40, 0.1)
    else:
        before, _, labels = classifier(0, 0, 350, 10, classes=2 if kind == "binary" else 4)
        before = {"binary": before[:, 1:], "logits": np.log(before)}.get(kind, before)
    for number, given in enumerate((labels, None)):
        (score,) = scores(before, before, given, tmp_path / str(number))
        assert score.verdict == "pass", score.reason
        assert (score.sqnr_db, score.max_error) == (math.inf, 0)
        assert all(m.drop in (None, 0) for m in score.metrics)


def test_whole_numbers_that_miss_by_one_are_errors_and_not_right_answers(tmp_path: Path) -> None:
    """Errors of 0 and 1 look like wrong and right: but fewer of them are better."""
    random = np.random.default_rng(11)
    labels = random.integers(0, 9, (200, 1)).astype(np.float64)
    before, after = labels + (random.random((2, 200, 1)) < [[[0.1]], [[0.4]]])
    limits = read_limits(["mae=0.1", "rmse=0.1", "99%"])
    (score,) = scores(before, after, labels, tmp_path, limits)

    for metric in ("mae", "rmse"):
        judged = next(j for j in score.limit_results if j.limit.metric == metric)
        assert judged.interval[0] < judged.observed < judged.interval[1], metric
        assert judged.observed == pytest.approx(0.3, abs=0.1)
        assert (judged.verdict, judged.p_value) == ("fail", None)


def test_the_last_batch_counts_like_the_others(tmp_path: Path) -> None:
    before, after, labels = classifier(0, 0, 65, 0)
    after[-1] = np.roll(before[-1], 1)
    (score,) = scores(before, after, labels, tmp_path)

    assert score.agreement == pytest.approx(64 / 65)
    assert score.samples == 65
