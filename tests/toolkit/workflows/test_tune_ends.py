"""Searches that end early, crash or go on: the best so far ships, and the choice stays the same."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.bundle.folder import sha256
from edgekit.progress import silent
from edgekit.report.search import Search
from edgekit.workflows.tune.halt import Halt, Watch

METRIC = '''
import os, signal
from pathlib import Path
import numpy as np

def right(labels, outputs):
    """The accuracy; ends the process at the first file whose outputs are integers with a scale."""
    integers = bool(np.all(outputs * 256 == np.rint(outputs * 256)))
    mark = Path(os.environ["MARK"])
    if integers and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return float((outputs.argmax(axis=1) == labels).mean())
'''

TITLED = '''
import json, os, signal
from pathlib import Path

def right(labels, outputs):
    """The accuracy; ends the process at every candidate whose title begins so."""
    _, title = json.loads((Path(os.environ["TMPDIR"]).parent / "running").read_text())
    if title.startswith(os.environ["CRASHES"]):
        os.kill(os.getpid(), signal.SIGSEGV)
    return float((outputs.argmax(axis=1) == labels).mean())
'''


def searched(report: edgekit.Report) -> Search:
    assert report.search is not None
    return report.search


def command(digits: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    line = [sys.executable, "-m", "edgekit", "tune", str(digits / "cnn.keras"), "--verbose",
            "--data", str(digits / "calib.npz"), "-o", str(output), "--max-drop", "2%", "--to", "tflite", *more]  # fmt: skip
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A test run that was put into the background ignores interrupts, and so would its child.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    while words not in process.stderr.readline():
        assert process.poll() is None


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupt_ends_the_search_and_ships_the_best_so_far(
    number: signal.Signals, digits: Path, tmp_path: Path
) -> None:
    process = command(digits, tmp_path / "out", "--frontier")
    wait_for(process, "candidate 4/")
    process.send_signal(number)
    printed, _ = process.communicate(timeout=60)

    assert process.returncode == 0, printed
    assert f"The search ended early: interrupted ({number.name})." in printed
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["verdict"] == "pass"
    assert 2 <= len(report["search"]["tried"]) < 10
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for entry in manifest["files"]:
        assert sha256(tmp_path / "out" / entry["file"]) == entry["sha256"]


def test_a_second_interrupt_ends_at_once_and_leaves_what_was_there(
    digits: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "model_tuned.tflite").write_bytes(b"precious")
    process = command(digits, output)
    wait_for(process, "reading samples")
    process.send_signal(signal.SIGINT)
    wait_for(process, "once more ends at once")
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)

    assert process.returncode == 130, told
    assert time.monotonic() - start < 5
    assert [p.name for p in output.iterdir()] == ["model_tuned.tflite"]
    assert (output / "model_tuned.tflite").read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out"], "no scratch folder is left"


def test_when_its_time_is_over_int8_and_float32_are_judged_all_the_same(
    digits: Path, tmp_path: Path
) -> None:
    report = edgekit.tune(
        digits / "cnn.keras", digits / "calib.npz", tmp_path / "out", to="tflite", max_drop="2%", budget=0.01,
    )  # fmt: skip

    assert searched(report).stopped == "the time of 0.01 s was over"
    assert {t.title for t in searched(report).tried} == {"float32", "int8"}
    assert report.verdict == "pass"


def test_the_time_of_a_process_that_crashed_counts_toward_the_budget(tmp_path: Path) -> None:
    watch = Watch(silent, tmp_path / "stop", 60.0, spent=61.0)
    watch.arm()
    with pytest.raises(Halt, match="the time of 60 s was over"):
        watch.check()


def test_a_candidate_that_crashes_its_process_is_left_out_with_a_note(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing_metric.py").write_text(METRIC)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))

    report = edgekit.tune(
        digits / "cnn.keras",
        digits / "calib.npz",
        tmp_path / "out",
        to="tflite",
        max_drop={"crashing_metric:right": 0.05},
        min={"agreement": 0.9},
        prefer="size",
    )

    assert (tmp_path / "mark").exists()
    (note,) = (n for n in report.notes if "not tried further" in n)
    assert "TFLite, int8: " in note
    assert "native code crashed (SIGSEGV)" in note
    titles = [t.title for t in searched(report).tried]
    assert "int8" not in titles
    assert "dynamic" in titles
    assert (tmp_path / "out" / "model_tuned.tflite").exists()


@pytest.mark.parametrize(
    ("title", "options", "error", "told"),
    [
        ("float32", {}, edgekit.ModelError, r"TFLite, float32: .*native code crashed \(SIGSEGV\)"),
        pytest.param(
            "int8", {"integer_only": True}, edgekit.ConversionError,
            "TFLite: no integer file could be made: .*SIGSEGV", marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_a_crash_of_what_a_search_cannot_do_without_is_an_error_in_words(
    title: str, options: Any, error: type[Exception], told: str,
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "titled_metric.py").write_text(TITLED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CRASHES", title)

    with pytest.raises(error, match=told):
        edgekit.tune(
            digits / "cnn.keras",
            digits / "calib.npz",
            tmp_path / "out",
            to="tflite",
            max_drop={"titled_metric:right": 0.05},
            **options,
        )


def test_a_search_that_was_stopped_goes_on_to_the_same_choice_and_the_same_bytes(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", "on")

    def search(name: str, cache: str, **more: object) -> edgekit.Report:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
        return edgekit.tune(
            digits / "cnn.keras", digits / "calib.npz", tmp_path / name, to="tflite", max_drop="2%", prefer="size",
            **more,  # type: ignore[arg-type]
        )  # fmt: skip

    whole = search("whole", "one")
    stopped = search("stopped", "two", budget=0.01)
    resumed = search("resumed", "two")
    again = search("again", "two")

    assert searched(stopped).stopped
    assert not searched(resumed).stopped
    names = ["model_tuned.tflite", "recipe.json"]
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (
            tmp_path / "resumed" / name
        ).read_bytes()
    ratios = [{t.title: t.latency_ratio for t in searched(r).tried} for r in (resumed, again)]
    assert ratios[0] == pytest.approx(ratios[1]), "times come from the cache"
    first = {t.title: t.latency_ratio for t in searched(stopped).tried}
    assert first == pytest.approx({t: ratios[0][t] for t in first}), (
        "so do those of the search that was stopped"
    )
    assert len(list((tmp_path / "two/edgekit/outputs").glob("tune-*"))) > 10
    assert whole.verdict == again.verdict == "pass"


def test_convert_takes_tune_as_an_option(digits: Path, tmp_path: Path) -> None:
    base = [sys.executable, "-m", "edgekit", "convert", str(digits / "cnn.keras"), "--tune",
            "--data", str(digits / "calib.npz"), "-o", str(tmp_path / "out"), "--max-drop", "2%"]  # fmt: skip
    refused = subprocess.run([*base, "--precision", "int8"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "--tune finds the recipe by itself: leave out --precision." in refused.stderr
    without = [part for part in base if part not in ("--data", str(digits / "calib.npz"))]
    refused = subprocess.run(without, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "--data is missing" in refused.stderr

    done = subprocess.run(
        [*base, "--json", "--to", "tflite"], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["search"]["prefer"] == "speed"
    assert (tmp_path / "out" / "model_tuned.tflite").exists()
