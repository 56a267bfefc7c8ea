"""``edgekit.validate`` from end to end: broken files fail, and the report names the cause."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.broken import onnx_quantized, onnx_scales, perturbed, tflite_scales

import edgekit
from edgekit.cli.main import main
from edgekit.data.samples import DataError
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report
from edgekit_converters import SourceError
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import DeviceUnavailable, ModelError
from edgekit_runtimes.host import exact_int8

FORMATS = ("tflite", "onnx")


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def causes(file: FileResult) -> list[str]:
    """All that a report says of why a file fails, but the figures."""
    return [
        *(f"{layer.name}: {layer.cause}" for layer in file.layers if layer.cause),
        *file.faults,
        *file.warnings,
    ]


@pytest.fixture(scope="module")
def broken(digits: Path, converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Int8 files of the digits CNN, each with one fault, in a folder without a manifest."""
    folder = tmp_path_factory.mktemp("broken")
    tflite, onnx = (converted / f"model_int8.{form}" for form in FORMATS)
    first = "batch_normalization_1/batchnorm/sub1"
    tflite_scales(tflite, folder / "narrow.tflite", first, 1 / 64)
    onnx_scales(onnx, folder / "narrow.onnx", "Relu__5:0", 1 / 64)
    tflite_scales(tflite, folder / "weights.tflite", "conv2d_1_2/convolution", 8)
    onnx_scales(onnx, folder / "weights.onnx", "conv2d_1_2/Squeeze1__18:0_q", 8)
    with np.load(digits / "calib.npz") as calib:
        data = calib["image"] * 255, calib["y"]
        batches = [{"image": image[np.newaxis]} for image in calib["image"][:100]]
    edgekit.convert(digits / "cnn.keras", data, folder / "bytes", precision=["int8"])
    for form in FORMATS:
        shutil.copy(folder / f"bytes/model_int8.{form}", folder / f"bytes.{form}")
    for kind in ("S8", "U8"):
        onnx_quantized(
            converted / "model_float32.onnx", folder / f"{kind}.onnx", batches, activations=kind
        )
    return folder


@pytest.fixture(scope="module")
def judged(digits: Path, converted: Path, broken: Path) -> dict[str, FileResult]:
    """What one validation says of the good files and the broken ones, by their names."""
    good = [converted / f"model_int8.{form}" for form in FORMATS]
    report = edgekit.validate(
        digits / "cnn.keras", [*good, *sorted(broken.glob("*.*"))], digits / "eval.npz",
        max_drop="2%",
    )  # fmt: skip
    assert not report
    return {Path(file.name).name: file for file in report.files}


# On digits: a good file holds, each broken one fails, and the report names the cause.


@pytest.mark.parametrize("form", FORMATS)
def test_a_good_int8_file_holds(form: str, judged: dict[str, FileResult]) -> None:
    file = judged[f"model_int8.{form}"]

    assert file.verdict == "pass", str(file)
    assert (file.precision, file.format, file.faults, file.warnings) == ("int8", form, (), ())
    assert file.layers == (), "nobody asked, and nothing fails"
    (score,) = file.results
    assert score.accuracy is not None and score.accuracy > 0.95
    assert file.error_sources is not None
    assert file.error_sources.conversion_db is not None and file.error_sources.conversion_db > 100
    assert (
        file.error_sources.quantization_db is not None
        and 35 < file.error_sources.quantization_db < 60
    )
    assert file.error_sources.runtime_db is not None and file.error_sources.runtime_db > 40


@pytest.mark.parametrize("form", FORMATS)
def test_a_broken_scale_fails_and_its_layer_is_named(
    form: str, judged: dict[str, FileResult]
) -> None:
    file = judged[f"narrow.{form}"]

    assert file.verdict == "fail", str(file)
    assert any(
        cause.startswith(
            "batch_normalization_1/batchnorm/sub1: range too narrow: it holds 0..0.0395"
        )
        for cause in causes(file)
    ), causes(file)


