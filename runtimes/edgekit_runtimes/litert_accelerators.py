"""LiteRT on GPU and NPU: ``.tflite`` files by its compiled models.

The GPU goes through WebGPU (Vulkan, Metal or Direct3D), the NPU through a vendor's plug-in; of
those, Intel's OpenVINO is the one that is on PyPI. LiteRT tells what went where only in its log,
so that is read.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes import litert
from edgekit_runtimes.base import (
    Array,
    DeviceUnavailable,
    Engine,
    Missing,
    ModelError,
    RuntimeMissing,
    TensorSpec,
)
from edgekit_runtimes.captured_output import quiet, quiet_at_exit
from edgekit_runtimes.host import processor_name
from edgekit_runtimes.placement import Operator, Placement

_ADAPTER = re.compile(r"Selected adapter: ([^,\n]+).*?adapterType=([^\n]+)")
_SPLIT = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+)")
_REFUSED = re.compile(r"^(?!INFO|WARNING|ERROR)([A-Z][A-Z0-9_]+): (.+?)\s*$", re.MULTILINE)
_PARTITIONED = re.compile(
    r"Partitioned subgraph<\d+>, selected (\d+) ops, from a total of (\d+) ops\. resulted in (\d+)"
)
_ADD = "pip install 'edgekit-toolkit[litert,openvino]'"
_NO_ADAPTER = "No adapters found"


def open_gpu(path: Path, threads: int = 1) -> Engine:
    """Opens a TFLite file on the GPU, with float32 arithmetic.

    Raises:
        RuntimeMissing: ai-edge-litert is not installed.
        DeviceUnavailable: there is no graphics adapter, or it takes none of the model, or LiteRT
            crashes on it.
        ModelError: the file is no TFLite file.
    """
    return _after_a_trial(_open_gpu, path, threads)


def _open_gpu(path: Path, threads: int) -> Engine:  # noqa: ARG001
    # Alone first: with the CPU beside it, LiteRT does not tell of what it left there.
    engine = _gpu(path) or _gpu(path, cpu=True)
    assert engine is not None
    return engine


def _gpu(path: Path, *, cpu: bool = False) -> Engine | None:
    """The file on the GPU; None where that does not take all of it, and the CPU may not help."""
    specs, listed = _read(path)
    from ai_edge_litert import compiled_model as lib

    hardware = lib.HardwareAccelerator.GPU
    if cpu:
        hardware |= lib.HardwareAccelerator.CPU
    exact = lib.GpuOptions(enforce_f32=True)
    model, log = _compile(path, lib.Options(hardware, gpu_options=exact))
    found = _ADAPTER.search(log)
    if model is None:
        if found is None or _NO_ADAPTER in log:
            raise DeviceUnavailable(
                f"{path}: webgpu: there is no graphics adapter (no Vulkan driver was found). Install "
                "the driver of the graphics card, or open the model with device='cpu'."
            )
        if not cpu:
            return None
        raise DeviceUnavailable(f"{path}: webgpu: {_last_error(log)}")
    adapter, kind = found.groups() if found else ("GPU", "")
    splits = [tuple(map(int, pair)) for pair in _SPLIT.findall(log)]
    reasons = dict(_REFUSED.findall(log))
    partial = not model.is_fully_accelerated()
    return _engine(
        path,
        model,
        specs,
        Placement(
            device="webgpu",
            processor=adapter,
            accelerator="GPU",
            operators=[
                Operator(
                    op.kind,
                    "CPU" if partial and op.kind in reasons else "GPU",
                    "?" if partial and op.kind in reasons else "float32",
                    op.macs,
                    op.name,
                )
                for op in listed
            ],
            partitions=1 if not partial else max(1, len(splits)),
            reasons=reasons if partial else {},
            emulated="CPU" in kind or "Software" in kind,
            taken=min(splits[0][0], len(listed)) if partial and splits else None,
        ),
    )


def gpu_missing() -> Missing:
    """What the GPU lacks here."""
    if find_spec("ai_edge_litert") is None:
        return RuntimeMissing("ai-edge-litert is not installed")
    from edgekit_runtimes.vulkan import adapters

    if sys.platform == "linux" and not adapters():
        return DeviceUnavailable("no graphics adapter (Vulkan finds no driver)")
    return None


def open_intel_npu(path: Path, threads: int = 1) -> Engine:
    """Opens a TFLite file on an Intel NPU, by LiteRT's OpenVINO plug-in."""
    return _after_a_trial(_open_intel_npu, path, threads)


def open_npu_on_cpu(path: Path, threads: int = 1) -> Engine:
    """Opens a TFLite file by LiteRT's NPU path and OpenVINO plug-in, with the CPU as its processor."""
    return _after_a_trial(_open_npu_on_cpu, path, threads)


def _open_intel_npu(path: Path, threads: int) -> Engine:  # noqa: ARG001
    engine = _intel(path, "intel-npu") or _intel(path, "intel-npu", cpu=True)
    assert engine is not None
    return engine


def _open_npu_on_cpu(path: Path, threads: int) -> Engine:  # noqa: ARG001
    engine = _intel(path, "npu-on-cpu") or _intel(path, "npu-on-cpu", cpu=True)
    assert engine is not None
    return engine


def _after_a_trial(opener: Callable[[Path, int], Engine], path: Path, threads: int) -> Engine:
    """Opens a file in a child process first, and runs it there once.

    LiteRT's compiled models crash on some files that they call fully accelerated.
    """
    from edgekit_runtimes.subprocess_engine import open_in_child

    try:
        trial = open_in_child(opener, path, threads)
    except ModelError as error:
        raise DeviceUnavailable(f"{error} Open it with device='cpu'.") from error
    if trial.close:
        trial.close()
    return opener(path, threads)


