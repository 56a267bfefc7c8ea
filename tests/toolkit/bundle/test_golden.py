"""Golden samples and facts of a folder: what convert writes, and how far another processor may be from it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit_runtimes import ModelError, open_model
from edgekit_runtimes.golden import open_golden, read_golden
from edgekit_runtimes.manifest_file import listed_files, read_listed


def test_each_file_has_its_own_answers_to_samples_that_did_not_calibrate(converted: Path) -> None:
    golden = open_golden(converted)
    manifest = json.loads((converted / "manifest.json").read_text())
    assert golden.samples == manifest["golden"]["samples"] == 8
    assert set(golden.outputs) == {entry["file"] for entry in manifest["files"]}
    for file, outputs in golden.outputs.items():
        with open_model(converted / file) as model:
            again = model.run(dict(golden.inputs))
        np.testing.assert_array_equal(again["digit"], outputs["digit"], err_msg=file)


def test_tolerances_are_some_steps_of_integer_outputs_and_a_small_part_of_the_range_of_others(
    converted: Path,
) -> None:
    golden = open_golden(converted)
    softmax = 1 / 256  # the step that every int8 softmax has
    for file, outputs in golden.tolerances.items():
        steps = outputs["digit"] / softmax
        assert (
            (5.9 <= steps <= 6.1) if "int8." in file or "dynamic" in file else (0 < steps <= 3)
        ), file


def test_other_kernels_stay_within_the_tolerances(converted: Path) -> None:
    """LiteRT's plain kernels and ONNX Runtime's float ones round otherwise than those that answered."""
    golden = open_golden(converted)
    differ = 0
    for file, outputs in golden.outputs.items():
        with open_model(converted / file, device="reference") as model:
            error = np.abs(model.run(dict(golden.inputs))["digit"] - outputs["digit"]).max()
        differ += bool(error)
        assert error <= golden.tolerances[file]["digit"], file
    assert differ


def test_golden_samples_are_bounded_and_can_be_left_out(digits: Path, tmp_path: Path) -> None:
    def convert(**options: object) -> dict[str, object] | None:
        edgekit.convert(
            digits / "mlp.keras", digits / "calib.npz", tmp_path, to="tflite", precision="float32",
            **options,
        )  # fmt: skip
        return json.loads((tmp_path / "manifest.json").read_text())["golden"]  # type: ignore[no-any-return]

    three = convert(golden=3)
    assert three is not None
    assert three["samples"] == 3
    assert read_golden(tmp_path / "golden.npz").samples == 3
    assert convert(golden=0) is None
    assert not (tmp_path / "golden.npz").exists()
    with pytest.raises(ModelError, match="no golden samples: convert again"):
        open_golden(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "not the file that manifest.json"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_golden_samples_that_were_not_listed_are_refused(
    change: object, says: str, converted: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted, tmp_path / "out")
    change(folder / "golden.npz")  # type: ignore[operator]
    with pytest.raises(ModelError, match=says):
        open_golden(folder)


def test_a_listed_name_never_leads_out_of_the_folder(converted: Path, tmp_path: Path) -> None:
    manifest = dict(read_listed(converted) or {})
    assert {path.name for of in listed_files(manifest, tmp_path).values() for path in of} == {
        *(entry["file"] for entry in manifest["files"]),
        "golden.npz",
    }
    for name in ("../golden.npz", "/etc/passwd", "..", ""):
        manifest["golden"] = {**manifest["golden"], "file": name}
        with pytest.raises(ModelError, match="cannot be read"):
            listed_files(manifest, tmp_path)


def test_the_manifest_says_what_outputs_mean_and_the_license(digits: Path, tmp_path: Path) -> None:
    edgekit.convert(
        digits / "mlp.keras", digits / "calib.npz", tmp_path, to="tflite", precision="float32",
        scale="0..1", license="CC-BY-4.0",
    )  # fmt: skip
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["license"] == "CC-BY-4.0"
    assert manifest["postprocessing"] == [
        {"output": "digit", "task": "classes", "kind": "none", "top_k": 5, "part": ""}
    ]
    (image,) = manifest["preprocessing"]
    assert image == {
        "input": "image",
        "height": 8,
        "width": 8,
        "color_order": "L",
        "scale": "0..1",
        "mean": [0.0],
        "std": [255.0],
        "resize": "stretch",
        "interpolation": "bilinear-antialiased",
        "crop": "none",
        "exif_orientation": True,
    }
