"""ONNX Runtime's execution providers for GPUs and NPUs: ``.onnx`` files, in one table."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit_runtimes.base import (
    EXTRA,
    UNTESTED,
    DeviceUnavailable,
    Engine,
    Kind,
    Missing,
    ModelError,
    RuntimeMissing,
)
from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.engines.ort import (
    CPU_PROVIDER,
    load_runtime,
    make_engine,
    open_mlas,
    open_session,
    session_options,
)
from edgekit_runtimes.host import machine
from edgekit_runtimes.placement import Placement

_registered: set[str] = set()  # of this process: a library can be registered once
_COLOUR = r"\x1b\[[0-9;]*m"


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider of ONNX Runtime."""

    device: str
    """The name in ``open_model(..., device=...)``."""

    kind: Kind
    name: str
    """The provider's name in ONNX Runtime."""

    add: str
    """The command that installs it."""

    packages: tuple[str, ...]
    """The distributions whose versions decide what it computes, and how fast."""

    plugin: str | None = None
    """The module of a provider that comes as a package; None: built into onnxruntime."""

    options: Callable[[], Mapping[str, str]] = dict
    """Provider options, asked for when it is opened."""

    integers: bool = False
    """Whether it turns quantized operators into integer kernels; else it computes them in float."""

    note: str = UNTESTED
    simulated: bool = False


def _qnn_options() -> dict[str, str]:
    import onnxruntime_qnn

    return {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        # The oldest Hexagon with the operators that we write; a phone's is newer and takes it.
        "htp_arch": "75",
        "offload_graph_io_quantization": "0",
    }


# Where Qualcomm's libraries bring an emulator of their processor.
_ON_X86 = machine().lower() in ("x86_64", "amd64")

PROVIDERS: tuple[Provider, ...] = (
    Provider(
        device="cuda",
        kind="gpu",
        name="CUDAExecutionProvider",
        add="pip install 'onnxruntime-gpu[cuda,cudnn]' (in place of onnxruntime)",
        packages=("onnxruntime-gpu",),
    ),
    Provider(
        device="tensorrt",
        kind="gpu",
        name="TensorrtExecutionProvider",
        add="pip install onnxruntime-gpu tensorrt (in place of onnxruntime)",
        packages=("onnxruntime-gpu", "tensorrt"),
        integers=True,
    ),
    Provider(
        device="directml",
        kind="gpu",
        name="DmlExecutionProvider",
        add="pip install onnxruntime-directml (in place of onnxruntime; Windows)",
        packages=("onnxruntime-directml",),
    ),
    Provider(
        device="webgpu",
        kind="gpu",
        name="WebGpuExecutionProvider",
        add=f"{EXTRA.format('webgpu')} and the driver of the graphics card",
        packages=("onnxruntime", "onnxruntime-ep-webgpu"),
        plugin="onnxruntime_ep_webgpu",
        note="tested on a software adapter",
    ),
    Provider(
        device="qnn",
        kind="npu",
        name="QNNExecutionProvider",
        add=EXTRA.format("qnn"),
        packages=("onnxruntime", "onnxruntime-qnn"),
        plugin="onnxruntime_qnn",
        options=_qnn_options,
        integers=True,
        note="Qualcomm's Hexagon emulator"
        if _ON_X86
        else "Qualcomm Hexagon; tested on its emulator",
        simulated=_ON_X86,
    ),
    Provider(
        device="coreml",
        kind="npu",
        name="CoreMLExecutionProvider",
        add=f"{EXTRA.format('onnx')} (macOS, iOS)",
        packages=("onnxruntime",),
    ),
    Provider(
        device="nnapi",
        kind="npu",
        name="NnapiExecutionProvider",
        add="an onnxruntime built for Android",
        packages=("onnxruntime",),
        integers=True,
    ),
)
"""Every provider but the CPU's, in the order in which the words ``gpu`` and ``npu`` look for one."""


