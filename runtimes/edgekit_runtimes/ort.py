"""ONNX Runtime: runs ``.onnx`` files on the CPU, or by one of its execution providers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit_runtimes import onnx_file
from edgekit_runtimes.base import (
    Array,
    DeviceUnavailable,
    Engine,
    Missing,
    ModelError,
    RuntimeMissing,
    TensorSpec,
)
from edgekit_runtimes.captured_output import quiet
from edgekit_runtimes.onnx_file import QUANTIZATION_KEY, quantization
from edgekit_runtimes.placement import Placement

_registered: set[str] = set()  # of this process: a library can be registered once
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CPU = "CPUExecutionProvider"
_NUMPY_OF = {"float": "float32", "double": "float64", "bool": "bool"}


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider of ONNX Runtime."""

    device: str
    """The name in ``open_model(..., device=...)``."""

    name: str
    """The provider's own name."""

    add: str
    """The command that installs it."""

    plugin: str | None = None
    """The module of a provider that comes as a package of its own; None: built into onnxruntime."""

    options: Callable[[], Mapping[str, str]] = dict
    """Provider options, asked for when it is opened."""

    integers: bool = False
    """Whether it turns quantized operators into integer kernels; else it computes them in float."""


def open_mlas(path: Path, threads: int = 1) -> Engine:
    """Opens an ONNX file on the CPU.

    Raises:
        RuntimeMissing: onnxruntime is not installed.
        ModelError: the file is no ONNX file, is cut short, or holds an operator that is unknown.
    """
    runtime = _runtime()
    session = _session(runtime, path, _options(runtime, threads), providers=[_CPU])

    def place() -> Placement:
        from edgekit_runtimes.ort_placement import cpu_placement

        return cpu_placement(runtime, path)

    return _engine(path, session, place, concurrent=True)


def open_simulated(path: Path, threads: int = 1) -> Engine:
    """Opens an ONNX file on the CPU with quantized operators computed in float.

    Pairs of QuantizeLinear and DequantizeLinear are done one by one, as the file is written: what any
    processor's integer kernels should answer.

    Raises:
        RuntimeMissing, ModelError: as ``open_mlas``.
    """
    runtime = _runtime()
    options = _options(runtime, threads)
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = _session(runtime, path, options, providers=[_CPU])

    def place() -> Placement:
        from edgekit_runtimes.ort_placement import cpu_placement

        return cpu_placement(runtime, path)

    return _engine(path, session, place, concurrent=True)


def open_exposed(path: Path, tensors: Sequence[str], *, fused: bool) -> Any:
    """An ``InferenceSession`` that gives any of the graph's tensors.

    Two serialized protobuf messages, one behind the other, are their union: the file with the names of
    more outputs behind it is the file with more outputs.

    Args:
        path: the file.
        tensors: their names.
        fused: whether quantized operators run in integers.
    """
    runtime = _runtime()
    options = _options(runtime, 1)
    if not fused:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    content = path.read_bytes() + onnx_file.more_outputs(path, tensors)
    try:
        return runtime.InferenceSession(content, options, providers=[_CPU])
    except Exception as error:  # its exceptions share no base but Exception
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error


def input_specs(session: Any) -> list[TensorSpec]:
    """What an ``InferenceSession`` takes, as the file has it."""
    return [_spec(port, {}) for port in session.get_inputs()]


def numpy_type(port: Any) -> str:
    """NumPy's name of an input's type."""
    kind = str(port.type).removeprefix("tensor(").removesuffix(")")
    return _NUMPY_OF.get(kind, kind)


