"""Real files with one fault each, made of good ones, for all tests to share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array
from edgekit_converters.tflite import flatbuffer


def tflite_scales(
    source: Path, target: Path, named: str, factor: float, *, weights: bool = False
) -> Path:
    """A TFLite file whose tensor of this name has its scales multiplied, its integers kept.

    Or, with ``weights``, those of the operator that makes it.
    """
    model = flatbuffer.read(source)
    graph = model.subgraphs[0]
    found = [t for t in graph.tensors if flatbuffer.name(t) == named]
    assert len(found) == 1, [flatbuffer.name(t) for t in graph.tensors]
    if weights:
        made = graph.tensors.index(found[0])
        (maker,) = (operator for operator in graph.operators if made in operator.outputs)
        found = [graph.tensors[maker.inputs[1]]]
    quantization = found[0].quantization
    quantization.scale = [float(s) * factor for s in quantization.scale]
    flatbuffer.write(model, target)
    return target


def onnx_scales(source: Path, target: Path, named: str, factor: float) -> Path:
    """An ONNX file whose pairs on this tensor, or on this initializer, have another scale."""
    import onnx

    model = onnx.load(source)
    scales = {
        node.input[1]
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] == named
    }
    scales |= {
        node.input[1]
        for quantize in model.graph.node
        for node in model.graph.node
        if quantize.op_type == "QuantizeLinear"
        and quantize.input[0] == named
        and node.op_type == "DequantizeLinear"
        and node.input[0] == quantize.output[0]
    }
    assert scales, [node.input[0] for node in model.graph.node]
    for scale in scales:  # a new constant, since others may share the old one
        (old,) = [i for i in model.graph.initializer if i.name == scale]
        values = onnx.numpy_helper.to_array(old) * np.float32(factor)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, f"{scale}_other"))
        for node in model.graph.node:
            behind = {q.output[0] for q in model.graph.node if q.input[0] == named}
            if node.input[0] == named or node.input[0] in behind:
                for at, name in enumerate(node.input):
                    node.input[at] = f"{scale}_other" if name == scale else name
    onnx.save(model, target)
    return target


def onnx_tensor(path: Path, kind: str, number: int, *, weights: bool = False) -> str:
    """What a file calls the result of its operator of a kind, or the integers of its weights."""
    import onnx

    nodes = onnx.load(path).graph.node
    node = [n for n in nodes if n.op_type == kind][number]
    if not weights:
        return str(node.output[0])
    (pair,) = (n for n in nodes if node.input[1] in n.output)
    return str(pair.input[0])


def onnx_quantized(
    source: Path,
    target: Path,
    batches: Sequence[Mapping[str, Array]],
    *,
    activations: str = "S8",
    weights: str = "S8",
    per_channel: bool = True,
    symmetric: bool = True,
) -> Path:
    """ONNX Runtime's own quantization of a float file."""
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):  # type: ignore[misc, name-defined]
        rest = iter(batches)

        def get_next(self) -> Mapping[str, Array] | None:
            return next(self.rest, None)

    kinds = {"S8": q.QuantType.QInt8, "U8": q.QuantType.QUInt8}
    q.quantize_static(
        source,
        target,
        Reader(),
        quant_format=q.QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=kinds[activations],
        weight_type=kinds[weights],
        extra_options={"WeightSymmetric": symmetric},
    )
    return target


def perturbed(source: Path, target: Path, noise: float) -> Path:
    """A float TFLite or ONNX file whose largest constant is another: a fault of its converter."""
    random = np.random.default_rng(0)

    def other(values: Array) -> Array:
        strayed = values + random.normal(0, noise * values.std(), values.shape)
        return np.asarray(strayed, np.float32)

    if source.suffix == ".tflite":
        model = flatbuffer.read(source)
        tensors = model.subgraphs[0].tensors
        constants = [(flatbuffer.constant(model, t), t) for t in tensors if t.type == 0]
        values, tensor = max(
            ((c, t) for c, t in constants if c is not None), key=lambda pair: pair[0].size
        )
        model.buffers[tensor.buffer].data = np.frombuffer(other(values).tobytes(), np.uint8)
        flatbuffer.write(model, target)
        return target
    import onnx

    graph = onnx.load(source)
    largest = max(graph.graph.initializer, key=lambda i: int(np.prod(i.dims)))
    values = onnx.numpy_helper.to_array(largest)
    largest.CopyFrom(onnx.numpy_helper.from_array(other(values), largest.name))
    onnx.save(graph, target)
    return target


def with_outlier(model: Any, factor: float = 50.0) -> Any:
    """The digits CNN, its answers as before, with one channel of its second convolution so much larger."""
    second, _, _, dense = model.layers[3:7]
    kernel, bias = (np.copy(w) for w in second.get_weights())
    kernel[..., 5] *= factor
    bias[5] *= factor
    second.set_weights([kernel, bias])
    weights, bias = (np.copy(w) for w in dense.get_weights())
    weights.reshape(-1, kernel.shape[-1], weights.shape[-1])[:, 5] /= factor
    dense.set_weights([weights, bias])
    return model
