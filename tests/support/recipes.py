"""A small trained model with all that recipes deal with, and what its files compute."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array
from edgekit_converters import Variants, load_model
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import open_model

WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}


def digits_mobile() -> Any:
    """Depthwise convolutions after ReLU6 and ReLU, a tensor with two readers, pooling, a softmax; untrained."""
    import keras
    from keras import layers

    def block(x: Any, channels: int, activation: Any, name: str) -> Any:
        x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_expand")(x)
        x = activation(layers.BatchNormalization(name=f"{name}_norm")(x))
        x = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(x)
        return layers.Conv2D(8, 1, name=f"{name}_project")(x)

    image = layers.Input((8, 8, 1), name="image")
    stem = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(image)
    first = layers.Add(name="joined")([stem, block(stem, 16, layers.ReLU(6.0), "first")])
    second = block(layers.MaxPooling2D(name="pool")(first), 24, layers.ReLU(), "second")
    mean = layers.GlobalAveragePooling2D(name="mean")(second)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(mean))


def save_digits_mobile(folder: Path) -> None:
    """Train the model, and put it into a folder, with channels of very different ranges."""
    import keras

    from edgekit.workflows.demo import digits
    from support.models import train

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    images, labels = digits()
    model = train(digits_mobile(), images[:697], labels[:697], epochs=12)
    for name in ("first", "second"):  # scale channels apart, as in networks that train for long
        norm, depthwise = model.get_layer(f"{name}_norm"), model.get_layer(f"{name}_depthwise")
        gamma, beta, mean, variance = norm.get_weights()
        kernel, bias = depthwise.get_weights()
        factors = np.geomspace(0.05, 1, len(gamma)).astype(np.float32)
        norm.set_weights([gamma * factors, beta * factors, mean, variance])
        depthwise.set_weights([kernel / factors[:, np.newaxis], bias])
    model.save(folder / "mobile.keras")


def images_of(digits: Path, name: str, count: int) -> list[dict[str, Array]]:
    """Images of ``calib`` or ``eval``, as samples."""
    return [{"image": image} for image in np.load(digits / f"{name}.npz")["image"][:count]]


def variants_of(model: Path, samples: Any, scratch: Path, **options: Any) -> Variants:
    """A model's variants, in both formats."""
    return Variants(load_model(str(model)), ["tflite", "onnx"], samples, scratch=scratch, **options)


def outputs_of(path: Path, samples: Sequence[dict[str, Array]]) -> Array:
    """What a file computes, one row a sample."""
    with open_model(path) as session:
        rows = [session.run({k: v[np.newaxis] for k, v in s.items()}) for s in samples]
    return np.concatenate([next(iter(row.values())) for row in rows])


def sqnr(exact: Array, got: Array) -> float:
    """In dB."""
    noise = np.sum((exact.astype(np.float64) - got) ** 2)
    return float(10 * np.log10(np.sum(exact.astype(np.float64) ** 2) / max(noise, 1e-30)))


def float_operators_of(graph: Path, quantized: Path) -> set[str]:
    """The operators of a TFLite file that take and give float32, by their names in the float graph."""
    floats, ints = flatbuffer.read(graph), flatbuffer.read(quantized)
    casts = {flatbuffer.QUANTIZE, flatbuffer.DEQUANTIZE}
    main = ints.subgraphs[0]
    kept = [op for op in main.operators if flatbuffer.opcode(ints, op) not in casts]
    found = set()
    for plain, operator in zip(floats.subgraphs[0].operators, kept, strict=True):
        types = {main.tensors[i].type for i in (*operator.inputs, *operator.outputs) if i >= 0}
        if flatbuffer.FLOAT32 in types and not types & {7, flatbuffer.INT8}:  # 7 is INT16
            found.add(flatbuffer.name(floats.subgraphs[0].tensors[plain.outputs[0]]))
    return found


def float_weights_of(path: Path) -> int:
    """How many convolutions and dense layers of an ONNX file have float32 weights."""
    import onnx

    graph = onnx.load(str(path)).graph
    constants = {i.name for i in graph.initializer}
    return sum(
        node.input[1] in constants
        for node in graph.node
        if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")
    )
