"""The layers of a ``.tflite`` file, by LiteRT's own kernels: XNNPACK keeps no inner tensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.arrays import quantize
from edgekit_runtimes.base import Array
from edgekit_runtimes.engines import litert
from edgekit_runtimes.layers import Layer, Layers, as_float

_CHANGES_OF_TYPE = ("QUANTIZE", "DEQUANTIZE")
_SHOWN = (np.float32, np.int8, np.uint8, np.int16)  # others are positions and conditions


def tflite_layers(path: Path, fused: bool = True) -> Layers:  # noqa: ARG001
    """Opens a TFLite file with every layer in sight.

    Args:
        path: the file.
        fused: ignored; LiteRT's own kernels compute a file as it is written.

    Raises:
        RuntimeMissing: ai-edge-litert is not installed.
        ModelError: the file cannot be opened.
    """
    interpreter = litert.load(path, plain=True, every_tensor=True)
    details = {int(d["index"]): d for d in interpreter.get_tensor_details()}
    inputs = {
        tensor: litert.spec(details[tensor])
        for tensor in (int(d["index"]) for d in interpreter.get_input_details())
    }
    layers: list[Layer] = []
    shown: list[int] = []  # the tensor of each layer
    position: dict[int, int] = {}  # of the layer with a tensor's values

    def add(tensor: int, kind: str, reads: tuple[int, ...]) -> None:
        position[tensor] = len(layers)
        shown.append(tensor)
        layers.append(_layer(details[tensor], kind, reads))

    for tensor in inputs:
        add(tensor, "input", ())
    for node in interpreter._get_ops_details():  # LiteRT has no public list
        reads = tuple(position[int(i)] for i in node["inputs"] if int(i) in position)
        written = [int(i) for i in node["outputs"] if int(i) in details]
        if node["op_name"] in _CHANGES_OF_TYPE and reads:
            at, tensor = reads[0], written[0]
            position[tensor] = at
            layers[at], replaced = _joined(layers[at], _layer(details[tensor], "", ()))
            shown[at] = tensor if replaced else shown[at]
            continue
        for tensor in written:
            if reads and details[tensor]["dtype"] in _SHOWN:
                add(tensor, node["op_name"], reads)

    def run(batch: Mapping[str, Array]) -> list[Array]:
        for tensor, spec in inputs.items():
            array = np.asarray(batch[spec.name])
            interpreter.set_tensor(
                tensor, array.astype(spec.dtype) if spec.scale is None else quantize(array, spec)
            )
        interpreter.invoke()
        return [
            as_float(interpreter.get_tensor(tensor), layer)
            for tensor, layer in zip(shown, layers, strict=True)
        ]

    return Layers(tuple(layers), run, tuple(inputs.values()))


def _layer(detail: dict[str, Any], kind: str, reads: tuple[int, ...]) -> Layer:
    spec = litert.spec(detail)
    # A mere number is no name: another file has it for something else.
    names = () if spec.name.isdigit() else (spec.name,)
    if spec.scale is None:
        return Layer(spec.name, names, kind, reads, dtype=spec.dtype)
    limits = np.iinfo(spec.dtype)
    return Layer(
        spec.name,
        names,
        kind,
        reads,
        scale=spec.scale,
        zero_point=spec.zero_point,
        least=int(limits.min),
        greatest=int(limits.max),
        dtype=spec.dtype,
    )


def _joined(layer: Layer, other: Layer) -> tuple[Layer, bool]:
    """A layer and its values in another type as one layer; whether the other's numbers replace its own.

    The quantized of the two has the numbers that matter.
    """
    replaced = layer.scale is None and other.scale is not None
    numbers = other if replaced else layer
    return Layer(
        layer.name,
        (*layer.tensors, *other.tensors),
        layer.kind,
        layer.reads,
        scale=numbers.scale,
        zero_point=numbers.zero_point,
        least=numbers.least,
        greatest=numbers.greatest,
        dtype=numbers.dtype,
    ), replaced
