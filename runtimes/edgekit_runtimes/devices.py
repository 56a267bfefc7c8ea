"""The devices: everything that a file can be opened on, in one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from edgekit_runtimes import litert_accelerators, micro, openvino, ort
from edgekit_runtimes.base import Engine, Missing, RuntimeMissing
from edgekit_runtimes.host import machine
from edgekit_runtimes.keras import open_keras
from edgekit_runtimes.litert import open_litert

Kind = Literal["cpu", "gpu", "npu"]

_TFLITE, _ONNX, _KERAS = (".tflite",), (".onnx",), (".keras", ".h5")
UNTESTED = "not tested on hardware"


@dataclass(frozen=True, slots=True)
class Device:
    """Something that runs files, and by whom."""

    name: str
    """What ``open_model(..., device=...)`` calls it."""

    kind: Kind
    runtime: str
    suffixes: Sequence[str]
    open: Callable[[Path, int], Engine]
    missing: Callable[[], Missing]
    """What it lacks on this machine; None where it is ready. Does not open a model."""

    add: str
    """What adds it."""

    note: str = ""
    """What one should know before trusting it: that nobody has run it, that it imitates."""

    imitates: bool = False
    """Right answers, but timing that says nothing: never chosen by itself."""


def _lacks(package: str) -> Callable[[], Missing]:
    told = f"{package.replace('_', '-')} is not installed"
    return lambda: None if find_spec(package) else RuntimeMissing(told)


def _by_provider(
    kind: Kind, provider: ort.Provider, note: str = UNTESTED, *, imitates: bool = False
) -> Device:
    return Device(
        provider.device,
        kind,
        "ONNX Runtime",
        _ONNX,
        partial(ort.open_provider, provider),
        partial(ort.provider_missing, provider),
        provider.add,
        note,
        imitates,
    )


def _qnn_options() -> dict[str, str]:
    import onnxruntime_qnn

    return {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        # The oldest Hexagon with the operators that we write; a phone's own is newer and takes it.
        "htp_arch": "75",
        "offload_graph_io_quantization": "0",
    }


# Where Qualcomm's libraries bring an emulator of their processor.
_ON_X86 = machine().lower() in ("x86_64", "amd64")
_EXTRA = "pip install 'edgekit-toolkit[{}]'"

DEVICES: tuple[Device, ...] = (
    # The first of a kind that is ready is what the words cpu, gpu and npu mean.
    Device(
        "xnnpack",
        "cpu",
        "LiteRT",
        _TFLITE,
        open_litert,
        _lacks("ai_edge_litert"),
        _EXTRA.format("litert"),
    ),
    Device(
        "mlas",
        "cpu",
        "ONNX Runtime",
        _ONNX,
        ort.open_mlas,
        _lacks("onnxruntime"),
        _EXTRA.format("onnx"),
    ),
    Device(
        "openvino",
        "cpu",
        "OpenVINO",
        _TFLITE + _ONNX,
        openvino.open_openvino,
        openvino.openvino_missing,
        _EXTRA.format("openvino"),
    ),
    Device(
        "keras",
        "cpu",
        "Keras",
        _KERAS,
        open_keras,
        _lacks("tensorflow"),
        _EXTRA.format("convert"),
        "the float original",
    ),
    Device(
        "reference",
        "cpu",
        "LiteRT",
        _TFLITE,
        partial(open_litert, plain=True),
        _lacks("ai_edge_litert"),
        _EXTRA.format("litert"),
        "LiteRT's own kernels, without XNNPACK",
        imitates=True,
    ),
    Device(
        "reference",
        "cpu",
        "ONNX Runtime",
        _ONNX,
        ort.open_simulated,
        _lacks("onnxruntime"),
        _EXTRA.format("onnx"),
        "quantized operators computed in float: what any integer kernel should answer",
        imitates=True,
    ),
    Device(
        "micro",
        "cpu",
        "TensorFlow Lite Micro",
        _TFLITE,
        micro.open_micro,
        micro.micro_missing,
        f"{_EXTRA.format('micro')} (Linux on x86)",
        "the kernels of microcontrollers",
        imitates=True,
    ),
    Device(
        "webgpu",
        "gpu",
        "LiteRT",
        _TFLITE,
        litert_accelerators.open_gpu,
        litert_accelerators.gpu_missing,
        f"{_EXTRA.format('litert')} and the driver of the graphics card",
        "tested on a software adapter",
    ),
    _by_provider(
        "gpu",
        ort.Provider(
            "cuda",
            "CUDAExecutionProvider",
            "pip install 'onnxruntime-gpu[cuda,cudnn]' (in place of onnxruntime)",
        ),
    ),
    _by_provider(
        "gpu",
        ort.Provider(
            "tensorrt",
            "TensorrtExecutionProvider",
            "pip install onnxruntime-gpu tensorrt (in place of onnxruntime)",
            integers=True,
        ),
    ),
    _by_provider(
        "gpu",
        ort.Provider(
            "directml",
            "DmlExecutionProvider",
            "pip install onnxruntime-directml (in place of onnxruntime; Windows)",
        ),
    ),
    _by_provider(
        "gpu",
        ort.Provider(
            "webgpu",
            "WebGpuExecutionProvider",
            f"{_EXTRA.format('webgpu')} and the driver of the graphics card",
            plugin="onnxruntime_ep_webgpu",
        ),
        "tested on a software adapter",
    ),
    Device(
        "openvino-gpu",
        "gpu",
        "OpenVINO",
        _TFLITE + _ONNX,
        partial(openvino.open_openvino, processor="GPU"),
        partial(openvino.openvino_missing, "GPU"),
        f"{_EXTRA.format('openvino')} and Intel's graphics driver",
        UNTESTED,
    ),
    _by_provider(
        "npu",
        ort.Provider(
            "qnn",
            "QNNExecutionProvider",
            _EXTRA.format("qnn"),
            plugin="onnxruntime_qnn",
            options=_qnn_options,
            integers=True,
        ),
        "Qualcomm's Hexagon emulator" if _ON_X86 else "Qualcomm Hexagon; tested on its emulator",
        imitates=_ON_X86,
    ),
    _by_provider(
        "npu",
        ort.Provider("coreml", "CoreMLExecutionProvider", f"{_EXTRA.format('onnx')} (macOS, iOS)"),
    ),
    _by_provider(
        "npu",
        ort.Provider(
            "nnapi",
            "NnapiExecutionProvider",
            "an onnxruntime built for Android",
            integers=True,
        ),
    ),
    Device(
        "intel-npu",
        "npu",
        "LiteRT",
        _TFLITE,
        litert_accelerators.open_intel_npu,
        litert_accelerators.intel_npu,
        f"{_EXTRA.format('litert,openvino')} and Intel's NPU driver",
        UNTESTED,
    ),
    Device(
        "openvino-npu",
        "npu",
        "OpenVINO",
        _TFLITE + _ONNX,
        partial(openvino.open_openvino, processor="NPU"),
        partial(openvino.openvino_missing, "NPU"),
        f"{_EXTRA.format('openvino')} and Intel's NPU driver",
        UNTESTED,
    ),
    Device(
        "npu-on-cpu",
        "npu",
        "LiteRT",
        _TFLITE,
        litert_accelerators.open_npu_on_cpu,
        litert_accelerators.intel_plugin,
        _EXTRA.format("litert,openvino"),
        "LiteRT's path to an NPU, ending at the CPU",
        imitates=True,
    ),
)
"""Every device, in the order in which the words ``cpu``, ``gpu`` and ``npu`` look for one."""


def is_delegate(device: str) -> bool:
    """Whether a device is the path of a LiteRT delegate's library."""
    return device.endswith((".so", ".dylib", ".dll")) or ".so." in device
