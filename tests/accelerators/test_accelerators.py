"""Each accelerator: where it ran, and its answers against the CPU's."""

from pathlib import Path

import numpy as np
import pytest
from comparison import QUANTUM, compare

from edgekit_runtimes import DeviceUnavailable, NotDelegated, Placement, open_layers, open_model
from edgekit_runtimes.host import instruction_sets

pytestmark = pytest.mark.accelerator


def images(digits: Path) -> np.ndarray:
    held_out: np.ndarray = np.load(digits / "eval.npz")["image"][:50]
    return held_out


def int8_rounding(folder: Path) -> float:
    """How far two int8 kernels may differ that both round rightly, here in one and there in another way.

    Two logits may be a quantum off, one up and one down. The softmax passes on at most a quarter of
    each, and rounds to a quantum of its own.
    """
    layers = open_layers(folder / "model_int8.tflite").layers
    (logits,) = layers[-1].reads
    scale = layers[logits].scale
    assert layers[-1].kind == "SOFTMAX" and scale is not None
    return scale / 2 + 2 * QUANTUM


def allowed(folder: Path, precision: str, *, float32: float = 5e-5) -> float:
    return float32 if precision == "float32" else int8_rounding(folder)


def whole(placement: Placement) -> None:
    assert placement.delegated == len(placement.operators) > 0
    assert placement.partitions == 1


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_litert_on_a_gpu(software_gpu: None, digits: Path, converted: Path, precision: str) -> None:
    found = compare(converted / f"model_{precision}.tflite", "webgpu", images(digits))
    whole(found.placement)
    assert found.placement.simulated
    assert "SwiftShader" in found.placement.processor
    assert found.same >= 0.98
    assert found.largest <= allowed(converted, precision)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_litert_by_its_path_to_an_npu(digits: Path, converted: Path, precision: str) -> None:
    found = compare(converted / f"model_{precision}.tflite", "npu-on-cpu", images(digits))
    whole(found.placement)
    assert found.placement.simulated
    assert found.same >= 0.98
    # OpenVINO computes float32 in bfloat16, of 8 bits, on processors that have it; LiteRT's plug-in
    # has no option against that.
    short = {"amx_bf16", "avx512_bf16"} & instruction_sets()
    assert found.largest <= allowed(converted, precision, float32=2e-2 if short else 5e-5)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_onnx_runtime_on_a_gpu(
    software_gpu: None, digits: Path, converted: Path, precision: str
) -> None:
    found = compare(converted / f"model_{precision}.onnx", "webgpu", images(digits)[:10])
    assert found.placement.simulated
    assert found.same == 1.0
    assert found.largest <= allowed(converted, precision)
    if precision == "float32":
        whole(found.placement)
    else:  # this provider has no QuantizeLinear: real numbers go back and forth
        left = [op.kind for op in found.placement.operators if op.processor == "CPU"]
        assert set(left) == {"QuantizeLinear"}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_onnx_runtime_on_the_hexagon_emulator(
    hexagon: None, digits: Path, converted: Path, precision: str
) -> None:
    found = compare(converted / f"model_{precision}.onnx", "qnn", images(digits))
    whole(found.placement)
    assert found.placement.simulated
    assert found.placement.int8_macs == (1.0 if precision == "int8" else 0.0)
    assert found.same >= 0.98
    assert found.largest <= allowed(converted, precision, float32=5e-3)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("device", ["openvino", "micro"])
def test_other_kernels_of_the_cpu(
    digits: Path, converted: Path, device: str, precision: str
) -> None:
    found = compare(converted / f"model_{precision}.tflite", device, images(digits))
    whole(found.placement)
    assert found.same >= 0.98
    assert found.largest <= allowed(converted, precision)