@pytest.mark.parametrize("form", FORMATS)
def test_a_broken_scale_of_weights_fails_and_its_layer_is_named(
    form: str, judged: dict[str, FileResult]
) -> None:
    file = judged[f"weights.{form}"]

    assert file.verdict == "fail", str(file)
    named = [cause for cause in causes(file) if cause.startswith("conv2d_1_2/Squeeze1: ")]
    assert named and "scale" in named[0], causes(file)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_calibrated_on_bytes_fails_and_the_input_is_named(
    form: str, judged: dict[str, FileResult]
) -> None:
    file = judged[f"bytes.{form}"]

    assert file.verdict == "fail", str(file)
    (warning,) = file.warnings
    assert warning.startswith("input 'image': the values span 0..1, a small part of the 0..255 ")
    assert "scaled otherwise (0..255, not 0..1)?" in warning
    assert any(cause.startswith("image: range too wide: it holds 0..255") for cause in causes(file))


@pytest.mark.skipif(exact_int8(), reason="this processor sums 8-bit products without saturating")
@pytest.mark.parametrize("kind", ["S8", "U8"])
def test_signed_weights_in_onnx_runtime_fail_and_the_processor_is_named(
    kind: str, judged: dict[str, FileResult]
) -> None:
    """Though this file's accuracy is hardly less: another processor computes other answers."""
    file = judged[f"{kind}.onnx"]

    assert file.verdict == "fail", str(file)
    (fault,) = file.faults
    assert "this processor has no VNNI" in fault
    assert "saturate" in fault
    assert file.error_sources is not None
    assert file.error_sources.runtime_db is not None and file.error_sources.runtime_db < 30


def test_files_that_fail_are_compared_layer_by_layer_also_without_their_float_file(
    judged: dict[str, FileResult],
) -> None:
    for name, file in judged.items():
        assert bool(file.layers) == (file.verdict == "fail"), name
        if file.layers:
            assert sum(layer.noise_added for layer in file.layers) == pytest.approx(1, abs=0.02), (
                name
            )


