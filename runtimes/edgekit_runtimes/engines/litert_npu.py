"""LiteRT on an NPU, through a vendor's plug-in: ``.tflite`` files.

Of these plug-ins, Intel's OpenVINO is the one that is on PyPI.
"""

import re
from importlib.util import find_spec
from pathlib import Path

from edgekit_runtimes.base import EXTRA, DeviceUnavailable, Engine, Missing, RuntimeMissing
from edgekit_runtimes.engines.litert_compiled import (
    compile_model,
    last_error,
    make_engine,
    open_after_trial,
    read_file,
)
from edgekit_runtimes.host import processor_name
from edgekit_runtimes.placement import Operator, Placement

_PARTITIONED = (
    r"Partitioned subgraph<\d+>, selected (\d+) ops, from a total of (\d+) ops\. resulted in (\d+)"
)


def open_intel_npu(path: Path, threads: int = 1) -> Engine:
    """Opens a TFLite file on an Intel NPU, by LiteRT's OpenVINO plug-in.

    Raises:
        RuntimeMissing: ai-edge-litert or openvino is not installed.
        DeviceUnavailable: there is no NPU, or it takes no operator of the model, or LiteRT crashes
            on it.
        ModelError: the file is not TFLite.
    """
    return open_after_trial(_open_intel_npu, path, threads)


def open_npu_on_cpu(path: Path, threads: int = 1) -> Engine:
    """Opens a TFLite file by LiteRT's NPU path and OpenVINO plug-in, with the CPU as its processor.

    Raises:
        RuntimeMissing, DeviceUnavailable, ModelError: as ``open_intel_npu``.
    """
    return open_after_trial(_open_npu_on_cpu, path, threads)


def intel_npu_missing() -> Missing:
    """What an Intel NPU lacks on this machine; None where it is ready."""
    if missing := plugin_missing():
        return missing
    import openvino

    if "NPU" in openvino.Core().available_devices:
        return None
    return DeviceUnavailable("no Intel NPU in this machine")


def plugin_missing() -> Missing:
    """What LiteRT's OpenVINO plug-in lacks on this machine; None where it is ready."""
    for package in ("ai_edge_litert", "openvino"):
        if find_spec(package) is None:
            return RuntimeMissing(f"{package.replace('_', '-')} is not installed")
    return None


def _open_intel_npu(path: Path, threads: int) -> Engine:  # noqa: ARG001
    engine = _intel(path, "intel-npu") or _intel(path, "intel-npu", cpu=True)
    assert engine is not None
    return engine


def _open_npu_on_cpu(path: Path, threads: int) -> Engine:  # noqa: ARG001
    engine = _intel(path, "npu-on-cpu") or _intel(path, "npu-on-cpu", cpu=True)
    assert engine is not None
    return engine


def _intel(path: Path, device: str, *, cpu: bool = False) -> Engine | None:
    """The file by the plug-in; None where that does not take all of it, and the CPU may not help."""
    simulated = device == "npu-on-cpu"
    if missing := plugin_missing() if simulated else intel_npu_missing():
        raise missing
    specs, operators = read_file(path)
    from ai_edge_litert import compiled_model as lib

    backends = lib.IntelOpenVinoOptions.GRAPH_BACKEND
    exact = lib.IntelOpenVinoOptions(graph_backend=backends.CPU if simulated else backends.NPU)
    hardware = lib.HardwareAccelerator.NPU
    if cpu:
        hardware |= lib.HardwareAccelerator.CPU
    model, log = compile_model(path, lib.Options(hardware, intel_openvino_options=exact))
    if model is None and not cpu:
        return None
    if model is None:
        raise DeviceUnavailable(f"{path}: {device}: {last_error(log)}")
    parts = [tuple(map(int, numbers)) for numbers in re.findall(_PARTITIONED, log)]
    taken, _, partitions = parts[0] if parts else (0, 0, 0)
    if not taken:  # LiteRT has put the whole model on the CPU, and calls it a success
        reason = (
            "LiteRT's OpenVINO plug-in cannot be loaded; it needs the exact release of openvino that "
            f"it was built for: {EXTRA.format('litert,openvino')}"
            if "Failed to load plugin" in log
            else f"{last_error(log)} Open it with device='cpu'."
        )
        raise DeviceUnavailable(f"{path}: {device} runs none of the model: {reason}")
    placement = Placement(
        device=device,
        processor=f"{processor_name()} by OpenVINO" if simulated else "Intel NPU",
        accelerator="NPU",
        operators=[
            Operator(op.kind, "NPU" if taken == len(operators) else "?", "?", op.macs, op.name)
            for op in operators
        ],
        partitions=partitions,
        simulated=simulated,
        taken=taken,
    )
    return make_engine(path, model, specs, placement)
