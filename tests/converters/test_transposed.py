"""Transposed convolutions in int8: OpenVINO and ONNX Runtime compute the same numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import edgekit_converters
from edgekit_converters import FORMATS, load_model
from edgekit_runtimes import open_model

Array = npt.NDArray[Any]


def attention_unet(digits: Array) -> tuple[Any, Array]:
    """Takes the noise out of digits; what the way down has is weighted on the way up."""
    import keras
    from keras import layers

    def up(x: Any, channels: int, kernel: int) -> Any:
        return layers.Conv2DTranspose(channels, kernel, 2, padding="same", activation="relu")(x)

    noise = np.random.default_rng(0).normal(0, 0.3, digits.shape)
    noisy = np.clip(digits + noise, 0, 1).astype(np.float32)
    image = layers.Input((8, 8, 1), name="image")
    high = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    middle = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(high)
    low = layers.Conv2D(24, 3, 2, padding="same", activation="relu")(middle)
    x = up(low, 16, 3)
    both = layers.ReLU()(layers.Conv2D(8, 1)(middle) + layers.Conv2D(8, 1)(x))
    x = layers.Concatenate()([x, middle * layers.Conv2D(1, 1, activation="sigmoid")(both)])
    x = layers.Concatenate()([up(x, 8, 2), high])
    model = keras.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy")
    model.fit(noisy, digits, batch_size=64, epochs=4, verbose=0)
    return model, noisy


def vae_decoder(digits: Array) -> tuple[Any, Array]:
    """Draws digits from what an encoder, trained with it, makes of them."""
    import keras
    from keras import layers

    encoder = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten()])
    encoder.add(layers.Dense(6))
    code = layers.Input((6,), name="code")
    x = layers.Reshape((2, 2, 32))(layers.Dense(128, activation="relu")(code))
    for channels in (24, 16):
        x = layers.Conv2DTranspose(channels, 3, 2, padding="same", activation="relu")(x)
    drawn = layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")(x)
    decoder = keras.Model(code, drawn)
    both = keras.Model(encoder.inputs, decoder(encoder.outputs[0]))
    both.compile("adam", "mse")
    both.fit(digits, digits, batch_size=64, epochs=4, verbose=0)
    return decoder, encoder.predict(digits, verbose=0)


@pytest.mark.parametrize("build", [attention_unet, vae_decoder])
def test_int8_answers_alike_everywhere(
    build: Callable[[Array], tuple[Any, Array]], tmp_path: Path
) -> None:
    import keras
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(0)
    digits = (load_digits().images[:, :, :, np.newaxis] / 16).astype(np.float32)
    model, inputs = build(digits)
    model.save(tmp_path / "model.keras")
    name, rest = model.inputs[0].name, inputs[-100:]
    paths = {(form, "int8"): tmp_path / f"model{FORMATS[form].suffix}" for form in FORMATS}
    built = load_model(str(tmp_path / "model.keras"))
    samples = [{name: sample} for sample in inputs[:100]]
    edgekit_converters.convert(built, paths, samples, scratch=tmp_path)  # type: ignore[arg-type]
    expected = model.predict(rest, verbose=0)
    found = {
        (form, device): sqnr_db(expected, answers(path, rest, device))
        for (form, _), path in paths.items()
        for device in ("cpu", "openvino")
    }
    assert min(found.values()) > 30, found
    assert max(found.values()) - min(found.values()) < 1, found
    # Where the processor has no VNNI, OpenVINO computes in float32, and hides what it does otherwise.
    assert set(map(np.dtype, transposed_weights(paths["onnx", "int8"]))) == {np.dtype(np.int8)}


def test_openvino_is_right_on_unsigned_weights_too(tmp_path: Path) -> None:
    """As earlier versions wrote them: its 8-bit kernel would leave out their zero point."""
    path = tmp_path / "model.onnx"
    unsigned_transposed(path)
    x = np.random.default_rng(1).normal(size=(1, 8, 8, 8)).astype(np.float32)
    found = [answers(path, x, device) for device in ("cpu", "openvino")]
    assert np.std(found[0]) > 0.1
    np.testing.assert_allclose(*found, atol=0.05 * 1.01)  # a step of the last quantization


def answers(path: Path, inputs: Array, device: str) -> Array:
    with open_model(path, device=device) as model:
        return np.concatenate([np.asarray(model.run(row[np.newaxis])) for row in inputs])


def sqnr_db(expected: Array, got: Array) -> float:
    return float(10 * np.log10(np.square(expected).sum() / np.square(got - expected).sum()))


def transposed_weights(path: Path) -> list[Any]:
    """The types of the integers that are the weights of transposed convolutions."""
    import onnx

    graph = onnx.load(str(path)).graph
    producer = {port: node for node in graph.node for port in node.output}
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    return [
        onnx.helper.tensor_dtype_to_np_dtype(kinds[producer[node.input[1]].input[0]])
        for node in graph.node
        if node.op_type == "ConvTranspose"
    ]


def unsigned_transposed(path: Path) -> None:
    """Writes two transposed convolutions, a ReLU behind each, with unsigned weights."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    constants: dict[str, Any] = {"half": np.uint8(128), "zero": np.uint8(0)}
    nodes = []

    def pair(value: str, scale: float, zero: str, made: str) -> str:
        constants[f"{made}/scale"] = np.float32(scale)
        for kind, at, to in (
            ("QuantizeLinear", value, f"{made}/q"),
            ("DequantizeLinear", f"{made}/q", made),
        ):
            nodes.append(helper.make_node(kind, [at, f"{made}/scale", zero], [to]))
        return made

    value = pair("x", 0.03, "half", "x/real")
    for step in ("first", "second"):
        constants[f"{step}/q"] = random.integers(1, 256, (8, 8, 3, 3), np.uint8)
        constants[f"{step}/scale"] = np.float32(0.003)
        ports = [f"{step}/q", f"{step}/scale", "half"]
        nodes.append(helper.make_node("DequantizeLinear", ports, [f"{step}/w"]))
        nodes.append(
            helper.make_node(
                "ConvTranspose", [value, f"{step}/w"], [f"{step}/sum"], strides=[2, 2],
                pads=[0, 0, 1, 1],
            )
        )  # fmt: skip
        nodes.append(helper.make_node("Relu", [f"{step}/sum"], [f"{step}/relu"]))
        value = pair(f"{step}/relu", 0.05, "zero", f"{step}/real")
    nodes.append(helper.make_node("Identity", [value], ["y"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, side, side])
        for name, side in (("x", 8), ("y", 32))
    ]
    tensors = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], tensors)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    onnx.checker.check_model(path)
