"""devices, inspect, bench and run: what a person sees of finished files."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgekit.cli.main import main
from edgekit_runtimes import DEVICES
from edgekit_runtimes.host import has_vnni


def edgekit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_devices_names_every_device_and_what_adds_it() -> None:
    result = edgekit("devices")
    assert result.exit_code == 0
    for device in DEVICES:
        assert device.name in result.output
    assert "not tested on hardware" in result.output
    assert max(map(len, result.output.splitlines())) <= 80
    listed = json.loads(edgekit("devices", "--json").stdout)
    assert listed["processor"]["usable"] >= 1
    by_name = {(d["name"], d["runtime"]): d for d in listed["devices"]}
    assert by_name["xnnpack", "LiteRT"]["missing"] is None
    assert by_name["directml", "ONNX Runtime"]["missing"]


def test_inspect_says_what_runs_where(converted: Path) -> None:
    result = edgekit("inspect", converted / "model_int8.tflite", "--device", "xnnpack")
    assert result.exit_code == 0
    for word in ("CONV_2D", "XNNPACK", "SOFTMAX", "input image (1, 8, 8, 1) float32", "int8"):
        assert word in result.output
    assert "100% of" in result.output


def test_inspect_as_json_adds_up(converted: Path) -> None:
    told = json.loads(edgekit("inspect", converted / "model_int8.onnx", "--json").stdout)
    assert told["device"] == "mlas"
    assert told["delegated"] == len(told["operators"])
    assert told["macs"] == sum(op["macs"] for op in told["operators"]) > 0
    assert told["int8_macs"] == 1.0


def test_inspect_says_that_weights_are_read_as_signed(converted: Path) -> None:
    note = "weights: 2 tensors read as signed (VNNI)"
    file = converted / "model_int8.onnx"
    assert json.loads(edgekit("inspect", file, "--json").stdout)["notes"] == [note] * has_vnni()
    assert (note in edgekit("inspect", file).output) == has_vnni()


def test_inspect_strict_is_a_limit(converted: Path) -> None:
    file = converted / "model_int8.tflite"
    assert edgekit("inspect", file, "--strict").exit_code == 0  # all of it is on the processor
    refused = edgekit("inspect", file, "--strict", "--device", "xnnpack")
    assert refused.exit_code == 1
    assert "SOFTMAX" in refused.stderr
    assert edgekit("inspect", file, "--min-delegated", "80%", "--device", "xnnpack").exit_code == 0


def test_inspect_tells_the_memory_that_a_microcontroller_sets_aside(converted: Path) -> None:
    file = converted / "model_int8.tflite"
    result = edgekit("inspect", file, "--device", "micro")
    assert result.exit_code == 0
    assert re.search(r"arena: \d,\d{3} bytes .* upper bound", result.stdout)
    refused = edgekit("inspect", converted / "model_dynamic.tflite", "--device", "micro")
    assert refused.exit_code == 3
    assert "Hybrid models are not supported" in refused.stderr


def test_a_device_that_is_not_there_ends_with_4(converted: Path) -> None:
    refused = edgekit("inspect", converted / "model_int8.onnx", "--device", "directml")
    assert refused.exit_code == 4
    assert "onnxruntime-directml" in refused.stderr
    unknown = edgekit("inspect", converted / "model_int8.onnx", "--device", "abacus")
    assert unknown.exit_code == 4
    assert "mlas" in unknown.stderr


def test_brackets_in_a_name_are_no_markup(converted: Path, tmp_path: Path) -> None:
    file = shutil.copy(converted / "model_int8.tflite", tmp_path / "v[new].tflite")
    for command in (["bench", file, "--seconds", "0.05"], ["inspect", file]):
        assert "v[new].tflite" in "".join(edgekit(*command).output.split())


def test_bench_times_files_and_devices_side_by_side(converted: Path) -> None:
    files = [converted / "model_int8.tflite", converted / "model_int8.onnx"]
    result = edgekit(
        "bench", *files, "--devices", "xnnpack,mlas,micro", "--seconds", "0.1", "--json"
    )  # fmt: skip
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    # A device is left out where it does not open the file.
    assert [(Path(r["file"]).suffix, r["device"]) for r in rows] == [
        (".tflite", "xnnpack"),
        (".tflite", "micro"),
        (".onnx", "mlas"),
    ]
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert row["load_ms"] > 0
        assert row["first_call_ms"] > 0
        assert row["samples_per_second"] > 0
        assert row["peak_memory_mib"] > 10
    assert [row["simulated"] for row in rows] == [False, True, False]


def test_bench_marks_what_is_simulated(converted: Path) -> None:
    result = edgekit(
        "bench", converted / "model_int8.tflite", "--devices", "cpu,micro", "--seconds", "0.1",
        "--threads", "1,2",
    )  # fmt: skip
    assert result.exit_code == 0
    assert "micro*" in result.output
    assert "timing says nothing" in result.output


def test_bench_goes_on_where_one_file_fails(converted: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes((converted / "model_int8.tflite").read_bytes()[:3000])
    result = edgekit("bench", broken, converted / "model_int8.tflite", "--seconds", "0.1")
    assert result.exit_code == 4
    assert "broken.tflite on cpu" in result.output
    assert "model_int8.tflite" in result.output


def test_bench_takes_data(converted: Path, digits: Path) -> None:
    result = edgekit(
        "bench", converted / "model_int8.tflite", "--data", digits / "eval.npz", "--seconds", "0.1"
    )  # fmt: skip
    assert result.exit_code == 0


@pytest.mark.parametrize("device", ["cpu", "openvino", "auto"])
def test_run_takes_a_device(
    converted: Path, digits: Path, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = edgekit(
        "run", converted / "model_int8.tflite", "--data", digits / "eval.npz", "--device", device,
        "--json", "--count", "20",
    )  # fmt: skip
    assert result.exit_code == 0
    right = [
        line["outputs"]["digit"][0][0] == line["label"]
        for line in map(json.loads, result.stdout.splitlines())
    ]
    assert np.mean(right) > 0.8


def test_run_takes_a_folder(
    converted: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = edgekit("run", converted, "--data", digits / "eval.npz", "--count", "2", "--top", "5")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert result.stdout.splitlines()[0].count(":") == 5
    nothing = edgekit("run", tmp_path, "--data", digits / "eval.npz")
    assert nothing.exit_code == 3
    assert "manifest.json" in nothing.stderr
