"""The devices: everything that a file can be opened on, in one table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from edgekit_runtimes.base import EXTRA, UNTESTED, Engine, Kind, Missing, RuntimeMissing
from edgekit_runtimes.engines import litert_gpu, litert_npu, micro, openvino, ort
from edgekit_runtimes.engines.keras import open_keras
from edgekit_runtimes.engines.litert import open_litert
from edgekit_runtimes.engines.ort_providers import PROVIDERS, open_provider, provider_missing

_TFLITE, _ONNX, _KERAS = (".tflite",), (".onnx",), (".keras", ".h5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One entry of ``DEVICES``: what runs files of some kinds, and the function that opens them."""

    name: str
    """The name in ``open_model(..., device=...)``."""

    kind: Kind
    runtime: str
    """The library that does the work, as a person knows it."""

    suffixes: Sequence[str]
    """The kinds of files that it opens: ``.tflite``, ``.onnx``, ..."""

    open: Callable[[Path, int], Engine]
    """Opens a file with a number of threads."""

    missing: Callable[[], Missing]
    """What it lacks on this machine; None where it is ready. Does not open a model."""

    add: str
    """How to install what it lacks."""

    packages: Sequence[str] = ()
    """The distributions whose versions decide what it computes, and how fast."""

    note: str = ""
    """What one should know before trusting it: that it is untested, that it is a simulator."""

    simulated: bool = False
    """Whether it is a simulator: right outputs, meaningless timing; never chosen automatically."""


def _unless_installed(package: str) -> Callable[[], Missing]:
    message = f"{package} is not installed"
    module = package.replace("-", "_")
    return lambda: None if find_spec(module) else RuntimeMissing(message)


def _providers(kind: Kind) -> Iterator[Device]:
    for provider in PROVIDERS:
        if provider.kind == kind:
            yield Device(
                name=provider.device,
                kind=kind,
                runtime="ONNX Runtime",
                suffixes=_ONNX,
                open=partial(open_provider, provider),
                missing=partial(provider_missing, provider),
                add=provider.add,
                packages=provider.packages,
                note=provider.note,
                simulated=provider.simulated,
            )


DEVICES: list[Device] = [
    # The first of a kind that is ready is what the words cpu, gpu and npu mean.
    Device(
        name="xnnpack",
        kind="cpu",
        runtime="LiteRT",
        suffixes=_TFLITE,
        open=open_litert,
        missing=_unless_installed("ai-edge-litert"),
        add=EXTRA.format("litert"),
        packages=("ai-edge-litert",),
    ),
    Device(
        name="mlas",
        kind="cpu",
        runtime="ONNX Runtime",
        suffixes=_ONNX,
        open=ort.open_mlas,
        missing=_unless_installed("onnxruntime"),
        add=EXTRA.format("onnx"),
        packages=("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
    ),
    Device(
        name="openvino",
        kind="cpu",
        runtime="OpenVINO",
        suffixes=_TFLITE + _ONNX,
        open=openvino.open_openvino,
        missing=openvino.openvino_missing,
        add=EXTRA.format("openvino"),
        packages=("openvino",),
    ),
    Device(
        name="keras",
        kind="cpu",
        runtime="Keras",
        suffixes=_KERAS,
        open=open_keras,
        missing=_unless_installed("tensorflow"),
        add=EXTRA.format("convert"),
        packages=("tensorflow", "keras"),
        note="the float32 original",
    ),
    Device(
        name="reference",
        kind="cpu",
        runtime="LiteRT",
        suffixes=_TFLITE,
        open=partial(open_litert, plain=True),
        missing=_unless_installed("ai-edge-litert"),
        add=EXTRA.format("litert"),
        packages=("ai-edge-litert",),
        note="LiteRT's own kernels, without XNNPACK",
        simulated=True,
    ),
    Device(
        name="reference",
        kind="cpu",
        runtime="ONNX Runtime",
        suffixes=_ONNX,
        open=ort.open_simulated,
        missing=_unless_installed("onnxruntime"),
        add=EXTRA.format("onnx"),
        packages=("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
        note="quantized operators computed in float32: what any integer kernel should give",
        simulated=True,
    ),
    Device(
        name="micro",
        kind="cpu",
        runtime="TensorFlow Lite Micro",
        suffixes=_TFLITE,
        open=micro.open_micro,
        missing=micro.micro_missing,
        add=f"{EXTRA.format('micro')} (Linux on x86)",
        packages=("tflite-micro",),
        note="the kernels of microcontrollers",
        simulated=True,
    ),
    Device(
        name="webgpu",
        kind="gpu",
        runtime="LiteRT",
        suffixes=_TFLITE,
        open=litert_gpu.open_gpu,
        missing=litert_gpu.gpu_missing,
        add=f"{EXTRA.format('litert')} and the driver of the graphics card",
        packages=("ai-edge-litert",),
        note="tested on a software adapter",
    ),
    *_providers("gpu"),
    Device(
        name="openvino-gpu",
        kind="gpu",
        runtime="OpenVINO",
        suffixes=_TFLITE + _ONNX,
        open=partial(openvino.open_openvino, processor="GPU"),
        missing=partial(openvino.openvino_missing, "GPU"),
        add=f"{EXTRA.format('openvino')} and Intel's graphics driver",
        packages=("openvino",),
        note=UNTESTED,
    ),
    *_providers("npu"),
    Device(
        name="intel-npu",
        kind="npu",
        runtime="LiteRT",
        suffixes=_TFLITE,
        open=litert_npu.open_intel_npu,
        missing=litert_npu.intel_npu_missing,
        add=f"{EXTRA.format('litert,openvino')} and Intel's NPU driver",
        packages=("ai-edge-litert", "openvino"),
        note=UNTESTED,
    ),
    Device(
        name="openvino-npu",
        kind="npu",
        runtime="OpenVINO",
        suffixes=_TFLITE + _ONNX,
        open=partial(openvino.open_openvino, processor="NPU"),
        missing=partial(openvino.openvino_missing, "NPU"),
        add=f"{EXTRA.format('openvino')} and Intel's NPU driver",
        packages=("openvino",),
        note=UNTESTED,
    ),
    Device(
        name="npu-on-cpu",
        kind="npu",
        runtime="LiteRT",
        suffixes=_TFLITE,
        open=litert_npu.open_npu_on_cpu,
        missing=litert_npu.plugin_missing,
        add=EXTRA.format("litert,openvino"),
        packages=("ai-edge-litert", "openvino"),
        note="LiteRT's path to an NPU, ending at the CPU",
        simulated=True,
    ),
]
"""Every device, in the order in which the words ``cpu``, ``gpu`` and ``npu`` look for one.

One more entry is one more device, for ``open_model`` and for everything that lists or compares them.
"""


def runtime_packages() -> tuple[str, ...]:
    """The distributions of all devices, each once."""
    return tuple(dict.fromkeys(name for device in DEVICES for name in device.packages))


def delegate_device(library: str) -> Device | None:
    """The device of a LiteRT delegate's library; None where ``library`` is no path of one."""
    if not library.endswith((".so", ".dylib", ".dll")) and ".so." not in library:
        return None
    return Device(
        name=library,
        kind="npu",
        runtime="LiteRT",
        suffixes=_TFLITE,
        open=partial(open_litert, delegate=library),
        missing=lambda: None,
        add="",
        packages=("ai-edge-litert",),
    )
