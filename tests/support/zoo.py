"""The models that people ship, small or with random weights: the rows of the conversion matrix."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.data.samples import Array
from support.zoo_images import p_net, padded_max_pool, vision_transformer
from support.zoo_layers import stateful


def _sequential(shape: tuple[int | None, ...], *layers: Any, dtype: str = "float32") -> Any:
    import keras

    return keras.Sequential([keras.layers.Input(shape, name="x", dtype=dtype), *layers])


def mlp() -> Any:
    from keras import layers

    return _sequential((8,), layers.Dense(16, activation="relu"), layers.Dense(4))


def cnn() -> Any:
    from edgekit.workflows.demo import digits_cnn

    return digits_cnn()


def autoencoder() -> Any:
    from keras import layers

    hidden = [[layers.Dense(n), layers.BatchNormalization(), layers.ReLU()] for n in (32, 4, 32)]
    return _sequential((16,), *(layer for block in hidden for layer in block), layers.Dense(16))


def separable_conv() -> Any:
    from keras import layers

    return _sequential(
        (12, 12, 3),
        layers.SeparableConv2D(8, 3, activation="relu6"),
        layers.BatchNormalization(),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(4),
    )


def conv1d() -> Any:
    from keras import layers

    causal = layers.Conv1D(8, 3, activation="relu", padding="causal")
    return _sequential((12, 3), causal, layers.GlobalMaxPooling1D(), layers.Dense(4))


def unet() -> Any:
    import keras
    from keras import layers

    x = layers.Input((16, 16, 3), name="x")
    down = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    middle = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(down))
    up = layers.Conv2DTranspose(8, 2, strides=2)(middle)
    joined = layers.Concatenate()([up, down, layers.UpSampling2D(2)(middle)])
    return keras.Model(x, layers.Conv2D(2, 1, activation="softmax", name="mask")(joined))


def many_ends() -> Any:
    import keras
    from keras import layers

    p, q = layers.Input((6,), name="p"), layers.Input((4,), name="q")
    joined = layers.Concatenate()([layers.Dense(8, activation="relu")(p), layers.Dense(8)(q)])
    return keras.Model(
        [p, q], [layers.Dense(2, name="a")(joined), layers.Dense(3, name="b")(joined)]
    )


def preprocessing() -> Any:
    from keras import layers

    return _sequential(
        (10, 10, 3),
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.1]),
        layers.Resizing(12, 12),
        layers.Conv2D(4, 3, activation="swish"),
        layers.LeakyReLU(),
        layers.PReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3),
    )


def embedding_lstm(words: int = 40, width: int = 8, units: int = 16, steps: int = 16) -> Any:
    from keras import layers

    return _sequential(
        (steps,),
        layers.Embedding(words, width),
        layers.LSTM(units, bias_initializer="normal"),
        layers.Dense(1, activation="sigmoid"),
        dtype="int32",
    )


def gru(units: int = 8, steps: int = 10) -> Any:
    from keras import layers

    return _sequential(
        (steps, 4), layers.GRU(units, bias_initializer="normal"), layers.Dense(2)
    )  # fmt: skip


def bidirectional(units: int = 6, steps: int = 10) -> Any:
    from keras import layers

    both = layers.Bidirectional(layers.LSTM(units, bias_initializer="normal"))
    return _sequential((steps, 4), both, layers.Dense(2))


def masked_words() -> Any:
    """Words of which some, wherever they are, are 0 and do not count."""
    from keras import layers

    return _sequential(
        (12,),
        layers.Embedding(40, 6, mask_zero=True),
        layers.Bidirectional(layers.GRU(6, return_sequences=True, bias_initializer="normal")),
        layers.GRU(6, bias_initializer="normal"),
        layers.Dense(2),
        dtype="int32",
    )


def stacked_rnn(units: int = 6, steps: int = 10) -> Any:
    from keras import layers

    return _sequential(
        (steps, 4),
        layers.LSTM(units, return_sequences=True, bias_initializer="normal"),
        layers.GRU(units, return_sequences=True, bias_initializer="normal"),
        layers.Dense(2),
    )


def conv_lstm() -> Any:
    from keras import layers

    loop = layers.ConvLSTM2D(4, 3, padding="same", bias_initializer="normal")
    return _sequential((4, 6, 6, 1), loop, layers.Flatten(), layers.Dense(2))


def transformer(approximate: bool = False) -> Any:
    import keras
    from keras import layers

    x = layers.Input((6, 8), name="x")
    attended = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    hidden = keras.ops.gelu(layers.Dense(16)(attended), approximate=approximate)
    pooled = layers.GlobalAveragePooling1D()(attended + layers.Dense(8)(hidden))
    return keras.Model(x, layers.Dense(3, activation="softmax", name="y")(pooled))


def transformer_tanh() -> Any:
    return transformer(approximate=True)


def recommender() -> Any:
    import keras
    from keras import layers

    user = layers.Input((1,), dtype="int32", name="user")
    item = layers.Input((1,), dtype="int32", name="item")
    both = [layers.Flatten()(layers.Embedding(40, 8)(i)) for i in (user, item)]
    hidden = layers.Dense(16, activation="relu")(layers.Concatenate()(both))
    return keras.Model([user, item], layers.Dense(1, activation="sigmoid", name="y")(hidden))


def subclassed() -> Any:
    import keras
    from keras import layers

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = layers.Dense(8, activation="relu")
            self.out = layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.out(self.hidden(x))

    keras.utils.set_random_seed(0)  # it is built again where it is converted
    model = Net()
    model(np.zeros((1, 6), np.float32))
    return model


def shared_layer() -> Any:
    import keras
    from keras import layers

    dense = layers.Dense(8, activation="relu")
    p, q = layers.Input((5,), name="p"), layers.Input((5,), name="q")
    return keras.Model([p, q], layers.Dense(2, name="y")(dense(p) - dense(q)))


def nested() -> Any:
    from keras import layers

    inner = _sequential((6,), layers.Dense(5, activation="relu"))
    return _sequential((6,), inner, layers.Dense(2))


def open_size() -> Any:
    from keras import layers

    conv = layers.Conv2D(4, 3, activation="relu")
    return _sequential((None, None, 3), conv, layers.GlobalAveragePooling2D(), layers.Dense(2))


def mixed_float16() -> Any:
    from keras import layers

    hidden = layers.Dense(16, activation="relu", dtype="mixed_float16")
    return _sequential((8,), hidden, layers.Dense(4, dtype="float32"))


def text() -> Any:
    import keras
    from keras import layers

    words = keras.Input((1,), dtype="string", name="word")
    numbers = layers.Embedding(4, 2)(layers.StringLookup(vocabulary=["yes", "no"])(words))
    return keras.Model(words, layers.Dense(1)(layers.Flatten()(numbers)))


def channels_first() -> Any:
    from keras import layers

    conv = layers.Conv2D(4, 3, data_format="channels_first", name="conv")
    return _sequential((3, 16, 16), conv, layers.Flatten(), layers.Dense(2))


def _application(name: str, size: int = 96) -> Callable[[], Any]:
    def build() -> Any:
        import keras

        make = getattr(keras.applications, name)
        return with_statistics(make(input_shape=(size, size, 3), weights=None, classes=10))

    return build


def with_statistics(model: Any) -> Any:
    """Gives batch norms values as after training: with ones and zeros they would be no test."""
    import keras

    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([
                random.uniform(0.7, 1.3, w.shape) if "variance" in v.path or "gamma" in v.path
                else random.normal(0, 0.2, w.shape)
                for v, w in zip(layer.weights, layer.get_weights(), strict=True)
            ])  # fmt: skip
    return model


SMALL: dict[str, Callable[[], Any]] = {
    "MLP": mlp,
    "CNN": cnn,
    "autoencoder, batch norms": autoencoder,
    "SeparableConv2D": separable_conv,
    "Conv1D": conv1d,
    "U-Net": unet,
    "two inputs, two outputs": many_ends,
    "preprocessing layers inside": preprocessing,
    "P-Net, of PReLU": p_net,
    "Embedding + LSTM": embedding_lstm,
    "GRU": gru,
    "Bidirectional LSTM": bidirectional,
    "LSTM + GRU, return_sequences": stacked_rnn,
    "masked words, Bidirectional GRU + GRU": masked_words,
    "ConvLSTM2D": conv_lstm,
    "transformer block, exact GELU": transformer,
    "transformer block, tanh GELU": transformer_tanh,
    "vision transformer": vision_transformer,
    "recommender": recommender,
    "subclassed": subclassed,
    "shared layer": shared_layer,
    "nested model": nested,
    "open image size": open_size,
    "mixed_float16": mixed_float16,
    "zero padding before max pooling": padded_max_pool,
}
OWN_CLASSES = {
    "subclassed": "support.zoo:subclassed",
    "vision transformer": "support.zoo_images:vision_transformer",
}
"""Models with classes of their own, which load by the function that makes them."""
REFUSED: dict[str, Callable[[], Any]] = {
    "StringLookup": text,
    "stateful LSTM": stateful,
    "channels_first": channels_first,
}
LARGE: dict[str, Callable[[], Any]] = {
    "MobileNet V1": _application("MobileNet"),
    "MobileNet V2": _application("MobileNetV2"),
    "MobileNet V3 small": _application("MobileNetV3Small"),
    "EfficientNet B0": _application("EfficientNetB0"),
    "EfficientNet V2 B0": _application("EfficientNetV2B0"),
    "ResNet50": _application("ResNet50"),
    "DenseNet121": _application("DenseNet121"),
    "NASNetMobile": _application("NASNetMobile", 224),
    "Xception": _application("Xception"),
    "InceptionV3": _application("InceptionV3"),
    "VGG16": _application("VGG16", 224),
}


RECURRENT: dict[str, Callable[[], Any]] = {
    "Embedding of 1,000 words + LSTM of 64, 64 steps": lambda: embedding_lstm(1000, 32, 64, 64),
    "GRU of 64, 48 steps": lambda: gru(64, 48),
    "Bidirectional LSTM of 64, 48 steps": lambda: bidirectional(64, 48),
    "LSTM + GRU of 64, return_sequences, 48 steps": lambda: stacked_rnn(64, 48),
    "LSTM of 256, 48 steps, of an Embedding": lambda: embedding_lstm(1000, 64, 256, 48),
}
"""Recurrent models of the sizes that devices run."""


def _reader(*layers: Any) -> Any:
    """A classifier of digits that reads them row by row, trained."""
    import keras

    from edgekit.workflows.demo import digits
    from support.models import train

    answer = keras.layers.Dense(10, activation="softmax", name="digit")
    model = keras.Sequential([keras.layers.Input((8, 8), name="rows"), *layers, answer])
    images, labels = digits()
    return train(model, images[:697, ..., 0], labels[:697], epochs=40)


def digit_rows() -> dict[str, Array]:
    """The 1,100 digits that training has not seen: 200 calibrate, and 900 judge."""
    from edgekit.workflows.demo import digits

    images, labels = digits()
    return {"rows": images[697:, ..., 0], "y": labels[697:]}


def _trained() -> dict[str, Callable[[], Any]]:
    def layers() -> Any:
        import keras

        return keras.layers

    return {
        "LSTM of 64": lambda: _reader(layers().LSTM(64)),
        "GRU of 64": lambda: _reader(layers().GRU(64)),
        "Bidirectional LSTM of 32": lambda: _reader(layers().Bidirectional(layers().LSTM(32))),
        "LSTM of 32 + GRU of 32": lambda: _reader(
            layers().LSTM(32, return_sequences=True), layers().GRU(32)
        ),
        "LSTM of 64, masked": lambda: _reader(layers().Masking(0.0), layers().LSTM(64)),
    }


TRAINED = _trained()
"""Recurrent models that read scikit-learn's digits row by row."""


