"""int8 ONNX files as they are written, as edgekit opens them, and beside float32: one thread."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from support.timing import medians

import edgekit
from edgekit_runtimes import open_model
from edgekit_runtimes.host import has_vnni, processor_name

pytestmark = pytest.mark.benchmark


def mobilenet_v2() -> Any:
    import keras

    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=4)


def ds_cnn() -> Any:
    """The size of MLPerf Tiny's keyword spotting."""
    import keras
    from keras import layers

    blocks = [
        layer
        for _ in range(4)
        for layer in (
            layers.DepthwiseConv2D(3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(64, 1),
            layers.BatchNormalization(),
            layers.ReLU(),
        )
    ]
    first = layers.Conv2D(64, (10, 4), 2, padding="same", activation="relu")
    pool, dense = layers.AveragePooling2D((25, 5)), layers.Dense(12, activation="softmax")
    return keras.Sequential(
        [keras.Input((49, 10, 1)), first, *blocks, pool, layers.Flatten(), dense]
    )


def vgg() -> Any:
    """Three pairs of convolutions, of 32 to 128 channels, at 64x64."""
    import keras
    from keras import layers

    blocks = [
        layer
        for n in (32, 64, 128)
        for layer in (
            layers.Conv2D(n, 3, padding="same", activation="relu"),
            layers.Conv2D(n, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
        )
    ]
    return keras.Sequential([keras.Input((64, 64, 3)), *blocks, layers.Flatten(), layers.Dense(10)])


def transformer() -> Any:
    """One block, on 64 tokens of 256 numbers."""
    import keras
    from keras import layers

    x = keras.Input((64, 256))
    attended = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 64)(x, x))
    hidden = layers.Dense(256)(layers.Dense(1024, activation="relu")(attended))
    return keras.Model(x, layers.LayerNormalization()(attended + hidden))


def autoencoder() -> Any:
    """Dense layers of one row each, most of them too small for signed weights."""
    import keras
    from keras import layers

    hidden = [layers.Dense(n, activation="relu") for n in (128,) * 4 + (8,) + (128,) * 4]
    return keras.Sequential([keras.Input((640,)), *hidden, layers.Dense(640)])


MODELS: dict[str, Callable[[], Any]] = {
    "MobileNetV2 0.35": mobilenet_v2,
    "DS-CNN": ds_cnn,
    "VGG-like": vgg,
    "transformer block": transformer,
    "autoencoder": autoencoder,
}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("digits cnn", 1.0), ("MobileNetV2 0.35", 1.3), ("DS-CNN", 1.3), ("VGG-like", 1.3),
        ("transformer block", 1.3), ("autoencoder", 0.97),
    ],
)  # fmt: skip
def test_signed_weights_are_faster_with_the_same_bits(
    name: str, least: float, digits: Path, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    """Random weights do for a time; that bits are equal is tested on trained models too."""
    if not has_vnni():
        pytest.skip("this processor has no VNNI")
    if name == "digits cnn":
        edgekit.convert(digits / "cnn.keras", digits / "calib.npz", tmp_path, to="onnx")
    else:
        import keras
        from support.zoo import with_statistics

        keras.utils.set_random_seed(0)
        model = with_statistics(MODELS[name]())
        random = np.random.default_rng(0)
        images = random.random((60, *model.inputs[0].shape[1:]), np.float32)
        edgekit.convert(model, images, tmp_path, to="onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    int8 = tmp_path / "model_int8.onnx"
    written = onnxruntime.InferenceSession(int8, options, providers=["CPUExecutionProvider"])
    takes = written.get_inputs()[0]
    x = np.random.default_rng(1).random(takes.shape).astype(np.float32)
    with open_model(tmp_path / "model_float32.onnx") as original, open_model(int8) as opened:
        np.testing.assert_array_equal(opened.run(x), written.run(None, {takes.name: x})[0])
        times = medians(
            {
                "float32": lambda: original.run(x),
                "as written": lambda: written.run(None, {takes.name: x}),
                "edgekit": lambda: opened.run(x),
            },
            1000,
        )
    gain = times["as written"] / times["edgekit"]
    said = ", ".join(f"{who} {t:.0f}" for who, t in times.items())
    tell(f"{name}, {processor_name()}, one thread: {said} us; {gain:.2f}x")
    assert gain >= least
