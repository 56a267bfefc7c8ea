"""OpenVINO: runs ``.tflite`` and ``.onnx`` files on x86 and ARM processors, and on Intel's GPUs and NPUs."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import (
    Array,
    DeviceUnavailable,
    Engine,
    Missing,
    ModelError,
    RuntimeMissing,
    TensorSpec,
)
from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.files import reader_of
from edgekit_runtimes.host import exact_int8
from edgekit_runtimes.placement import Operator, Placement, macs

_NUMPY_OF = {"f32": "float32", "f16": "float16", "f64": "float64", "boolean": "bool"}
_NUMPY_OF |= {f"{s}{n}": f"{'u' if s == 'u' else ''}int{n}" for s in "iu" for n in (8, 16, 32, 64)}
# Nodes of the compiled graph that are no operators of the model.
_NOT_OPERATORS = ("Const", "Input", "Output")


def open_openvino(path: Path, threads: int = 1, processor: str = "CPU") -> Engine:
    """Opens a TFLite or ONNX file.

    Args:
        path: the file.
        threads: of the CPU.
        processor: OpenVINO's name of the device: ``CPU``, ``GPU``, ``NPU``.

    Raises:
        RuntimeMissing: openvino is not installed.
        DeviceUnavailable: OpenVINO finds no such device.
        ModelError: OpenVINO cannot read or compile the file.
    """
    if missing := openvino_missing(processor):
        raise missing
    import openvino

    core = openvino.Core()
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if processor == "CPU":
        # Weights and activations as the file has them, not in bfloat16 where the processor could.
        settings |= {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        if not exact_int8():  # its 8-bit kernels would saturate: quantized operators in float32
            settings["LP_TRANSFORMS_MODE"] = False
    try:
        with quiet():
            model = core.read_model(str(path))
            ends = reader_of(path).ends(path)  # OpenVINO drops scales
            model.reshape({p: _batch_of_one(p.partial_shape) for p in model.inputs})
            if processor == "CPU" and any(map(_loses_zero_point, model.get_ops())):
                settings["LP_TRANSFORMS_MODE"] = False  # quantized operators in float32
            compiled = core.compile_model(model, processor, settings)
    except Exception as error:  # it raises RuntimeError, and whatever its readers raise
        reason = [line for line in str(error).splitlines() if line.strip()]
        raise ModelError(f"{path}: OpenVINO cannot open it: {(reason or ['?'])[-1]}") from error
    inputs = [_spec(p, ends) for p in compiled.inputs]
    outputs = [_spec(p, ends) for p in compiled.outputs]
    request = compiled.create_infer_request()
    takes = [request.get_input_tensor(i) for i in range(len(inputs))]
    gives = [request.get_output_tensor(i) for i in range(len(outputs))]
    wells = [t.data for t in takes]
    stateful = bool(request.query_state())

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        for well, array in zip(wells, arrays, strict=True):
            np.copyto(well, array)
        if stateful:
            request.reset_state()
        try:
            request.infer()
        except RuntimeError as error:
            raise ModelError(f"{path}: OpenVINO cannot run it: {error}") from error
        return [t.data.copy() for t in gives]

    def place() -> Placement:
        return Placement(
            "openvino" if processor == "CPU" else f"openvino-{processor.lower()}",
            str(core.get_property(processor, "FULL_DEVICE_NAME")),
            f"OpenVINO {processor}",
            _operators(compiled, f"OpenVINO {processor}"),
        )

    return Engine(inputs, outputs, call, place)


def openvino_missing(processor: str = "CPU") -> Missing:
    """What OpenVINO lacks on this machine; None where it is ready."""
    if find_spec("openvino") is None:
        return RuntimeMissing("openvino is not installed")
    if processor == "CPU":
        return None
    import openvino

    if any(name.startswith(processor) for name in openvino.Core().available_devices):
        return None
    return DeviceUnavailable(f"OpenVINO finds no Intel {processor} here")


def _loses_zero_point(operator: Any) -> bool:
    """Whether it is a transposed convolution of unsigned weights, of which OpenVINO forgets the zero point.

    Seen in 2026.3: behind unsigned activations the 8-bit kernel answers wrongly, without an error. Files of
    edgekit have signed weights there; those of its earlier versions and of ONNX Runtime's quantizer may not.
    """
    kinds = ("ConvolutionBackpropData", "GroupConvolutionBackpropData")
    if operator.get_type_name() not in kinds:
        return False
    source = operator.input_value(1).get_node()
    while source.get_type_name() in ("Multiply", "Subtract", "Convert", "Reshape"):
        source = source.input_value(0).get_node()
    return bool(source.get_element_type().get_type_name() == "u8")


def _batch_of_one(shape: Any) -> Any:
    """A dynamic batch size becomes 1, as with LiteRT; samples run in turn."""
    if len(shape) and shape[0].is_dynamic:
        shape[0] = 1
    return shape


def _operators(compiled: Any, processor: str) -> list[Operator]:
    """The compiled graph: OpenVINO names the kernel of each operator, and its precision with it."""
    listed = []
    for op in compiled.get_runtime_model().get_ordered_ops():
        info = op.get_rt_info()
        kind = info["layerType"].astype(str)
        if kind in _NOT_OPERATORS:
            continue
        kernel = info["primitiveType"].astype(str)
        precision = kernel.rsplit("_", 1)[-1].lower()
        listed.append(
            Operator(
                kind,
                processor,
                "int8" if precision in ("i8", "u8") else _NUMPY_OF.get(precision, precision),
                _macs(kind, op),
                kernel,
            )
        )
    return listed


def _macs(kind: str, op: Any) -> int:
    def shape(port: Any) -> list[int]:
        partial = port.get_partial_shape()
        return [d.get_length() for d in partial] if partial.is_static else []

    if kind == "RNNSeq":  # weights of (directions, gates x units, width), one for each product
        sequence = shape(op.input(0))
        weights = [size for size in map(shape, op.inputs()) if len(size) == 3][-2:]
        return sequence[0] * sequence[1] * sum(map(prod, weights)) if sequence else 0
    if kind not in ("Convolution", "FullyConnected", "MatMul", "Deconvolution"):
        return 0
    out, left, right = shape(op.output(0)), shape(op.input(0)), shape(op.input(1))
    if not out or not left:
        return 0
    if kind == "MatMul":
        return prod(out) * left[-1]
    if kind == "Deconvolution":  # (in, out, height, width)
        return macs(left, right, left[1])
    # (out, in), (out, in, height, width) or, with groups, (groups, out, in, height, width)
    return macs(out, right, out[-1] if kind == "FullyConnected" else out[1])


def _spec(port: Any, ends: Mapping[str, tuple[float | None, int]]) -> TensorSpec:
    kind = port.element_type.get_type_name()
    dtype = _NUMPY_OF.get(kind, kind)
    names = sorted(port.names)
    name = next((n for n in names if n in ends), names[0] if names else port.any_name)
    scale, zero_point = ends.get(name, (None, 0))
    return TensorSpec(
        name,
        tuple(d.get_length() if d.is_static else None for d in port.partial_shape),
        dtype,
        scale if np.dtype(dtype).kind in "iu" else None,
        zero_point,
    )
