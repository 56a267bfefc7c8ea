"""Two files, or two folders, side by side."""

import json
import shutil
from math import inf
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from support.broken import perturbed, tflite_scales
from support.json_schema import FOLDER

import edgekit
from edgekit.cli.main import main
from edgekit.report.diff_result import FileDiff
from edgekit.report.model_explorer import node_data
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import open_model

FORMATS = ("tflite", "onnx")
CONV = "conv2d_1/Squeeze1"  # the digits CNN's second convolution, its Relu included


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["diff", *map(str, arguments)])


def words(result: Result) -> str:
    """What was printed, whatever the width of the console."""
    return " ".join(result.output.split())


def only(found: edgekit.Diff) -> FileDiff:
    (file,) = found.files
    return file


def test_the_same_bytes_are_the_same_wherever_they_lie(converted: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(converted, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["files"][0]["latency_ms"] = 7.0  # measured: another each time
    (other / "manifest.json").write_text(json.dumps(manifest))

    found = edgekit.diff(converted, other)
    assert found
    assert found.same
    assert len(found.files) == len([*converted.glob("*.tflite"), *converted.glob("*.onnx")])
    result = command(converted, other)
    assert result.exit_code == 0
    assert "are the same" in words(result)


@pytest.mark.parametrize("form", FORMATS)
def test_precision_and_noise_of_each_layer(form: str, converted: Path, digits: Path) -> None:
    found = edgekit.diff(
        converted / f"model_float32.{form}", converted / f"model_int8.{form}", digits / "eval.npz"
    )
    file = only(found)

    assert not found
    assert file.a is not None and file.b is not None
    assert (file.a.precision, file.b.precision) == ("float32", "int8")
    assert file.a.bytes == (converted / f"model_float32.{form}").stat().st_size
    assert file.layers
    for layer in file.layers:
        assert layer.a and layer.b, "none is left out: a Relu and its Conv are one"
        assert layer.a.precision == "float32"
        assert layer.b.precision in ("int8", "uint8")
        assert layer.b.scale
        assert layer.sqnr_db is not None and 20 < layer.sqnr_db < 90
    counts = {c.kind: c.b - c.a for c in file.operators if c.a != c.b}
    assert (
        set(counts)
        == {
            "tflite": {"QUANTIZE", "DEQUANTIZE"},
            "onnx": {"QuantizeLinear", "DequantizeLinear"},
        }[form]
    )
    assert file.latency_ms is None, "only where it is asked for"


@pytest.mark.parametrize("form", FORMATS)
def test_weights_alone_in_8_bits_are_named_where_they_are(
    form: str, converted: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"model_{precision}.{form}" for precision in ("float32", "dynamic")]
    for path in paths:  # without the golden samples
        shutil.copy(converted / path.name, path)
    file = only(edgekit.diff(*paths))
    if form == "tflite":
        changed = {x.b.operator for x in file.layers if x.b and "int8 weights" in x.b.precision}
        assert changed == {"CONV_2D", "FULLY_CONNECTED"}
    assert file.samples == 0
    assert all(layer.sqnr_db is None for layer in file.layers), "nothing was run"


def test_float16_is_seen_in_both_formats(converted: Path, digits: Path) -> None:
    for form, kind in (("tflite", "float32, float16 weights"), ("onnx", "float16")):
        file = only(
            edgekit.diff(
                converted / f"model_float32.{form}",
                converted / f"model_float16.{form}",
                digits / "eval.npz",
            )
        )
        (conv,) = (x for x in file.layers if x.a and x.a.name == CONV)
        assert conv.b is not None
        assert conv.b.precision == kind
        assert conv.sqnr_db is not None and conv.sqnr_db > 50


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_layers_of_one_model_in_two_formats(
    precision: str, converted: Path, digits: Path
) -> None:
    """Images are NHWC in one and NCHW in the other, and a Relu is fused in one and not in the other."""
    file = only(
        edgekit.diff(
            converted / f"model_{precision}.tflite",
            converted / f"model_{precision}.onnx",
            digits / "eval.npz",
        )
    )

    assert [layer.a.name for layer in file.removed if layer.a] == []
    assert {x.b.operator for x in file.added if x.b} <= {"Reshape", "Transpose"}, "of the layout"
    common = [layer for layer in file.layers if layer.a and layer.b]
    assert len(common) == 8
    for layer in common:
        # One step of rounding in int8; float32's own elsewhere.
        assert layer.sqnr_db is not None and layer.sqnr_db > (30 if precision == "int8" else 80)
    assert only(edgekit.diff(converted / "model_int8.tflite", converted / "model_int8.onnx")).layers


def test_predictions_that_changed_are_counted_and_listed(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    good = converted / "model_float32.tflite"
    worse = perturbed(good, tmp_path / "worse.tflite", 1.5)
    images, labels = (np.load(digits / "eval.npz")[name] for name in ("image", "y"))
    with open_model(good) as one, open_model(worse) as other:
        before, after = (session.run(images).argmax(axis=1) for session in (one, other))
    changed = set(np.flatnonzero(before != after).tolist())
    assert 3 < len(changed) < len(images)

    (output,) = only(edgekit.diff(good, worse, digits / "eval.npz", worst=3)).outputs
    assert output.changed == len(changed)
    assert {sample.number for sample in output.worst} <= changed
    for sample in output.worst:
        assert sample.label == str(labels[sample.number])
        assert sample.candidate.split()[0] == str(after[sample.number])
    shown = command(good, worse, "--data", digits / "eval.npz")
    assert shown.exit_code == 1
    assert f"{len(changed)} of {len(images)} predictions changed" in words(shown)


def test_a_scale_that_changed_is_shown_with_its_layer(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    good = converted / "model_int8.tflite"
    changed = "batch_normalization/batchnorm/sub1"  # the first convolution
    other = tflite_scales(good, tmp_path / "other.tflite", changed, 1.5)
    file = only(edgekit.diff(good, other, digits / "eval.npz"))

    first = next(layer for layer in file.layers if not layer.same)
    assert first.a and first.b and first.a.scale and first.b.scale
    assert first.b.name == changed
    assert first.b.scale / first.a.scale == pytest.approx(1.5)
    for layer in file.layers[: file.layers.index(first)]:
        assert (layer.sqnr_db, layer.largest_error) == (inf, 0)


def test_the_folders_golden_samples_are_run_where_no_others_are_given(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("model_float32.onnx", "model_int8.onnx"):
        shutil.copy(converted / name, folder)
    images = np.load(digits / "eval.npz")["image"][:5]
    np.savez(folder / "golden.npz", **{"input/image": images})

    found = edgekit.diff(folder / "model_float32.onnx", folder / "model_int8.onnx")
    assert only(found).samples == 5
    assert "golden" in found.samples


def test_folders_with_other_files_and_other_labels(converted: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(converted, other)
    (other / "model_int8.onnx").unlink()
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["labels"] = ["a", "b"]
    (other / "manifest.json").write_text(json.dumps(manifest))

    found = edgekit.diff(converted, other)
    assert not found.same
    assert [f.name for f in found.files if f.b is None] == ["model_int8.onnx"]
    assert [(fact.name, fact.b) for fact in found.facts] == [("labels", ["a", "b"])]
    shown = command(converted, other)
    assert shown.exit_code == 1
    for said in ("only in", "manifest, labels: [] -> ['a', 'b']"):
        assert said in words(shown)


def test_a_folder_beside_a_file_stands_for_its_file_of_that_name(converted: Path) -> None:
    assert edgekit.diff(converted / "model_int8.onnx", converted).same


def test_models_that_have_little_in_common(converted: Path, tmp_path: Path) -> None:
    """Their outputs differ in shape: what can be compared is, and the rest is said."""
    text = """<ir_version: 9, opset_import: ["": 17]>
    other (float[1, 8, 8, 1] image) => (float[1, 64] flat) { flat = Flatten(image) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "other.onnx")
    images = np.zeros((2, 8, 8, 1), np.float32)

    file = only(edgekit.diff(converted / "model_float32.onnx", tmp_path / "other.onnx", images))
    assert file.outputs == ()
    assert "outputs were not compared" in file.notes[0]
    assert [layer.b.operator for layer in file.added if layer.b] == ["Flatten"]


def test_the_document_follows_its_schema(converted: Path, digits: Path) -> None:
    shown = command(
        *(converted / f"model_{p}.tflite" for p in ("float32", "int8")),
        *("--data", digits / "eval.npz", "--latency", "--json"),
    )
    document = json.loads(shown.stdout)
    schema = json.loads((FOLDER / "diff.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["same"] is False
    assert all(ms > 0 for ms in document["files"][0]["latency_ms"])


def test_node_data_for_model_explorer(converted: Path, digits: Path, tmp_path: Path) -> None:
    """Keyed by the names of the tensors that nodes make, as its TFLite reader knows them."""
    paths = [converted / f"model_{p}.tflite" for p in ("float32", "int8")]
    target = tmp_path / "nodes.json"
    shown = command(*paths, "--data", digits / "eval.npz", "--model-explorer", target)
    assert shown.exit_code == 1

    data = json.loads(target.read_text())
    graph = flatbuffer.read(paths[1]).subgraphs[0]
    made = {flatbuffer.name(graph.tensors[i]) for op in graph.operators for i in op.outputs}
    assert len(data["results"]) == 7
    assert set(data["results"]) <= made
    assert all(20 < result["value"] < 90 for result in data["results"].values())
    assert [t["value"] for t in data["thresholds"]] == sorted(
        t["value"] for t in data["thresholds"]
    )
    for path in paths:  # without samples there is no SQNR, but precisions
        shutil.copy(path, tmp_path)
    found = only(edgekit.diff(*(tmp_path / path.name for path in paths)))
    assert node_data(found)["results"][CONV]["value"] == "int8"


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("model_int8.tflite", "nothing.onnx", "no such file"),
        ("model_int8.tflite", "manifest.json", "files are compared that end in"),
        ("model_int8.tflite", "empty", "no such file"),
        (".", "empty", "it holds no"),
    ],
)
def test_what_cannot_be_compared_is_said(
    a: str, b: str, said: str, converted: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    second = tmp_path / b if b == "empty" else converted / b
    with pytest.raises(edgekit.DataError, match=said):
        edgekit.diff(converted / a, second)
    assert command(converted / a, second).exit_code == 2
