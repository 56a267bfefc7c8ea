"""ONNX files in every precision, made from the float twin of the TFLite file."""

import copy
from pathlib import Path
from typing import Any

from edgekit_converters.base import CALIBRATED, ConversionError, InterfaceType, Precision
from edgekit_converters.onnx_graph import OnnxGraph
from edgekit_converters.qdq import quantize_like
from edgekit_converters.quantization import read_quantization


def write_onnx(
    source: OnnxGraph,
    target: Path,
    precision: Precision,
    *,
    graph: Path | None = None,
    quantized: Path | None = None,
    interface: InterfaceType = "float",
) -> None:
    """Writes the float twin as ONNX in ``precision``.

    Args:
        source: from ``to_onnx``.
        target: the file to write.
        precision: see ``Precision``.
        graph: the float TFLite file that ``source`` is the twin of, where calibrated.
        quantized: the TFLite file of this precision, whose scales and integers are taken over.
        interface: see ``quantize_like``.

    Raises:
        ConversionError: the model cannot be had in this precision.
    """
    if precision == "float32":
        _save(source.model, target)
    elif precision == "float16":
        _save(_halved(source.model), target)
    elif precision == "dynamic":
        _quantize_weights(source.model, target)
    else:
        assert precision in CALIBRATED and graph is not None and quantized is not None
        _save(quantize_like(source, read_quantization(graph, quantized), interface), target)


def _save(model: Any, target: Path) -> None:
    import onnx

    onnx.save(model, str(target))


def _halved(model: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # Real inputs and outputs stay float32: half is how the inside is stored, not what a user gives.
    return convert_float_to_float16(copy.deepcopy(model), keep_io_types=True)


def _quantize_weights(model: Any, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    try:
        # Unsigned weights: signed ones saturate on x86 without VNNI (see qdq).
        quantize_dynamic(
            copy.deepcopy(model), str(target), weight_type=QuantType.QUInt8, per_channel=True
        )
    except (ValueError, RuntimeError) as error:
        raise ConversionError(
            f"dynamic: ONNX Runtime cannot quantize this graph: {error}"
        ) from error
