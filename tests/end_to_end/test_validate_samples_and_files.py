"""``edgekit.validate`` with originals, candidates, samples and metrics of every kind."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.broken import tflite_scales

import edgekit
from edgekit.cli.main import main
from edgekit.data.samples import DataError
from edgekit_converters.tflite import flatbuffer

FORMATS = ("tflite", "onnx")


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_folder_of_converts_is_all_its_files(digits: Path, converted: Path) -> None:
    report = edgekit.validate(
        converted / "model_float32.tflite", converted, digits / "eval.npz", samples=60,
        max_drop="10%",
    )  # fmt: skip

    listed = json.loads((converted / "manifest.json").read_text())["files"]
    assert [Path(f.name).name for f in report.files] == [entry["file"] for entry in listed]
    assert [f.precision for f in report.files] == [entry["precision"] for entry in listed]
    assert report.evaluated_on == 60
    own = report.file("tflite", "float32")
    assert own.verdict == "pass"
    assert own.results[0].sqnr_db == np.inf
    assert report.verdict == "pass", str(report)


@pytest.mark.parametrize("form", FORMATS)
def test_a_float_file_is_an_original_as_well(form: str, converted: Path, digits: Path) -> None:
    """No Keras and no manifest: on a device, from two files."""
    report = edgekit.validate(
        converted / f"model_float32.{form}",
        [converted / "model_int8.tflite", converted / "model_int8.onnx"],
        digits / "eval.npz",
        per_layer=True,
        max_drop="2%",
    )

    assert report.verdict == "pass", str(report)
    assert all(len(file.layers) >= 6 for file in report.files)


def test_labels_of_each_output_are_told_by_their_names(digits: Path, tmp_path: Path) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(0)
    x = layers.Input((8, 8, 1), name="image")
    hidden = layers.Dense(24, activation="relu")(layers.Flatten()(x))
    model = keras.Model(
        x,
        {
            "digit": layers.Dense(10, activation="softmax", name="digit")(hidden),
            "ink": layers.Dense(1, name="ink")(hidden),
        },
    )
    with np.load(digits / "calib.npz") as calib:
        images, labels = calib["image"], calib["y"]
    ink = images.mean(axis=(1, 2, 3), keepdims=True)[:, :, 0, 0]
    edgekit.convert(model, images, tmp_path / "out", to=["tflite"])
    np.savez(tmp_path / "labelled.npz", image=images, y_digit=labels, y_ink=ink)

    result = command(
        "validate", tmp_path / "out/model_float32.tflite", tmp_path / "out/model_int8.tflite",
        "--data", tmp_path / "labelled.npz",
        "--metrics", "f1,rmse", "--max-drop", "f1@digit=90%", "--max-drop", "rmse@ink=99%rel", "--json",
    )  # fmt: skip

    told = json.loads(result.stdout)
    for file in told["files"]:
        digit, ink_score = sorted(file["results"], key=lambda s: s["output"])
        assert (digit["output"], digit["task"]) == ("digit", "classes")
        assert (ink_score["output"], ink_score["task"]) == ("ink", "values")
        assert "f1" in [m["metric"] for m in digit["metrics"]]
        assert "rmse" in [m["metric"] for m in ink_score["metrics"]]
        assert {"f1", "top1"} == {j["limit"]["metric"] for j in digit["limit_results"]}
        assert {"rmse", "r2"} == {j["limit"]["metric"] for j in ink_score["limit_results"]}


def foreign(path: Path, digits: Path) -> Path:
    """TensorFlow's own int8 file, with the names that its older versions give."""
    import tensorflow as tf

    model = keras.models.load_model(digits / "mlp.keras")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    images = np.load(digits / "calib.npz")["image"][:80]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    path.write_bytes(converter.convert())
    content = flatbuffer.read(path)
    for index in content.subgraphs[0].inputs:
        content.subgraphs[0].tensors[index].name = b"serving_default_image:0"
    content.signatureDefs = []
    flatbuffer.write(content, path)
    return path


def test_a_file_of_another_converter_is_judged_under_its_own_names(
    digits: Path, tmp_path: Path
) -> None:
    good = foreign(tmp_path / "good.tflite", digits)
    tensors = flatbuffer.read(good).subgraphs[0].tensors
    (hidden,) = (t for t in tensors if flatbuffer.shape(t) == (1, 512) and t.type == 9)
    spoiled = tflite_scales(good, tmp_path / "spoiled.tflite", flatbuffer.name(hidden), 1 / 16)
    report = edgekit.validate(
        digits / "mlp.keras", [good, spoiled], digits / "eval.npz", max_drop="2%"
    )

    whole, broken = report.files
    assert (whole.verdict, whole.precision) == ("pass", "int8"), str(whole)
    assert (broken.verdict, broken.precision) == ("fail", "int8"), str(broken)
    causes = [layer.cause for layer in broken.layers]
    assert any("scale" in cause or "range too narrow" in cause for cause in causes), causes


@pytest.mark.parametrize(
    "manifest", ['{"name": "my app", "files": ["index.html"]}', '{"files": 3}', "[1, 2]", "{broken"]
)
def test_a_manifest_of_somebody_elses_beside_a_file_is_none(
    manifest: str, digits: Path, converted: Path, tmp_path: Path
) -> None:
    shutil.copy(converted / "model_int8.onnx", tmp_path)
    (tmp_path / "manifest.json").write_text(manifest)
    result = command(
        "validate", converted / "model_float32.onnx", tmp_path / "model_int8.onnx",
        "--data", digits / "eval.npz", "--samples", "40", "--max-drop", "20%",
    )  # fmt: skip

    assert result.exit_code == 0, result.output


def test_a_metric_of_ones_own_is_found_in_the_folder_and_limits_it(
    digits: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_validate_metric.py").write_text(
        "def near(labels, outputs):\n    return abs(outputs.argmax(-1) - labels).mean()\n\n"
        "near.lower_is_better = True\n"
    )
    own = "my_validate_metric:near"
    result = command(
        "validate", converted / "model_float32.tflite", converted / "model_int8.tflite",
        "--data", digits / "eval.npz", "--metrics", own, "--max-drop", f"{own}=0.5",
        "--max-drop", "5%", "--json",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    (score,) = json.loads(result.stdout)["files"][0]["results"]
    (measure,) = (m for m in score["metrics"] if m["metric"] == own)
    assert measure["drop"] == pytest.approx(measure["value"] - measure["original"])
    assert own in [j["limit"]["metric"] for j in score["limit_results"]]


def test_without_labels_answers_are_compared(digits: Path, converted: Path) -> None:
    images = np.load(digits / "eval.npz")["image"]
    report = edgekit.validate(
        converted / "model_float32.onnx", converted / "model_int8.onnx", images
    )

    (score,) = report.files[0].results
    assert score.metrics[0].metric == "agreement"
    assert report.verdict == "pass", str(report)
    with pytest.raises(DataError, match="f1 needs labels, and the samples have none"):
        edgekit.validate(
            converted / "model_float32.onnx",
            converted / "model_int8.onnx",
            images,
            metrics=["f1"],
        )