def open_provider(provider: Provider, path: Path, threads: int = 1) -> Engine:
    """Opens an ONNX file by an execution provider; what that does not take runs on the CPU.

    Raises:
        RuntimeMissing: onnxruntime or the provider is not installed.
        DeviceUnavailable: the provider found no device, or takes nothing of the model.
        ModelError: as ``open_mlas``.
    """
    runtime = _runtime()
    if missing := provider_missing(provider):
        raise missing
    options = _options(runtime, threads, logged=True)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    emulated, processor = False, provider.name.removesuffix("ExecutionProvider")
    with quiet() as printed:
        try:
            if provider.plugin:
                devices = _devices(runtime, provider)
                # A provider for GPUs or NPUs that names a CPU has an emulator behind it.
                kinds = {d.device.type.name for d in devices}
                emulated = kinds == {"CPU"}
                processor = f"{devices[0].device.vendor} {' '.join(sorted(kinds))}"
                options.add_provider_for_devices(devices, dict(provider.options()))
                session = _session(runtime, path, options)
            else:
                session = _session(
                    runtime,
                    path,
                    options,
                    providers=[(provider.name, dict(provider.options())), _CPU],
                    enable_fallback=0,
                )
        except ModelError as error:
            open_mlas(path)  # a file that is bad in itself says so in its own words
            raise DeviceUnavailable(f"{path}: {provider.device} cannot take it: {error}") from error
        log = printed()
    # A provider that failed to start, or whose library is not there, is still in get_providers():
    # only the assignment of nodes tells.
    assigned = session.get_provider_graph_assignment_info()
    if not any(part.ep_name == provider.name for part in assigned):
        why = _complaint(log)
        raise DeviceUnavailable(
            f"{path}: {provider.device} runs none of the model; {provider.name} is there, but every "
            f"operator would run on the CPU{f' ({why})' if why else ''}. Open it with device='cpu', "
            "or mend the provider."
        )

    def place() -> Placement:
        from edgekit_runtimes.ort_placement import provider_placement

        return provider_placement(
            runtime,
            path,
            session,
            provider.device,
            provider.name,
            provider.integers,
            processor,
            emulated,
        )

    engine = _engine(path, session, place, concurrent=False)
    engine.emulated = emulated
    return engine


def provider_missing(provider: Provider) -> Missing:
    """What a provider lacks here."""
    if find_spec("onnxruntime") is None:
        return RuntimeMissing("onnxruntime is not installed")
    if provider.plugin:
        if find_spec(provider.plugin) is None:
            return RuntimeMissing(f"{provider.plugin.replace('_', '-')} is not installed")
        try:
            with quiet():
                _devices(_runtime(), provider)
        except DeviceUnavailable as error:
            return error
        return None
    listed = _runtime().get_available_providers()
    if provider.name in listed:
        return None
    return RuntimeMissing(f"this onnxruntime has no {provider.name}")


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissing(
            "ONNX Runtime is not installed: pip install 'edgekit-toolkit[onnx]'"
        ) from error
    return onnxruntime


def _options(runtime: Any, threads: int, *, logged: bool = False) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3 if logged else 4  # else errors are printed that are raised, too
    return options


def _session(runtime: Any, path: Path, options: Any, **more: Any) -> Any:
    try:
        return runtime.InferenceSession(str(path), options, **more)
    except Exception as error:  # its exceptions share no base but Exception
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error


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
    found = [d for d in runtime.get_ep_devices() if d.ep_name == provider.name]
    if not found:
        raise DeviceUnavailable(f"{provider.name} finds no device here")
    return found


def _complaint(log: str) -> str:
    lines = [line for line in log.splitlines() if "[E:" in line or "rror" in line]
    return (
        _COLOUR.sub("", lines[-1].split("] ", 1)[-1]).rsplit(" FAIL : ", 1)[-1].strip()
        if lines
        else ""
    )


def _engine(path: Path, session: Any, place: Callable[[], Any], *, concurrent: bool) -> Engine:
    scales = quantization(session.get_modelmeta().custom_metadata_map.get(QUANTIZATION_KEY, "{}"))
    inputs = [_spec(i, scales) for i in session.get_inputs()]
    outputs = [_spec(o, scales) for o in session.get_outputs()]
    takes, gives = [s.name for s in inputs], [s.name for s in outputs]
    takes_one = takes[0]
    # Its wrapper checks names and looks for a way to fall back; the names are ours, and no fallback is
    # wanted.
    run = session._sess.run if hasattr(session, "_sess") else session.run

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        try:
            return run(gives, dict(zip(takes, arrays, strict=True)), None)  # type: ignore[no-any-return]
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"{path}: ONNX Runtime cannot run it: {error}") from error

    def one(array: Array) -> Array:
        try:
            return run(gives, {takes_one: array}, None)[0]  # type: ignore[no-any-return]
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"{path}: ONNX Runtime cannot run it: {error}") from error

    return Engine(inputs, outputs, call, place, one, concurrent)


def _spec(port: Any, scales: dict[str, tuple[float, int]]) -> TensorSpec:
    scale, zero_point = scales.get(port.name, (None, 0))
    return TensorSpec(
        name=port.name,
        shape=tuple(n if isinstance(n, int) else None for n in port.shape),
        dtype=numpy_type(port),
        scale=scale,
        zero_point=zero_point,
    )
