"""One pipeline: what convert and validate report alike, and what passes between them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.bundle.manifest import read_manifest


def test_converts_report_has_what_validates_has(converted: Path) -> None:
    report = json.loads((converted / "report.json").read_text())

    assert len(report["fingerprint"]) == 16
    assert set(report["onnx_vs_tflite"]) == {f["precision"] for f in report["files"]}
    for file in report["files"]:
        assert file["error_sources"]["conversion_db"] > 100, file["name"]
        assert file["differences"][0]["error_counts"], file["name"]
        if file["precision"] == "int8":
            assert 20 < file["error_sources"]["quantization_db"] < 80


def test_a_file_that_fails_is_compared_layer_by_layer_with_no_float32_file_shipped(
    digits: Path, tmp_path: Path
) -> None:
    report = edgekit.convert(
        digits / "mlp.keras",
        digits / "calib.npz",
        tmp_path / "out",
        precision="int8",
        min={"sqnr": 300},
    )

    assert {p.name for p in (tmp_path / "out").glob("model_*")} == {
        "model_int8.tflite",
        "model_int8.onnx",
    }
    for file in report.files:
        assert file.verdict == "fail"
        assert file.error_sources is not None
        assert file.error_sources.quantization_db is not None
        assert sum(layer.operator != "input" for layer in file.layers) >= 2, file.name


def test_a_keras_model_in_memory_is_an_original(digits: Path, converted: Path) -> None:
    import keras

    int8 = converted / "model_int8.tflite"
    model = keras.models.load_model(digits / "cnn.keras")
    by_object = edgekit.validate(model, int8, digits / "eval.npz", samples=40, max_drop=0.1)
    by_path = edgekit.validate(
        digits / "cnn.keras", int8, digits / "eval.npz", samples=40, max_drop=0.1
    )

    assert by_object.model == type(model).__name__
    assert by_object.fingerprint == by_path.fingerprint
    assert [f.results for f in by_object.files] == [f.results for f in by_path.files]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("batch", "one", "batch: int is wanted, and this is 'one'"),
        ("files", {}, "files: a list is wanted"),
        ("ranges", {"image": [0.0]}, "2 values are wanted"),
        ("model", None, "Source: an object is wanted"),
    ],
)
def test_a_manifest_that_was_changed_is_refused_by_name(
    converted: Path, tmp_path: Path, key: str, value: Any, words: str
) -> None:
    manifest = json.loads((converted / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, key: value}))

    with pytest.raises(edgekit.DataError, match=rf"manifest\.json: .*{words}.*convert again"):
        read_manifest(tmp_path)


def test_a_manifest_is_read_as_it_was_written(converted: Path, tmp_path: Path) -> None:
    manifest = read_manifest(converted)
    assert manifest is not None
    plain = json.loads((converted / "manifest.json").read_text())
    assert len(manifest.files) == len(plain["files"])
    assert manifest.files[0].inputs[0].shape == (1, 8, 8, 1)
    assert manifest.ranges["image"] == (0.0, 1.0)
    assert manifest.entry(converted / "model_int8.onnx") is not None
    changed = replace(manifest.files[0], sha256="0" * 64)
    assert replace(manifest, files=(changed,)).entry(converted / changed.file) is None

    shutil.copy(converted / "manifest.json", tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text(json.dumps({**plain, "later": "than this edgekit"}))
    assert read_manifest(tmp_path) == manifest


def test_both_int8_files_give_the_same_bits(digits: Path, converted: Path) -> None:
    images = np.load(digits / "eval.npz")["image"]
    files = {"tflite": "xnnpack", "onnx": "mlas"}
    answers = [
        edgekit.open_model(converted / f"model_int8.{form}", device=device).run(images)
        for form, device in files.items()
    ]
    np.testing.assert_array_equal(*answers)


class Watched:
    """How far a run says that it is."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.expected: list[int] = []
        self.parts: dict[str, list[tuple[int, int]]] = {}

    def __call__(self, step: str) -> None:
        self.begun.append(step)

    def expect(self, steps: int) -> None:
        self.expected.append(len(self.begun) + steps)

    def advance(self, done: int, total: int) -> None:
        self.parts.setdefault(self.begun[-1], []).append((done, total))


@pytest.mark.parametrize(
    ("precision", "limit", "failing"), [("int8", 1, 0), ("float32,dynamic", 300, 2)]
)
def test_the_number_of_steps_is_known_from_the_start(
    precision: str, limit: float, failing: int, digits: Path, tmp_path: Path
) -> None:
    watched = Watched()

    edgekit.convert(
        digits / "mlp.keras",
        digits / "calib.npz",
        tmp_path / "out",
        precision=precision,
        min={"sqnr": limit},
        progress=watched,
    )

    assert watched.expected[-1] == len(watched.begun)
    assert watched.expected[0] == len(watched.begun) - failing
    running = [step for step in watched.begun if step.startswith("running")]
    for step in ("reading samples", *running):
        done = [part for part, total in watched.parts[step]]
        assert done == sorted(done), step
        assert {total for _, total in watched.parts[step]} in ({700}, {500}), step
