"""Files for old runtimes: ``for_``, and ``--for`` of the command."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

import edgekit
from edgekit.cli.main import main
from edgekit.workflows.compatibility import read_runtimes
from edgekit.workflows.convert import PartlyConverted
from edgekit_runtimes.formats.compatibility import newest_opset, obstacles
from edgekit_runtimes.formats.least_versions import least_versions
from edgekit_runtimes.formats.release import release


@pytest.fixture(scope="module")
def gelu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of one GELU, and samples."""
    import keras

    folder = tmp_path_factory.mktemp("gelu")
    x = keras.Input((6,), name="x")
    hidden = keras.layers.Dense(8, activation="gelu")(x)
    keras.Model(x, keras.layers.Dense(3, name="y")(hidden)).save(folder / "m.keras")
    np.savez(folder / "x.npz", x=np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32))
    return folder


def test_an_old_onnx_runtime_gets_its_format_and_the_newest_opset_that_it_opens(
    gelu: Path, tmp_path: Path
) -> None:
    report = edgekit.convert(
        gelu / "m.keras", gelu / "x.npz", tmp_path, precision="float32", for_="onnxruntime==1.11"
    )
    assert [file.name for file in report.files] == ["model_float32.onnx"]
    assert onnx.load(tmp_path / "model_float32.onnx").opset_import[0].version == 16
    assert release(least_versions(tmp_path / "model_float32.onnx")["onnxruntime"]) <= (1, 11)


def test_a_file_that_the_version_does_not_run_is_left_out_and_the_rest_is_written(
    gelu: Path, tmp_path: Path
) -> None:
    wanted = ["--precision", "int8,int16x8", "--for", "litert==1.2", "--output", str(tmp_path)]
    done = CliRunner().invoke(
        main, ["convert", str(gelu / "m.keras"), "--data", str(gelu / "x.npz"), *wanted]
    )
    assert done.exit_code == 3, done.output
    said = " ".join(done.output.split())
    assert (
        "model_int16x8.tflite was not written: it has GELU in int16, which LiteRT runs from 1.3 on."
    ) in said
    files = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert [entry["file"] for entry in files] == ["model_int8.tflite"]
    assert not (tmp_path / "model_int16x8.tflite").exists()
    assert release(files[0]["least_versions"]["litert"]) <= (1, 2)


def test_where_no_file_runs_nothing_is_written(gelu: Path, tmp_path: Path) -> None:
    with pytest.raises(edgekit.ConversionError, match=r"Linear of com\.microsoft.*from 1\.18") as e:
        edgekit.convert(
            gelu / "m.keras",
            gelu / "x.npz",
            tmp_path,
            precision="int16x8",
            for_="onnxruntime==1.17",
        )
    assert not isinstance(e.value, PartlyConverted)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"for_": "litert=1.4"}, edgekit.OptionError, "as litert==1.4 or"),
        ({"for_": "litret==1.4"}, edgekit.OptionError, "did you mean 'litert'"),
        ({"for_": "litert==1.4", "to": "onnx"}, edgekit.OptionError, "runs no onnx files"),
        ({"for_": "onnxruntime==1.5"}, edgekit.ConversionError, "1.7 or later"),
        (
            {"for_": "onnxruntime==1.12", "opset": 18},
            edgekit.ConversionError,
            "opset 18: ONNX Runtime 1.12 opens 17",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    gelu: Path, tmp_path: Path, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        edgekit.convert(gelu / "m.keras", gelu / "x.npz", tmp_path, **options)


def test_packages_are_known_by_their_own_names_too() -> None:
    named = read_runtimes(["ai-edge-litert==1.4.0", "tensorflow == 2.14", "onnxruntime==1.17"])
    assert named == {"litert": "1.4.0", "tflite": "2.14", "onnxruntime": "1.17"}


def test_a_version_that_computes_a_file_wrongly_does_not_run_it(converted: Path) -> None:
    halves = converted / "model_float16.tflite"
    assert obstacles(halves, "litert", "1.0.1") == []
    assert obstacles(halves, "litert", "1.4") == []
    assert "wrongly" in obstacles(halves, "litert", "1.2")[0]


def test_the_opset_is_never_newer_than_asked_for() -> None:
    assert newest_opset("1.32", 17) == 17
    assert newest_opset("1.8.1", 17) == 14
    assert newest_opset("1.5", 17) is None