def intel_npu() -> Missing:
    """What an Intel NPU lacks here."""
    if missing := intel_plugin():
        return missing
    import openvino

    if "NPU" in openvino.Core().available_devices:
        return None
    return DeviceUnavailable("no Intel NPU in this machine")


def intel_plugin() -> Missing:
    """What LiteRT's OpenVINO plug-in lacks here."""
    for package in ("ai_edge_litert", "openvino"):
        if find_spec(package) is None:
            return RuntimeMissing(f"{package.replace('_', '-')} is not installed")
    return None


def _intel(path: Path, device: str, *, cpu: bool = False) -> Engine | None:
    """The file by the plug-in; None where that does not take all of it, and the CPU may not help."""
    emulated = device == "npu-on-cpu"
    if missing := intel_plugin() if emulated else intel_npu():
        raise missing
    specs, listed = _read(path)
    from ai_edge_litert import compiled_model as lib

    backends = lib.IntelOpenVinoOptions.GRAPH_BACKEND
    exact = lib.IntelOpenVinoOptions(graph_backend=backends.CPU if emulated else backends.NPU)
    hardware = lib.HardwareAccelerator.NPU
    if cpu:
        hardware |= lib.HardwareAccelerator.CPU
    model, log = _compile(path, lib.Options(hardware, intel_openvino_options=exact))
    if model is None and not cpu:
        return None
    if model is None:
        raise DeviceUnavailable(f"{path}: {device}: {_last_error(log)}")
    parts = [tuple(map(int, found)) for found in _PARTITIONED.findall(log)]
    taken, _, partitions = parts[0] if parts else (0, 0, 0)
    if not taken:  # LiteRT has put the whole model on the CPU, and calls it a success
        why = (
            "LiteRT's OpenVINO plug-in cannot be loaded; it wants the very release of openvino that it "
            f"was built for: {_ADD}"
            if "Failed to load plugin" in log
            else f"{_last_error(log)} Open it with device='cpu'."
        )
        raise DeviceUnavailable(f"{path}: {device} runs none of the model: {why}")
    return _engine(
        path,
        model,
        specs,
        Placement(
            device=device,
            processor=f"{processor_name()} by OpenVINO" if emulated else "Intel NPU",
            accelerator="NPU",
            operators=[
                Operator(op.kind, "NPU" if taken == len(listed) else "?", "?", op.macs, op.name)
                for op in listed
            ],
            partitions=partitions,
            emulated=emulated,
            taken=taken,
        ),
    )


def _read(path: Path) -> tuple[tuple[list[TensorSpec], list[TensorSpec]], list[Operator]]:
    """The ends and the operators of a file, by the plain interpreter.

    A compiled model does not tell of scales, and crashes on a file that is cut short.
    """
    interpreter = litert.load(path, plain=True)
    specs = (
        [litert.spec(d) for d in interpreter.get_input_details()],
        [litert.spec(d) for d in interpreter.get_output_details()],
    )
    return specs, litert.operators(interpreter, "")[0]


def _compile(path: Path, options: Any) -> tuple[Any, str]:
    """A compiled model, or None, and LiteRT's log."""
    from ai_edge_litert.compiled_model import CompiledModel

    quiet_at_exit()  # LiteRT tells what it destroys then
    with quiet() as printed:
        try:
            model = CompiledModel.from_file(str(path), options=options)
        except (RuntimeError, ValueError) as error:
            return None, f"{printed()}\n{error}"
        return model, printed()


def _last_error(log: str) -> str:
    lines = [line.strip(" └") for line in log.splitlines() if "ERROR" in line or "Error" in line]
    told = [line for line in lines if not line.endswith("]")]  # more than a place in the source
    return (told or lines or ["LiteRT gives no reason."])[-1]


def _engine(
    path: Path, model: Any, specs: tuple[list[TensorSpec], list[TensorSpec]], placed: Placement
) -> Engine:
    inputs, outputs = specs
    with quiet():
        signature = model.get_signature_by_index(0)
        by_name: tuple[Mapping[str, TensorSpec], Mapping[str, TensorSpec]] = (
            {s.name: s for s in inputs},
            {s.name: s for s in outputs},
        )
        takes, gives = model.create_input_buffers(0), model.create_output_buffers(0)
    # A file of another maker may call its tensors otherwise than its signature does.
    inputs = [by_name[0].get(n, s) for n, s in zip(signature["inputs"], inputs, strict=True)]
    outputs = [by_name[1].get(n, s) for n, s in zip(signature["outputs"], outputs, strict=True)]
    shapes = [tuple(n or 1 for n in s.shape) for s in outputs]
    sizes = [prod(shape) for shape in shapes]

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        for buffer, array in zip(takes, arrays, strict=True):
            buffer.write(np.ascontiguousarray(array))
        model.run_by_index(0, takes, gives)
        return [
            buffer.read(size, s.dtype).reshape(shape)
            for buffer, size, s, shape in zip(gives, sizes, outputs, shapes, strict=True)
        ]

    def close() -> None:
        nonlocal model
        with quiet():  # it tells of each thing that it destroys
            takes.clear()
            gives.clear()
            model.close()
            model = None

    with quiet() as printed:  # a model compiled for another chip is found out only when it runs
        try:
            call([np.zeros([n or 1 for n in s.shape], s.dtype) for s in inputs])
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{path}: {placed.device} opened it, but cannot run it: {error} {_last_error(printed())}"
            ) from error
    return Engine(inputs, outputs, call, lambda: placed, emulated=placed.emulated, close=close)
