"""``edgekit.validate`` from end to end: broken files fail, and the report names the cause."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from support.broken import onnx_quantized, onnx_scales, onnx_tensor, perturbed, tflite_scales

import edgekit
from edgekit.cli.main import main
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report
from edgekit_runtimes.host import exact_int8

FORMATS = ("tflite", "onnx")
FIRST, SECOND = "batch_normalization/batchnorm/sub1", "conv2d_1/Squeeze1"
"""The results of the convolutions, as reports call them."""


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
    tflite_scales(tflite, folder / "narrow.tflite", FIRST, 1 / 64)
    onnx_scales(onnx, folder / "narrow.onnx", onnx_tensor(onnx, "Relu", 0), 1 / 64)
    tflite_scales(tflite, folder / "weights.tflite", SECOND, 8, weights=True)
    onnx_scales(onnx, folder / "weights.onnx", onnx_tensor(onnx, "Conv", 1, weights=True), 8)
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
        cause.startswith(f"{FIRST}: range too narrow: representable 0..0.0")
        for cause in causes(file)
    ), causes(file)


@pytest.mark.parametrize("form", FORMATS)
def test_a_broken_scale_of_weights_fails_and_its_layer_is_named(
    form: str, judged: dict[str, FileResult]
) -> None:
    file = judged[f"weights.{form}"]

    assert file.verdict == "fail", str(file)
    named = [cause for cause in causes(file) if cause.startswith(f"{SECOND}: ")]
    assert named and "scale" in named[0], causes(file)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_calibrated_on_bytes_fails_and_the_input_is_named(
    form: str, judged: dict[str, FileResult]
) -> None:
    file = judged[f"bytes.{form}"]

    assert file.verdict == "fail", str(file)
    (warning,) = file.warnings
    assert warning.startswith("input 'image': observed range 0..1, a small part of the 0..255 ")
    assert "another scale (0..255, not 0..1)?" in warning
    assert any(
        cause.startswith("image: range too wide: representable 0..255") for cause in causes(file)
    )


@pytest.mark.skipif(exact_int8(), reason="this processor sums 8-bit products without saturating")
@pytest.mark.parametrize("kind", ["S8", "U8"])
def test_signed_weights_in_onnx_runtime_fail_and_the_processor_is_named(
    kind: str, judged: dict[str, FileResult]
) -> None:
    """Though this file's accuracy is hardly less: another processor computes other answers."""
    file = judged[f"{kind}.onnx"]

    assert file.verdict == "fail", str(file)
    (fault,) = file.faults
    assert "processor has no VNNI" in fault
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
    done = CliRunner().invoke(
        main,
        ["validate", str(digits / "cnn.keras"), str(converted / "model_int8.tflite"),
         str(broken / "narrow.tflite"), str(broken / "bytes.onnx"), "--data",
         str(digits / "eval.npz"), "--max-drop", "2%", "--worst", "3",
         "--junit", str(tmp_path / "junit.xml")],
    )  # fmt: skip

    assert done.exit_code == 1, done.stderr
    assert done.stderr.strip() == ""
    said = " ".join(done.stdout.split())
    assert "range too narrow: representable 0..0.0" in said
    assert "Was it calibrated on samples with another scale (0..255, not 0..1)?" in said
    assert ": drop " in said and "(95% CI " in said
    assert "of 400" in said and "changed" in said
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
            assert file.results[0].reason.startswith("SQNR ")
            assert "at least 60 dB" in file.results[0].reason
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


def test_the_report_of_python_is_a_sentence_and_a_truth(judged: dict[str, FileResult]) -> None:
    report = Report("m.keras", 1, tuple(judged.values()), "eval.npz", 0, 400)

    assert not report
    assert str(report).startswith("m.keras: fail, evaluated on 400 samples from eval.npz\n")
    assert "model_int8.tflite: pass, " in str(report)
