"""LiteRT on the GPU, through WebGPU (Vulkan, Metal or Direct3D): ``.tflite`` files."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from edgekit_runtimes.base import DeviceUnavailable, Engine, Missing, RuntimeMissing
from edgekit_runtimes.engines.litert_compiled import (
    compile_model,
    last_error,
    make_engine,
    open_after_trial,
    read_file,
)
from edgekit_runtimes.placement import Operator, Placement

# Compiled on first use, not on import.
_ADAPTER = r"Selected adapter: ([^,\n]+).*?adapterType=([^\n]+)"
_SPLIT = r"(\d+) operations will run on the GPU, and the remaining (\d+)"
_REFUSED = r"(?m)^(?!INFO|WARNING|ERROR)([A-Z][A-Z0-9_]+): (.+?)\s*$"
_NO_ADAPTER = "No adapters found"


def open_gpu(path: Path, threads: int = 1) -> Engine:
    """Opens a TFLite file on the GPU, with float32 arithmetic.

    Raises:
        RuntimeMissing: ai-edge-litert is not installed.
        DeviceUnavailable: there is no graphics adapter, or it takes no operator of the model, or
            LiteRT crashes on it.
        ModelError: the file is not TFLite.
    """
    return open_after_trial(_open_gpu, path, threads)


def gpu_missing() -> Missing:
    """What the GPU lacks on this machine; None where it is ready."""
    if find_spec("ai_edge_litert") is None:
        return RuntimeMissing("ai-edge-litert is not installed")
    from edgekit_runtimes.engines.vulkan import adapters

    if sys.platform == "linux" and not adapters():
        return DeviceUnavailable("no graphics adapter (Vulkan finds no driver)")
    return None


def _open_gpu(path: Path, threads: int) -> Engine:  # noqa: ARG001
    # Alone first: with the CPU beside it, LiteRT's log does not list what it left there.
    engine = _gpu(path) or _gpu(path, cpu=True)
    assert engine is not None
    return engine


def _gpu(path: Path, *, cpu: bool = False) -> Engine | None:
    """The file on the GPU; None where that does not take all of it, and the CPU may not help."""
    specs, operators = read_file(path)
    from ai_edge_litert import compiled_model as lib

    hardware = lib.HardwareAccelerator.GPU
    if cpu:
        hardware |= lib.HardwareAccelerator.CPU
    exact = lib.GpuOptions(enforce_f32=True)
    model, log = compile_model(path, lib.Options(hardware, gpu_options=exact))
    selected = re.search(_ADAPTER, log)
    if model is None:
        if selected is None or _NO_ADAPTER in log:
            raise DeviceUnavailable(
                f"{path}: webgpu: there is no graphics adapter (no Vulkan driver was found). Install "
                "the driver of the graphics card, or open the model with device='cpu'."
            )
        if not cpu:
            return None
        raise DeviceUnavailable(f"{path}: webgpu: {last_error(log)}")
    adapter, kind = selected.groups() if selected else ("GPU", "")
    splits = [tuple(map(int, pair)) for pair in re.findall(_SPLIT, log)]
    partial = not model.is_fully_accelerated()
    reasons = dict(re.findall(_REFUSED, log)) if partial else {}
    placement = Placement(
        device="webgpu",
        processor=adapter,
        accelerator="GPU",
        operators=[
            Operator(op.kind, "CPU", "?", op.macs, op.name)
            if op.kind in reasons
            else Operator(op.kind, "GPU", "float32", op.macs, op.name)
            for op in operators
        ],
        partitions=max(1, len(splits)) if partial else 1,
        reasons=reasons,
        simulated="CPU" in kind or "Software" in kind,
        taken=min(splits[0][0], len(operators)) if partial and splits else None,
    )
    return make_engine(path, model, specs, placement)
