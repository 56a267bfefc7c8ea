"""What convert writes of its samples' distributions, and a monitor that reads it beside the file."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.data.samples import Array
from edgekit_runtimes import ModelError, Session, open_model
from edgekit_runtimes.monitoring.monitor import DataChanged, MonitorOptions

EVERY = MonitorOptions(time_share=1)


def show(model: Session, images: Array) -> None:
    for image in images:
        model.run(image[np.newaxis])


@pytest.mark.parametrize(
    "name",
    ["model_int8.tflite", "model_float32.onnx", "model_dynamic.tflite", "model_int16x8.tflite"],
)
def test_what_goes_through_a_converted_file_is_compared(
    converted: Path, digits: Path, name: str
) -> None:
    with np.load(digits / "eval.npz") as data:
        images = data["image"]

    with open_model(converted / name, monitor=EVERY) as model:
        show(model, images)
        clean = model.monitor.report()
        with pytest.warns(DataChanged, match=r"inputs no longer look like .* brighter by \d\d%"):
            show(model, 1.4 * images[:200])
        changed = model.monitor.report()

    assert (clean.status, clean.samples, clean.warnings) == ("as calibrated", 400, ())
    (output,) = clean.outputs
    assert {c.label for c in output.classes} == set("0123456789")
    assert sum(c.share for c in output.classes) == pytest.approx(1)
    assert changed.status == "changed" and changed.alarms_in_all >= 1
    assert json.loads(json.dumps(changed.to_dict()))["schema"] == "edgekit.monitor/1"


def test_a_folder_and_auto_are_monitored_and_a_lone_file_is_refused(
    converted: Path, digits: Path, tmp_path: Path
) -> None:
    with np.load(digits / "eval.npz") as data:
        images = data["image"]
    with open_model(converted, monitor=EVERY) as model:
        model.run({"image": images[:100]})

        assert model.monitor.report().samples == 25  # at most so many of one call
    lone = shutil.copy(converted / "model_int8.tflite", tmp_path)
    with pytest.raises(ModelError, match=r"no manifest\.json beside it lists it"):
        open_model(lone, monitor=True)
    with open_model(lone) as model, pytest.raises(ModelError, match="monitor=True"):
        _ = model.monitor


def test_the_manifest_has_no_distributions_where_they_are_not_wanted(
    digits: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "edgekit", "convert", digits / "mlp.keras", "--data"]
    command += [digits / "calib.npz", "-o", tmp_path, "--to", "tflite", "--precision", "float32"]
    subprocess.run([*command, "--no-distributions"], check=True, capture_output=True)

    assert json.loads((tmp_path / "manifest.json").read_text())["distributions"] is None
    with pytest.raises(ModelError, match=r"it has no distributions.* Convert again"):
        open_model(tmp_path / "model_float32.tflite", monitor=True)


@pytest.mark.parametrize("damage", ["counts", "statistics", "meaning"])
def test_damaged_distributions_are_refused(converted: Path, tmp_path: Path, damage: str) -> None:
    folder = shutil.copytree(converted, tmp_path / "out")
    manifest = json.loads((folder / "manifest.json").read_text())
    image = manifest["distributions"]["inputs"]["image"]
    changed = image["statistics"][0] if damage == "counts" else image
    changed[damage] = {"counts": [1], "statistics": image["statistics"][1:], "meaning": "?"}[damage]
    (folder / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(ModelError, match=r"distributions.* damaged"):
        open_model(folder / "model_int8.tflite", monitor=True)
    open_model(folder / "model_int8.tflite").close()


def test_they_are_of_all_samples_that_were_read(converted: Path) -> None:
    manifest = json.loads((converted / "manifest.json").read_text())
    image = manifest["distributions"]["inputs"]["image"]
    digit = manifest["distributions"]["outputs"]["model_int8.tflite"]["digit"]

    assert image["samples"] == manifest["calibrated_on"] + manifest["evaluated_on"]
    assert (image["low"], image["high"]) == tuple(manifest["ranges"]["image"])
    assert digit["samples"] == sum(digit["classes"]) == manifest["evaluated_on"]
    for one in image["statistics"] + digit["statistics"]:
        assert sum(one["counts"]) == one["samples"] > 0
    assert edgekit.__version__


def test_outputs_that_are_whole_numbers_have_a_distribution_too(tmp_path: Path) -> None:
    import keras
    from support.zoo_layers import best_class

    keras.utils.set_random_seed(0)
    rows = {"x": np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)}
    report = edgekit.convert(best_class(), rows, tmp_path, precision="float32")
    assert len(report.files) == 2