def test_the_command_prints_the_cause_and_exits_with_1(
    digits: Path, converted: Path, broken: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "validate", str(digits / "cnn.keras"),
         str(converted / "model_int8.tflite"), str(broken / "narrow.tflite"),
         str(broken / "bytes.onnx"), "--data", str(digits / "eval.npz"), "--max-drop", "2%",
         "--worst", "3", "--junit", str(tmp_path / "junit.xml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    assert done.stderr.strip() == ""
    said = " ".join(done.stdout.split())
    assert "range too narrow: it holds 0..0.0395" in said
    assert "Was it calibrated on samples that were scaled otherwise (0..255, not 0..1)?" in said
    assert ": drop " in said and "(95% CI " in said
    assert "of 400 samples are answered otherwise" in said
    assert sum(line.rstrip().endswith(" pass") for line in done.stdout.splitlines()) == 1
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (tmp_path / "junit.xml").is_file()


# Whose error it is.


@pytest.fixture(scope="module")
def misconverted(digits: Path, converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a faulty converter would leave: float and int8 files of slightly other weights."""
    folder = tmp_path_factory.mktemp("misconverted")
    model = keras.models.load_model(digits / "cnn.keras")
    dense = model.layers[-1]
    kernel, bias = dense.get_weights()
    random = np.random.default_rng(0)
    dense.set_weights([kernel + random.normal(0, 0.5 * kernel.std(), kernel.shape), bias])
    edgekit.convert(model, digits / "calib.npz", folder / "out")
    perturbed(converted / "model_float32.tflite", folder / "alone.tflite", 0.5)
    perturbed(converted / "model_float32.onnx", folder / "alone.onnx", 0.5)
    return folder


def test_a_fault_of_conversion_is_blamed_on_conversion_and_not_on_quantization(
    digits: Path, misconverted: Path
) -> None:
    report = edgekit.validate(
        digits / "cnn.keras",
        [misconverted / "out", misconverted / "alone.tflite", misconverted / "alone.onnx"],
        digits / "eval.npz",
    )

    assert not report
    for file in report.files:
        sources = file.error_sources
        assert sources is not None and sources.conversion_db is not None
        assert sources.conversion_db < 30, file.name
        if file.precision == "float32":
            assert file.verdict == "fail", str(file)
            assert "sqnr is " in file.results[0].reason
            assert "at least 60.0 dB" in file.results[0].reason
            assert sources.quantization_db is None
        else:
            assert sources.quantization_db is not None and sources.quantization_db > 35, file.name
            assert sources.runtime_db is not None and sources.runtime_db > 40, file.name
            assert not file.faults


def test_other_devices_are_rows_of_their_own(digits: Path, converted: Path) -> None:
    pytest.importorskip("openvino")
    files = [converted / name for name in ("model_int8.tflite", "model_int8.onnx",
                                           "model_float32.onnx")]  # fmt: skip
    report = edgekit.validate(
        digits / "cnn.keras", files, digits / "eval.npz", devices=("cpu", "openvino"),
        max_drop="2%",
    )  # fmt: skip

    assert report.verdict == "pass", str(report)
    assert len({file.title for file in report.files}) == 6
    for file in report.files[1::2]:
        assert "openvino" in file.device.lower()
        assert file.error_sources is not None
        assert file.error_sources.runtime_db is not None and file.error_sources.runtime_db > 20, (
            file.title
        )
        assert file.latency_ms is not None
    assert [file.device for file in report.files[::2]] == ["", "", ""]


# Originals, candidates and samples of every kind.


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
    assert any("scale" in cause or "range too narrow" in cause for cause in causes(broken))


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


# What is missing or wrong.


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["none.keras", "int8.onnx", "--data", "eval.npz"], 2, ["none.keras", "no such file"]),
        (["none.tflite", "int8.onnx", "--data", "eval.npz"], 3, ["none.tflite", "no such file"]),
        (["float.onnx", "none.onnx", "--data", "eval.npz"], 2, ["none.onnx"]),
        (["float.onnx", "int8.onnx", "--data", "none.npz"], 2, ["none.npz", "no such file"]),
        (["float.onnx", "int8.onnx"], 2, ["--data is missing"]),
        (["float.onnx"], 2, ["CANDIDATE is missing"]),
        ([], 2, ["ORIGINAL is missing", "--from"]),
        (["float.onnx", "empty", "--data", "eval.npz"], 3, ["empty", "manifest.json"]),
        (["float.onnx", "cut.onnx", "--data", "eval.npz"], 3, ["cut.onnx"]),
        (["float.onnx", "cut.tflite", "--data", "eval.npz"], 3, ["cut.tflite"]),
        (["cut.onnx", "int8.onnx", "--data", "eval.npz"], 3, ["cut.onnx"]),
        (["float.onnx", "text.txt", "--data", "eval.npz"], 3, ["text.txt", ".tflite", ".onnx"]),
        (["float.onnx", "int8.onnx", "--data", "shape.npz"], 2, ["'image'", "(7, 7, 1)"]),
        (["float.onnx", "other.onnx", "--data", "eval.npz"], 2, ["other.onnx", "this model?"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--metrics", "f11"], 2,
         ["'f11'", "did you mean 'f1'?"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--metrics", "rmse"], 2,
         ["rmse is for outputs that are values"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--max-drop", "f1@x=1%"], 2,
         ["no output 'x'"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--min", "0.9"], 2, ["--min 0.9"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--save", "kept.txt"], 2,
         ["kept.txt", ".npz or .json"]),
        (["float.onnx", "int8.onnx", "--data", "eval.npz", "--devices", "abacus"], 4, ["abacus"]),
        (["--from", "none.npz"], 2, ["none.npz", "--save"]),
        (["--from", "eval.npz"], 2, ["eval.npz", "no results"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_message(
    arguments: list[str], status: int, words: list[str], digits: Path, converted: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    shutil.copy(converted / "model_float32.onnx", "float.onnx")
    shutil.copy(converted / "model_int8.onnx", "int8.onnx")
    shutil.copy(digits / "eval.npz", "eval.npz")
    for form in FORMATS:
        whole = (converted / f"model_int8.{form}").read_bytes()
        Path(f"cut.{form}").write_bytes(whole[: len(whole) // 3])
    Path("text.txt").write_text("no model")
    Path("empty").mkdir()
    np.savez("shape.npz", image=np.zeros((20, 7, 7, 1), np.float32))
    if "other.onnx" in arguments:
        import onnx
        from onnx import helper

        ends = [helper.make_tensor_value_info(n, 1, [1, 4]) for n in ("p", "q")]
        graph = helper.make_graph([helper.make_node("Relu", ["p"], ["q"])], "g", ends[:1], ends[1:])
        opsets = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "other.onnx")

    result = command("validate", *arguments)

    assert result.exit_code == status, result.output
    said = " ".join(result.output.split())
    assert "Traceback" not in said and "did not foresee" not in said, said
    assert all(word in said for word in words), said
    assert not Path("kept.txt").exists()


def test_too_few_samples_fail_where_that_is_asked_for(digits: Path, converted: Path) -> None:
    arguments: list[Any] = [
        "validate", converted / "model_float32.onnx", converted / "model_int8.onnx",
        "--data", digits / "eval.npz", "--samples", "50",
    ]  # fmt: skip
    result = command(*arguments)
    assert result.exit_code == 0
    assert "inconclusive" in result.output and "would decide" in " ".join(result.output.split())
    assert command(*arguments, "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("original", "candidate", "options", "error"),
    [
        ("none.keras", "model_int8.onnx", {}, SourceError),
        ("model_float32.onnx", "none.onnx", {}, ModelError),
        ("model_float32.onnx", "model_int8.onnx", {"devices": ["abacus"]}, DeviceUnavailable),
        ("model_float32.onnx", "model_int8.onnx", {"metrics": ["f11"]}, DataError),
    ],
)
def test_in_python_the_same_are_exceptions(
    original: str, candidate: str, options: dict[str, Any], error: type[Exception],
    digits: Path, converted: Path,
) -> None:  # fmt: skip
    with pytest.raises(error):
        edgekit.validate(
            converted / original, converted / candidate, digits / "eval.npz", **options
        )


# Memory.


MEASURE = """
import sys
from pathlib import Path
import numpy as np
from edgekit.data.open import open_samples
from edgekit.diagnosis.changed_samples import find_differences
from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.results import compare
from edgekit.inference.record import record
from edgekit.data.split import set_aside
from edgekit.accuracy.tasks import find_tasks
from edgekit_runtimes import open_model

folder, count = Path(sys.argv[1]), int(sys.argv[2])
session = open_model(sys.argv[3])
rows = open_samples(folder / f"{count}.npz", list(session.inputs))
samples = set_aside(rows, folder / f"samples {count}", calibration=0, held_out=count)
answers = [record(session, samples.held_out, folder / f"{count} {i}") for i in range(2)]
tasks = find_tasks(answers[0], samples.labels)
(score,) = compare(*answers, tasks, samples.labels, read_limits("1%"))
(name,) = tasks
found = find_differences(
    name, task=tasks[name], original=answers[0], candidate=answers[1], labels=samples.labels,
    numbers=samples.numbers, class_names=(), worst=10,
)
peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
print(peak, len(samples.held_out), score.verdict, sum(map(sum, found.original_confusion)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_stays_flat_however_many_samples_judge(converted: Path, tmp_path: Path) -> None:
    peaks = []
    for count in (1000, 20_000):
        images = np.random.default_rng(0).random((count, 8, 8, 1), np.float32)
        np.savez(tmp_path / f"{count}.npz", image=images, y=np.arange(count) % 10)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(tmp_path), str(count),
             str(converted / "model_int8.tflite")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peak, *told = done.stdout.split()
        assert told == [str(count), "pass", str(count)]
        peaks.append(float(peak))

    assert peaks[1] - peaks[0] < 25, peaks


def test_the_report_of_python_is_a_sentence_and_a_truth(judged: dict[str, FileResult]) -> None:
    report = Report("m.keras", 1, tuple(judged.values()), "eval.npz", 0, 400)

    assert not report
    assert str(report).startswith("m.keras: fails, on 400 samples of eval.npz\n")
    assert "model_int8.tflite: pass, top1 0.9" in str(report)
