"""Folders that test themselves: hashes, golden samples on devices, and what is wrong in words."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit_runtimes import DEVICES, ModelError, verify_folder
from edgekit_runtimes.bundle.golden import Golden, read_golden, write_golden
from edgekit_runtimes.known_files import sha256


@pytest.fixture
def folder(converted: Path, tmp_path: Path) -> Path:
    """A copy of the converted folder, with three of its files."""
    copy = shutil.copytree(converted, tmp_path / "out")
    kept = ("model_float32.tflite", "model_int8.tflite", "model_int8.onnx")
    rewrite(
        copy,
        lambda manifest: manifest.update(files=[f for f in manifest["files"] if f["file"] in kept]),
    )
    return copy


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def with_golden(folder: Path, change: Callable[[Golden], Golden]) -> None:
    """Other golden samples, which the manifest lists."""
    path = folder / "golden.npz"
    write_golden(change(read_golden(path)), path)
    rewrite(folder, lambda manifest: manifest["golden"].update(sha256=sha256(path, again=True)))


def verdicts(folder: Path, **options: Any) -> dict[tuple[str, str], str]:
    return {(c.file, c.device): c.verdict for c in verify_folder(folder, **options).checks}


def reasons(folder: Path, **options: Any) -> str:
    verified = verify_folder(folder, **options)
    assert not verified
    assert verified.failed
    return str(verified)


def test_each_file_runs_on_every_device_that_is_ready(folder: Path) -> None:
    found = verdicts(folder)
    assert set(found.values()) == {"pass"}
    for file in ("model_int8.tflite", "model_int8.onnx"):
        ready = {
            d.name
            for d in DEVICES
            if Path(file).suffix in d.suffixes and not d.simulated and not d.missing()
        }
        assert {device for name, device in found if name == file and device} == ready
    assert ("golden.npz", "") in found


def test_devices_are_chosen_by_name_and_simulators_run_where_they_are_named(folder: Path) -> None:
    assert {d for _, d in verdicts(folder, device="cpu")} == {"", "xnnpack", "mlas"}
    assert {d for _, d in verdicts(folder, device=["mlas"])} == {"", "mlas"}
    assert {d for _, d in verdicts(folder, device="reference")} == {"", "reference"}
    assert verify_folder(folder, device="reference")


@pytest.mark.parametrize("file", ["model_int8.tflite", "model_int8.onnx", "golden.npz"])
def test_a_changed_byte_is_told_and_the_file_not_opened(file: str, folder: Path) -> None:
    path = folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "it is not the file that manifest.json lists" in reasons(folder, device="cpu")
    found = verdicts(folder, device="cpu")
    assert found[file, ""] == "fail"
    ran = {name for name, device in found if device}
    assert file not in ran
    assert ran == (
        set() if file == "golden.npz" else {name for name, _ in found} - {file, "golden.npz"}
    )


def test_a_byte_that_storage_lost_is_told_although_no_time_has_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = folder / "model_int8.onnx"
    digest = sha256(path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    from edgekit_runtimes import known_files

    numbers = "-".join(("sha256", *map(str, known_files.identity(path))))
    known_files.keep(numbers, digest)  # what the cache knows of the file as it was
    assert sha256(path) == digest
    assert not verify_folder(folder, device="cpu")


@pytest.mark.parametrize("file", ["model_int8.tflite", "golden.npz"])
def test_a_missing_file_is_told(file: str, folder: Path) -> None:
    (folder / file).unlink()
    assert f"{folder / file}: manifest.json lists it, but it cannot be read" in reasons(folder)


def test_wrong_answers_are_told_with_how_wrong_they_are(folder: Path) -> None:
    def spoil(golden: Golden) -> Golden:
        outputs = {
            file: {k: v.copy() for k, v in of.items()} for file, of in golden.outputs.items()
        }
        outputs["model_int8.tflite"]["digit"][3, 7] += 0.5
        return replace(golden, outputs=outputs)

    with_golden(folder, spoil)
    said = reasons(folder, device="cpu")
    assert (
        "model_int8.tflite on xnnpack: fail: 'digit' differs from the golden output in 1 of 8 samples, by up "
        "to 0.5 in sample 3; 0.0234 is allowed"
    ) in said
    found = verdicts(folder, device="cpu")
    assert found["model_int8.tflite", "xnnpack"] == "fail"
    assert found["model_float32.tflite", "xnnpack"] == "pass"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_on_one_side_is_wrong(value: float, folder: Path) -> None:
    def spoil(golden: Golden) -> Golden:
        wrong = golden.outputs["model_int8.onnx"]["digit"].copy()
        wrong[0, 0] = value
        return replace(golden, outputs={**golden.outputs, "model_int8.onnx": {"digit": wrong}})

    with_golden(folder, spoil)
    verified = verify_folder(folder, device="cpu")
    assert [c.file for c in verified.checks if c.verdict == "fail"] == ["model_int8.onnx"]
    assert "Infinity" not in json.dumps(verified.to_dict())


def test_golden_outputs_of_another_shape_or_name_are_told(folder: Path) -> None:
    def spoil(golden: Golden) -> Golden:
        digit = golden.outputs["model_int8.onnx"]["digit"]
        other = {"model_int8.onnx": {"digit": digit[:, :5]}, "model_int8.tflite": {"letter": digit}}
        return replace(golden, outputs={**golden.outputs, **other})

    with_golden(folder, spoil)
    said = reasons(folder, device="cpu")
    assert "its output 'digit' is of shape (8, 10); the golden one has (8, 5)" in said
    assert "its output 'letter' is not there" in said


@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_a_tolerance_that_is_none_allows_nothing(tolerance: float, folder: Path) -> None:
    def spoil(golden: Golden) -> Golden:
        wrong = golden.outputs["model_int8.onnx"]["digit"] + 0.01
        return replace(golden, outputs={**golden.outputs, "model_int8.onnx": {"digit": wrong}})

    with_golden(folder, spoil)
    rewrite(
        folder,
        lambda m: m["golden"]["tolerances"].update({"model_int8.onnx": {"digit": tolerance}}),
    )
    assert verdicts(folder, device="cpu")["model_int8.onnx", "mlas"] == "fail"


def test_without_golden_samples_the_hashes_are_checked(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest.update(golden=None))
    verified = verify_folder(folder)
    assert verified
    assert verified.samples == 0
    assert not any(check.device for check in verified.checks)


def test_a_damaged_manifest_fails_and_a_folder_without_one_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "manifest.json").write_text('{"schema": "edgekit.manifest/1", "files": [')
    assert "manifest.json: it is damaged" in reasons(folder)
    with pytest.raises(ModelError, match=r"there is no manifest\.json"):
        verify_folder(tmp_path)


def test_a_device_that_is_not_there_fails_nothing_and_passes_nothing(folder: Path) -> None:
    verified = verify_folder(folder, device="tpu")
    assert not verified
    assert not verified.failed
    assert "no device 'tpu'" in str(verified)


def test_it_needs_no_tensorflow(folder: Path) -> None:
    code = (
        "import sys; from edgekit_runtimes import verify_folder; "
        f"assert verify_folder({str(folder)!r}, device='cpu'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"ai_edge_litert", "onnxruntime"} <= loaded
    assert loaded & {"tensorflow", "keras", "onnx", "edgekit", "edgekit_converters"} == set()
