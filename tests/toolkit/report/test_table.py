"""The summary of a report: on a console of any width, in a notebook, and in one line a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.special import softmax

from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.results import OutputResult, compare
from edgekit.accuracy.tasks import find_tasks
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.diagnosis.error_sources import ErrorSources
from edgekit.diagnosis.layers import LayerResult
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report
from edgekit.report.table import render


def stored(folder: Path, outputs: np.ndarray) -> StoredArrays:
    store = ArrayWriter(folder)
    store.add({"digit": outputs})
    return store.close()


def result(lost: int, count: int, folder: Path, *, labelled: bool = True) -> OutputResult:
    """A classifier's output whose prediction changed on so many of the samples."""
    labels = np.arange(count) % 3
    before = softmax(5 * np.eye(3)[labels], axis=-1)
    after = before.copy()
    after[:lost] = np.roll(before[:lost], 1, axis=-1)
    original, candidate = (stored(folder / str(i), x) for i, x in enumerate((before, after)))
    given = labels if labelled else None
    tasks = find_tasks(original, given)
    return compare(original, candidate, tasks, given, read_limits("2%"))[0]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Float and int8 files of both formats; one fails, one is inconclusive."""
    losses = {"float32": (0, 600), "int8": (90, 600), "int16x8": (1, 60)}
    files = [
        FileResult(
            f"out/model_{precision}.tflite",
            100_000 if precision == "float32" else 29_300,
            (result(*losses[precision], tmp_path / precision),),
            "tflite",
            precision,
            latency_ms=0.0104,
            latency_ratio=1.0 if precision == "float32" else 0.5,
        )
        for precision in losses
    ]
    return Report("model.keras", 333_000, tuple(files), "calib.npz", 200, 600)


def drawn(report: Report, width: int, *, worst: int = 0) -> list[str]:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(render(report, worst=worst))
    return capture.get().splitlines()


def test_the_heading_says_what_was_run_on_what(report: Report) -> None:
    assert report.heading == (
        "model.keras: calibrated on 200 samples, evaluated on 600 others from calib.npz"
    )
    assert replace(report, calibrated_on=0).heading == (
        "model.keras: evaluated on 600 samples from calib.npz"
    )


def test_a_hundred_columns_show_everything_on_one_line_each(report: Report) -> None:
    lines = drawn(report, 100)
    titles, original, floats, int8, *_ = lines[2:]

    assert titles.split() == (
        [
            "file",
            "size",
            "vs",
            "float",
            "accuracy",
            "same",
            "top-1",
            "SQNR",
            "dB",
            "latency",
            "µs",
            "vs",
            "float",
            "result",
        ]
    )
    assert original.split() == ["original", "333.0", "KB", "100.0%"]
    assert floats.split() == (
        [
            "model_float32.tflite",
            "100.0",
            "KB",
            "1.00x",
            "100.0%",
            "100.0%",
            "equal",
            "10.4",
            "1.00x",
            "pass",
        ]
    )
    assert int8.split()[:5] == ["model_int8.tflite", "29.3", "KB", "0.29x", "85.0%"]
    assert int8.split()[-3:] == ["10.4", "0.50x", "fail"]
    assert max(map(len, lines)) <= 100


def test_a_narrow_console_leaves_out_ratios_and_keeps_names(report: Report) -> None:
    lines = drawn(report, 80)

    assert "vs float" not in lines[2]
    assert "latency" in lines[2]
    assert [line.split()[0] for line in lines[4:7]] == [
        "model_float32.tflite",
        "model_int8.tflite",
        "model_int16x8.tflite",
    ]
    assert [line.split()[-1] for line in lines[4:7]] == ["pass", "fail", "inconclusive"]


def test_long_names_are_folded_and_results_stay(report: Report) -> None:
    first = replace(report.files[0], name="out/" + "long" * 30 + ".tflite")
    lines = drawn(replace(report, files=(first, *report.files[1:])), 80)

    assert "".join(line.split()[0] for line in lines[4:7]).startswith("long" * 10)
    assert max(map(len, lines)) <= 80
    assert lines[4].rstrip().endswith("pass")


def test_names_lose_the_folders_that_all_share(report: Report) -> None:
    names = ("/a/b/good/x.tflite", "/a/b/bad/x.tflite", "/a/b/bad/y.tflite")
    files = tuple(replace(f, name=n) for f, n in zip(report.files, names, strict=True))

    assert [*replace(report, files=files).titles.values()] == [
        "good/x.tflite",
        "bad/x.tflite",
        "bad/y.tflite",
    ]
    mixed = (replace(files[0], name="x.tflite"), *files[1:])
    assert [*replace(report, files=mixed).titles.values()] == ["x.tflite", *names[1:]]


def test_slow_files_are_in_milliseconds(report: Report) -> None:
    slow = replace(report.files[0], latency_ms=123.45)
    lines = drawn(replace(report, files=(slow, *report.files[1:])), 100)

    assert "latency ms" in lines[2]
    assert "123.5" in lines[4] or "123.4" in lines[4]


def test_without_labels_the_predictions_are_compared(tmp_path: Path, report: Report) -> None:
    unlabelled = replace(
        report.files[1], results=(result(90, 600, tmp_path / "u", labelled=False),)
    )
    lines = drawn(replace(report, files=(unlabelled,)), 100)

    assert "accuracy" not in lines[2]
    assert "85.0%" in lines[4]


def test_reasons_are_said_once_failures_first(report: Report) -> None:
    again = replace(report.files[1], name="out/model_again.tflite")
    remarks = replace(report, files=(*report.files, again)).remarks()

    assert [remark.kind for remark in remarks] == ["fail", "inconclusive"]
    assert remarks[0].text.startswith("fail: model_int8.tflite, model_again.tflite: accuracy ")


def test_random_samples_give_no_result(report: Report) -> None:
    lines = drawn(replace(report, shippable=False), 100)

    assert [line.split()[-1] for line in lines[4:7]] == ["-"] * 3
    assert not any("fail" in line for line in lines)


def test_layers_have_two_ranges_and_a_cause(report: Report) -> None:
    cause = "range too narrow: representable 0..0.632, observed 0..2.28; 31.0% of the values are clipped"
    layer = LayerResult(
        "conv", "CONV_2D", 12.0, 0.97, (0, 2.28), (0, 0.632), clipped=0.31, cause=cause
    )
    sources = ErrorSources(conversion_db=139.5, quantization_db=46.2, runtime_db=None)
    broken = replace(report.files[1], layers=(layer,), error_sources=sources)
    text = "\n".join(drawn(replace(report, files=(broken,)), 140))

    assert "layers of model_int8.tflite that add the most noise" in text
    assert "0..2.28" in text
    assert "0..0.632" in text
    assert f"[1] conv: {cause}" in text
    assert "conversion" in text
    assert "46.2" in text


@pytest.mark.parametrize(("lost", "passed", "strict"), [(0, True, True), (90, False, False)])
def test_passed_is_false_of_a_failure(
    lost: int, passed: bool, strict: bool, report: Report, tmp_path: Path
) -> None:
    file = replace(report.files[0], results=(result(lost, 600, tmp_path / "again"),))
    one = replace(report, files=(file,))

    assert (one.passed(), one.passed(strict=True), bool(one)) == (passed, strict, passed)


def test_inconclusive_passes_unless_it_is_strict(report: Report) -> None:
    one = replace(report, files=(report.files[2],))

    assert one.verdict == "inconclusive"
    assert (one.passed(), one.passed(strict=True), bool(one)) == (True, False, True)


def test_a_notebook_shows_the_same_cells_escaped(report: Report) -> None:
    evil = replace(report.files[0], name="out/<script>.tflite")
    shown = replace(report, files=(evil, *report.files[1:]))
    html = shown._repr_html_()

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    for column in shown.columns():
        assert f">{column.title}</th>" in html
    assert ">85.0%</td>" in html
    assert "fail: model_int8.tflite: " in html


def test_printing_a_report_is_a_line_for_each_file(report: Report) -> None:
    assert str(report).splitlines()[0] == (
        "model.keras: fail, evaluated on 600 samples from calib.npz"
    )
    assert len(str(report).splitlines()) == 4