def samples(model: Any, count: int = 120) -> dict[str, Array]:
    """Samples for a model: smooth images, bounded series, whole numbers under 40, normal numbers."""
    random = np.random.default_rng(0)
    layers = {type(layer).__name__ for layer in model._flatten_layers()}
    made = {}
    for tensor in getattr(model, "inputs", None) or []:
        shape = tuple(n or 24 for n in tensor.shape[1:])
        if tensor.dtype == "string":
            made[tensor.name] = random.choice(["yes", "no"], (count, *shape))
            continue
        if "int" in str(tensor.dtype):
            made[tensor.name] = random.integers(0, 40, (count, *shape)).astype(np.int32)
            continue
        values = random.normal(size=(count, *shape))
        if len(shape) == 2:  # a series, as of a sensor, has no rare extremes
            values = values.clip(-2, 2)
        if len(shape) == 3 and shape[0] % 8 == 0:  # patches of 8x8, as in a picture
            values = values[:, ::8, ::8].repeat(8, axis=1).repeat(8, axis=2)
        if "Rescaling" in layers:  # the model takes pixels
            values = np.clip(values * 40 + 128, 0, 255)
        made[tensor.name] = values.astype(np.float32)
    return made or {"input": random.normal(size=(count, 6)).astype(np.float32)}