def test_a_simulator_is_never_chosen_by_itself(
    software_gpu: None,
    hexagon: None,
    converted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("model_int8.tflite", "model_int8.onnx"):
        with open_model(converted / name, device="auto") as model:
            assert not model.simulated
            assert model.device in ("xnnpack", "mlas", "openvino")


def test_strict_refuses_a_model_with_an_operator_that_the_device_lacks(
    software_gpu: None, converted: Path
) -> None:
    path = converted / "model_int8.onnx"
    with pytest.raises(NotDelegated, match=r"QuantizeLinear") as refusal:
        open_model(path, device="webgpu", strict=True)
    assert 0.5 < refusal.value.placement.delegated_fraction < 1
    with open_model(path, device="webgpu", min_delegated=0.5) as model:
        assert model.placement.delegated_fraction >= 0.5


def test_what_a_gpu_leaves_behind_has_a_reason(software_gpu: None, recurrent: Path) -> None:
    with open_model(recurrent / "model_float32.tflite", device="webgpu") as model:
        assert "not supported" in model.placement.reasons["WHILE"]
        assert 0 < model.placement.delegated < len(model.placement.operators)
    with pytest.raises(NotDelegated, match="WHILE"):
        open_model(recurrent / "model_float32.tflite", device="webgpu", strict=True)


def test_a_provider_that_silently_does_nothing_is_found_out(
    hexagon: None, converted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its back end gone, ONNX Runtime lists the provider and runs everything on the CPU."""
    import onnxruntime_qnn

    monkeypatch.setattr(onnxruntime_qnn, "get_qnn_htp_path", lambda: "/gone/libQnnHtp.so")
    with pytest.raises(DeviceUnavailable, match=r"runs none of the model.*libQnnHtp"):
        open_model(converted / "model_int8.onnx", device="qnn")


def test_a_provider_whose_library_is_gone_is_refused(
    hexagon: None, converted: Path, tmp_path: Path
) -> None:
    """In a process of its own: a library that is registered once stays."""
    import subprocess
    import sys

    script = tmp_path / "script.py"
    script.write_text(
        "import onnxruntime_qnn\n"
        "onnxruntime_qnn.get_library_path = lambda: '/gone/libonnxruntime_providers_qnn.so'\n"
        "from edgekit_runtimes import DeviceUnavailable, open_model\n"
        "try:\n"
        f"    open_model({str(converted / 'model_int8.onnx')!r}, device='qnn')\n"
        "except DeviceUnavailable as error:\n"
        "    print(error)\n"
    )
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert "/gone/libonnxruntime_providers_qnn.so cannot be loaded" in told.stdout
    assert told.stderr == ""


def test_a_missing_adapter_is_refused_without_noise(converted: Path, tmp_path: Path) -> None:
    """In a process of its own, where Vulkan finds no driver."""
    import os
    import subprocess
    import sys

    script = tmp_path / "script.py"
    script.write_text(
        "from edgekit_runtimes import DeviceUnavailable, open_model\n"
        "for strict in (False, True):\n"
        "    try:\n"
        f"        open_model({str(converted / 'model_int8.tflite')!r}, device='webgpu', strict=strict)\n"
        "    except DeviceUnavailable as error:\n"
        "        print(error)\n"
    )
    env = {**os.environ, "VK_ICD_FILENAMES": "/gone.json", "VK_DRIVER_FILES": "/gone.json"}
    told = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env=env
    )
    assert told.stdout.count("no graphics adapter") == 2
    assert told.stderr == ""


@pytest.fixture(scope="session")
def recurrent(digits: Path) -> Path:
    """The digits LSTM, whose float file has a loop."""
    import edgekit

    edgekit.convert(
        digits / "lstm.keras", digits / "rows.npz", digits / "lstm", precision=["float32"]
    )
    return digits / "lstm"


def test_a_crash_of_litert_is_a_refusal(software_gpu: None, digits: Path, tmp_path: Path) -> None:
    """An unrolled int8 LSTM, split between GPU and CPU, takes LiteRT's process down."""
    import keras
    from support.models import digits_lstm

    import edgekit

    keras.utils.set_random_seed(0)
    edgekit.convert(digits_lstm(unroll=True), digits / "rows.npz", tmp_path)
    with pytest.raises(DeviceUnavailable, match=r"crashed \(signal 11\)"):
        open_model(tmp_path / "model_int8.tflite", device="webgpu")
