"""``edgekit.tune``: what it searches, chooses, writes and says."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.once import once

import edgekit
from edgekit.bundle.folder import sha256
from edgekit.report.html import write_page
from edgekit.report.result import Report
from edgekit.report.search import Search, Tried

PARTS = (175, 350)
"""Of the 700 samples: so many calibrate, as many choose, so many judge."""


def searched(report: Report) -> Search:
    assert report.search is not None
    return report.search


def chosen(report: Report) -> dict[str, Tried]:
    return {t.format: t for t in searched(report).tried if t.outcome == "chosen"}


@pytest.fixture(scope="module")
def tuned(digits: Path, tmp_path_factory: pytest.TempPathFactory, forked_workers: object) -> Path:
    """The folder of a search in both formats, for what all tests of this file read of it."""

    def make(folder: Path) -> None:
        (folder / "out").mkdir()
        (folder / "out" / "model_tuned.onnx.data").write_bytes(b"weights of an earlier run")
        report = edgekit.tune(
            digits / "cnn.keras",
            digits / "calib.npz",
            folder / "out",
            to="tflite,onnx",
            max_drop="2%",
        )
        write_page(report, folder / "page.html")

    return once(tmp_path_factory, "tuned", make) / "out"


def test_the_folder_ships_one_file_a_format_with_its_manifest(tuned: Path, digits: Path) -> None:
    manifest = json.loads((tuned / "manifest.json").read_text())
    report = json.loads((tuned / "report.json").read_text())

    assert [f["file"] for f in manifest["files"]] == ["model_tuned.tflite", "model_tuned.onnx"]
    for entry in manifest["files"]:
        assert sha256(tuned / entry["file"]) == entry["sha256"]
        assert entry["verdict"] == "pass"
    assert report["calibrated_on"] == PARTS[0]
    assert report["evaluated_on"] == PARTS[1]
    assert report["search"]["chosen_on"] == PARTS[0]
    assert not (tuned / "model_tuned.onnx.data").exists(), "no file of the folder has it beside it"
    image = np.load(digits / "eval.npz")["image"][:1]
    with edgekit.open_model(tuned / "model_tuned.tflite") as session:
        assert session.run({"image": image})["digit"].shape == (1, 10)


def test_what_is_chosen_is_proven_and_costs_no_more_than_float32(tuned: Path) -> None:
    report = json.loads((tuned / "report.json").read_text())
    for form in ("tflite", "onnx"):
        tried = [t for t in report["search"]["tried"] if t["format"] == form]
        (taken,) = (t for t in tried if t["outcome"] == "chosen")
        assert {"float32", "int8", "dynamic", "float16"} <= {t["title"] for t in tried}
        assert taken["latency_ratio"] <= 1.0
        for other in tried:  # whoever was proven on the way is safer, and slower
            if other["outcome"] == "proven":
                assert other["latency_ms"] >= taken["latency_ms"]
        assert all(t["drop"] is not None for t in tried if t["outcome"] != "not evaluated")
        assert sum(taken["title"] in why for why in report["search"]["why"]) >= 1


def test_where_nothing_meets_the_budget_float32_ships_and_the_nearest_is_told(
    digits: Path, tmp_path: Path
) -> None:
    report = edgekit.tune(
        digits / "cnn.keras",
        digits / "calib.npz",
        tmp_path / "out",
        to="tflite",
        max_drop="0%",
        prefer="size",
    )

    assert report.verdict == "pass"
    assert [(f.name, f.precision) for f in report.files] == [("model_tuned.tflite", "float32")]
    (why,) = searched(report).why
    assert "float32, for nothing else is proven; the nearest, " in why
    assert "would decide" in why or "too near the limit" in why
    assert "Most of the noise comes from " in why
    outcomes = [t.outcome for t in searched(report).tried]
    assert outcomes.count("not proven") == 1, "the nearest is judged, and nobody behind it"
    assert outcomes.count("chosen") == 1


def test_integer_only_tries_nothing_with_float_and_ships_the_best_as_it_is(
    digits: Path, tmp_path: Path
) -> None:
    report = edgekit.tune(
        digits / "cnn.keras", digits / "calib.npz", tmp_path / "out", to="tflite", max_drop="0%", integer_only=True
    )  # fmt: skip

    assert report.files[0].precision == "int8"
    assert report.verdict != "pass"
    assert {t.precision for t in searched(report).tried} == {"float32", "int8"}
    assert all(t.operators_in_float == 0 for t in searched(report).tried)
    assert "no integer file is proven" in searched(report).why[0]


@pytest.mark.parametrize("prefer", ["size", "accuracy"])
def test_what_is_preferred_decides_among_those_that_are_proven(
    prefer: str, digits: Path, tmp_path: Path
) -> None:
    report = edgekit.tune(
        digits / "cnn.keras",
        digits / "calib.npz",
        tmp_path / "out",
        to="tflite",
        max_drop="2%",
        prefer=prefer,
    )

    taken = chosen(report)["tflite"]
    others = [t for t in searched(report).tried if t.safety is not None and t.safety >= 1]
    if prefer == "size":
        assert taken.bytes <= min(t.bytes for t in others) / 0.98
    else:
        safest = max(t.safety for t in others if t.precision != "float32" and t.safety is not None)
        assert taken.safety == safest


def test_by_its_recipe_convert_makes_the_same_bytes_of_the_same_calibration_samples(
    tuned: Path, digits: Path, tmp_path: Path
) -> None:
    assert set(json.loads((tuned / "recipe.json").read_text())["recipes"]) == {"tflite", "onnx"}
    model, data = digits / "cnn.keras", digits / "calib.npz"
    edgekit.tune(
        model, data, tmp_path / "a", to="tflite", max_drop="2%", integer_only=True, budget=0.01
    )
    edgekit.convert(
        model,
        data,
        tmp_path / "b",
        to="tflite",
        recipe=tmp_path / "a/recipe.json",
        samples=PARTS[0],
    )

    assert sha256(tmp_path / "a/model_tuned.tflite") == sha256(tmp_path / "b/model_int8.tflite")


def test_the_page_draws_every_candidate_that_was_evaluated_and_marks_the_chosen(
    tuned: Path,
) -> None:
    page = (tuned.parent / "page.html").read_text()
    search = json.loads((tuned / "report.json").read_text())["search"]
    evaluated = [t for t in search["tried"] if t["drop"] is not None]

    assert page.count('<g class="candidate ') == 2 * len(evaluated), (
        "against time, and against size"
    )
    assert page.count('r="7"/></g>') == 2 * 2, "the chosen one of each format"
    assert page.count('<tr class="chosen">') == 2
    assert page.count('<tr class="') >= len(search["tried"])
    assert "accuracy drop against time over float32&#39;s" in page
    for noisy in search["sensitivities"]:
        assert noisy["tensor"] in page


def test_a_search_tries_every_lever(tuned: Path) -> None:
    report = json.loads((tuned / "report.json").read_text())
    titles = {t["title"] for t in report["search"]["tried"] if t["format"] == "tflite"}

    for words in ("ranges of 99.99%", "ranges of least error", "first 2 operators", "noisiest tensors",
                  "by cost", "dynamic", "float16"):  # fmt: skip
        assert any(words in title for title in titles), (words, titles)
    assert not [note for note in report["notes"] if "not tried" in note or "not used" in note]
    assert report["search"]["sensitivities"][0]["noise"] > 0
