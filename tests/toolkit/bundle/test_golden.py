"""Golden samples and facts of a folder: what convert writes, and how far another processor may be from it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit_runtimes import ModelError, open_model
from edgekit_runtimes.bundle.golden import open_golden, read_golden
from edgekit_runtimes.bundle.manifest_file import listed_files, read_listed


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


def test_other_kernels_stay_within_the_tolerances_and_a_picture_upside_down_does_not(
    converted: Path,
) -> None:
    """LiteRT's plain kernels and ONNX Runtime's float ones round otherwise than those that answered."""
    golden = open_golden(converted)
    flipped = {"image": golden.inputs["image"][:, ::-1]}
    for file, outputs in golden.outputs.items():
        with open_model(converted / file, device="reference") as model:
            right, wrong = (
                np.abs(model.run(dict(x))["digit"] - outputs["digit"]).max()
                for x in (golden.inputs, flipped)
            )
        assert right <= golden.tolerances[file]["digit"] < wrong, file


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


def test_logits_want_a_softmax_and_detections_are_told_by_their_parts(
    digits: Path, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((8, 8, 1), name="image")
    flat = keras.layers.Flatten()(x)
    dense = keras.layers.Dense
    outputs = {
        "digit": dense(10)(flat),
        "boxes": keras.layers.Reshape((5, 4))(dense(20)(flat)),
        "scores": dense(5, activation="sigmoid")(flat),
        "classes": keras.layers.ReLU()(dense(5)(flat)),
    }
    with np.load(digits / "calib.npz") as held:
        data = {"image": held["image"][:120], "y_digit": held["y"][:120]}
    edgekit.convert(
        keras.Model(x, outputs),
        data,
        tmp_path / "out",
        to="tflite",
        precision="float32",
        max_drop=1.0,
    )
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    found = {entry["output"]: entry for entry in manifest["postprocessing"]}
    assert (found["digit"]["task"], found["digit"]["kind"]) == ("classes", "softmax")
    for part in ("boxes", "scores", "classes"):
        assert (found[part]["task"], found[part]["part"]) == ("detection", part)
    with open_model(tmp_path / "out/model_float32.tflite") as model:
        prediction = model.predict(data["image"][0])
        logits = model.run({"image": data["image"][:1]})["digit"][0]
    assert prediction.outputs["digit"].sum() == pytest.approx(1)
    best = prediction.answers["digit"][0]
    assert best.number == logits.argmax()
    boxes = prediction.answers["boxes"]
    assert len(boxes) == 5
    assert [b.score for b in boxes] == sorted((b.score for b in boxes), reverse=True)


def test_damaged_golden_samples_are_an_error_whatever_byte_it_is(
    converted: Path, tmp_path: Path
) -> None:
    content = (converted / "golden.npz").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(600):
        damaged = bytearray(content)
        damaged[random.integers(len(damaged))] = random.integers(256)
        path = tmp_path / "golden.npz"
        path.write_bytes(damaged)
        try:
            read_golden(path)
        except ModelError:
            refused += 1
    assert refused > 300
