"""What ``open_model`` says where it cannot do what was asked."""

import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from edgekit_runtimes import (
    DEVICES,
    DeviceUnavailable,
    InputError,
    ModelError,
    NotDelegated,
    RuntimeMissing,
    open_model,
)

RUNTIMES = {
    "ai_edge_litert",
    "onnxruntime",
    "onnxruntime_qnn",
    "openvino",
    "tensorflow",
    "tflite_micro",
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def skip_where_there_is(kind: str) -> None:
    ready = [d.name for d in DEVICES if d.kind == kind and not d.simulated and not d.missing()]
    if ready:
        pytest.skip(f"this machine has {', '.join(ready)}")


def hide(monkeypatch: pytest.MonkeyPatch, packages: str) -> None:
    """Makes Python take packages as not installed."""
    for package in packages.split(","):
        monkeypatch.setitem(sys.modules, package, None)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 8, 8, 1), np.float32)


def with_verdicts(converted: Path, folder: Path, **holds: str) -> Path:
    """A copy of the converted files, of which only some hold."""
    copytree(converted, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        file["verdict"] = holds.get(file["file"].replace(".", "_"), "fail")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_importing_loads_no_runtime() -> None:
    code = "import sys, edgekit_runtimes; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()} & RUNTIMES == set()


def test_errors_can_be_caught_by_what_they_are() -> None:
    assert issubclass(RuntimeMissing, DeviceUnavailable)
    assert issubclass(NotDelegated, DeviceUnavailable)
    assert not issubclass(DeviceUnavailable, ModelError)
    assert issubclass(InputError, ValueError)


def test_the_table_of_devices_is_whole() -> None:
    for suffix in (".tflite", ".onnx", ".keras"):
        names = [d.name for d in DEVICES if suffix in d.suffixes]
        assert len(names) == len(set(names)), "two devices of one name"
    for device in DEVICES:
        assert device.kind in ("cpu", "gpu", "npu")
        assert device.add
        assert device.missing() is None or isinstance(device.missing(), DeviceUnavailable)
    first = {d.suffixes[0]: d.name for d in reversed(DEVICES) if d.kind == "cpu"}
    assert first == {".tflite": "xnnpack", ".onnx": "mlas", ".keras": "keras"}


@pytest.mark.parametrize(
    ("name", "device", "others"),
    [
        ("model_int8.tflite", "tpu", "auto, cpu, gpu, npu, xnnpack, openvino, reference, micro"),
        ("model_int8.onnx", "CPU", "auto, cpu, gpu, npu, mlas, openvino"),
        ("model_int8.tflite", "mlas", "auto, cpu, gpu, npu, xnnpack"),
        ("model_int8.onnx", "xnnpack", "auto, cpu, gpu, npu, mlas"),
        ("model_int8.onnx", "micro", "auto, cpu, gpu, npu, mlas"),
        ("model_int8.onnx", "", "auto, cpu, gpu, npu, mlas"),
    ],
)
def test_a_device_that_opens_no_such_files_is_told_with_those_that_do(
    converted: Path, name: str, device: str, others: str
) -> None:
    with pytest.raises(DeviceUnavailable, match=f"{name}: no device '{device}' .*{others}") as told:
        open_model(converted / name, device=device)
    assert type(told.value) is DeviceUnavailable


@pytest.mark.parametrize(
    ("name", "device", "package", "extra"),
    [
        ("out/model_int8.tflite", "xnnpack", "ai_edge_litert", "litert"),
        ("out/model_int8.tflite", "webgpu", "ai_edge_litert", "litert"),
        ("out/model_int8.tflite", "npu-on-cpu", "ai_edge_litert", "litert,openvino"),
        ("out/model_int8.tflite", "openvino", "openvino", "openvino"),
        ("out/model_int8.tflite", "micro", "tflite_micro", "micro"),
        ("out/model_int8.onnx", "mlas", "onnxruntime", "onnx"),
        ("out/model_int8.onnx", "cpu", "onnxruntime,openvino", "onnx"),
        ("out/model_int8.onnx", "auto", "onnxruntime,openvino", "onnx"),
        ("out", "cpu", "ai_edge_litert,onnxruntime,openvino", "litert"),
        ("out/model_int8.onnx", "openvino", "openvino", "openvino"),
        ("out/model_int8.onnx", "qnn", "onnxruntime_qnn", "qnn"),
        ("out/model_int8.onnx", "webgpu", "onnxruntime_ep_webgpu", "webgpu"),
        ("cnn.keras", "keras", "tensorflow", "convert"),
        ("cnn.keras", "cpu", "tensorflow", "convert"),
    ],
)
def test_what_is_not_installed_is_told_with_the_line_that_installs_it(
    digits: Path,
    converted: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    device: str,
    package: str,
    extra: str,
) -> None:
    hide(monkeypatch, package)
    wanted = rf"{package.partition(',')[0].replace('_', '.')} is not installed.*pip install 'edgekit-toolkit\[{extra}\]'"
    with pytest.raises(RuntimeMissing, match=f"(?i){wanted}"):
        open_model(digits / name, device=device)


@pytest.mark.parametrize(
    ("name", "package"),
    [("model_int8.tflite", "ai_edge_litert"), ("model_int8.onnx", "onnxruntime")],
)
def test_the_next_cpu_device_takes_over_where_the_first_is_not_installed(
    converted: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    hide(monkeypatch, package)
    with open_model(converted / name) as model:
        assert model.device == "openvino"
        assert model.run(images(2)).shape == (2, 10)


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no manifest\.json.*edgekit convert"):
        open_model(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1", b"\xff", b'{"files": [{}]}', b'{"files": 3}']
)
def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"manifest\.json: cannot be read"):
        open_model(tmp_path)


def test_a_folder_of_which_nothing_holds_is_told_with_the_verdicts(
    converted: Path, tmp_path: Path
) -> None:
    folder = with_verdicts(converted, tmp_path / "out", model_int8_onnx="inconclusive")
    with pytest.raises(
        ModelError, match=r"none .*model_int8\.tflite: fail, model_int8\.onnx: inconclusive"
    ):
        open_model(folder)


def test_a_file_of_the_manifest_that_is_gone_is_told(converted: Path, tmp_path: Path) -> None:
    folder = with_verdicts(converted, tmp_path / "out", model_int8_tflite="pass")
    (folder / "model_int8.tflite").unlink()
    with pytest.raises(ModelError, match=r"model_int8\.tflite"):
        open_model(folder)


@pytest.mark.parametrize(("device", "suffix"), [("xnnpack", ".tflite"), ("mlas", ".onnx")])
def test_a_folder_gives_the_file_that_the_device_opens(
    converted: Path, tmp_path: Path, device: str, suffix: str
) -> None:
    both = {"model_int8_tflite": "pass", "model_int8_onnx": "pass"}
    folder = with_verdicts(converted, tmp_path / "out", **both)
    for threads in (None, 1):
        with open_model(folder, device=device, threads=threads) as model:
            assert (model.device, Path(model.path).suffix) == (device, suffix)


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_int8.onnx"])
def test_a_gpu_that_is_not_there_is_told_with_what_it_lacks(converted: Path, name: str) -> None:
    skip_where_there_is("gpu")
    with pytest.raises(DeviceUnavailable, match=f"{name}.*webgpu: .*openvino.gpu: ") as told:
        open_model(converted / name, device="gpu")
    assert "driver" in str(told.value)
    assert "already registered" not in str(told.value)


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_int8.onnx"])
def test_an_npu_that_is_not_there_is_told_with_what_it_lacks(converted: Path, name: str) -> None:
    skip_where_there_is("npu")
    with pytest.raises(DeviceUnavailable, match=f"{name}: no npu .*no Intel NPU.*driver") as told:
        open_model(converted / name, device="npu")
    assert not isinstance(told.value, RuntimeMissing)
    device = "intel-npu" if name.endswith("tflite") else "openvino-npu"
    with pytest.raises(DeviceUnavailable, match=f"{name}.*no Intel NPU") as told:
        open_model(converted / name, device=device)
    assert not isinstance(told.value, RuntimeMissing), "nothing that pip installs is missing"


@pytest.mark.parametrize("library", ["/nowhere/libdelegate.so", "libdelegate.so.2"])
def test_a_delegate_that_is_not_there_is_told(
    converted: Path, tmp_path: Path, library: str
) -> None:
    with pytest.raises(DeviceUnavailable, match=f"{library}.*cannot be loaded"):
        open_model(converted / "model_int8.tflite", device=library)
    with pytest.raises(DeviceUnavailable, match=rf"{library} is a delegate.*\.tflite"):
        open_model(converted / "model_int8.onnx", device=library)
    with pytest.raises(DeviceUnavailable, match=f"{library}.*cannot be loaded"):
        open_model(converted, device=library)


def test_a_library_that_is_no_delegate_is_told(converted: Path, tmp_path: Path) -> None:
    (tmp_path / "libtext.so").write_text("this is no library")
    with pytest.raises(DeviceUnavailable, match=r"libtext\.so.*cannot be loaded"):
        open_model(converted / "model_int8.tflite", device=str(tmp_path / "libtext.so"))