def open_provider(provider: Provider, path: Path, threads: int = 1) -> Engine:
    """Opens an ONNX file by an execution provider; the operators it refuses run on the CPU.

    Raises:
        RuntimeMissing: onnxruntime or the provider is not installed.
        DeviceUnavailable: the provider finds no device, or takes no operator of the model.
        ModelError: as ``open_mlas``.
    """
    runtime = load_runtime()
    if missing := provider_missing(provider):
        raise missing
    recorded = {"session.record_ep_graph_assignment_info": "1"}
    options = session_options(runtime, threads, recorded, logged=True)
    simulated, processor = False, provider.name.removesuffix("ExecutionProvider")
    providers: list[Any] | None = None
    with quiet() as printed:
        if provider.plugin:
            devices = _devices(runtime, provider)
            # A provider for GPUs or NPUs that names a CPU has an emulator behind it.
            kinds = {d.device.type.name for d in devices}
            simulated = kinds == {"CPU"}
            processor = f"{devices[0].device.vendor} {' '.join(sorted(kinds))}"
            options.add_provider_for_devices(devices, dict(provider.options()))
        else:
            providers = [(provider.name, dict(provider.options())), CPU_PROVIDER]
        try:
            session = open_session(runtime, path, options, providers=providers)
        except ModelError as error:
            open_mlas(path)  # a damaged file raises the CPU's error
            raise DeviceUnavailable(f"{path}: {provider.device} cannot take it: {error}") from error
        log = printed()
    # A provider that failed to start, or whose library is not there, is still in get_providers():
    # only the assignment of nodes shows it.
    assigned = session.get_provider_graph_assignment_info()
    if not any(part.ep_name == provider.name for part in assigned):
        reason = _last_error(log)
        raise DeviceUnavailable(
            f"{path}: {provider.device} runs none of the model; {provider.name} is there, but every "
            f"operator would run on the CPU{f' ({reason})' if reason else ''}. Open it with "
            "device='cpu', or fix the provider's installation."
        )

    def place() -> Placement:
        from edgekit_runtimes.engines.ort_placement import provider_placement

        return provider_placement(
            runtime,
            path,
            session,
            device=provider.device,
            provider=provider.name,
            integers=provider.integers,
            processor=processor,
            simulated=simulated,
        )

    return make_engine(path, session, place, concurrent=False, simulated=simulated)


def provider_missing(provider: Provider) -> Missing:
    """What a provider lacks on this machine; None where it is ready."""
    if find_spec("onnxruntime") is None:
        return RuntimeMissing("onnxruntime is not installed")
    if provider.plugin:
        if find_spec(provider.plugin) is None:
            return RuntimeMissing(f"{provider.plugin.replace('_', '-')} is not installed")
        try:
            with quiet():
                _devices(load_runtime(), provider)
        except DeviceUnavailable as error:
            return error
        return None
    if provider.name in load_runtime().get_available_providers():
        return None
    return RuntimeMissing(f"this onnxruntime has no {provider.name}")


def _devices(runtime: Any, provider: Provider) -> list[Any]:
    """The devices of a plug-in, which is registered first."""
    assert provider.plugin
    if provider.name not in _registered:
        library = import_module(provider.plugin).get_library_path()
        try:
            runtime.register_execution_provider_library(provider.name, library)
        except Exception as error:  # its exceptions share no base but Exception
            raise DeviceUnavailable(
                f"the provider's library {library} cannot be loaded: {error}"
            ) from error
        _registered.add(provider.name)
    devices = [d for d in runtime.get_ep_devices() if d.ep_name == provider.name]
    if not devices:
        raise DeviceUnavailable(f"{provider.name} finds no device here")
    return devices


def _last_error(log: str) -> str:
    lines = [line for line in log.splitlines() if "[E:" in line or "rror" in line]
    if not lines:
        return ""
    text = re.sub(_COLOUR, "", lines[-1].split("] ", 1)[-1])
    return text.rsplit(" FAIL : ", 1)[-1].strip()
