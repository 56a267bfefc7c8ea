"""Models of layers and outputs that once did not convert; with random weights."""

from collections.abc import Callable
from typing import Any


def pooled_volumes() -> Any:
    """A classifier of volumes, as of a scanner, by convolutions and both poolings in three dimensions."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            layers.Input((12, 12, 12, 1), name="x"),
            layers.Conv3D(8, 3, activation="relu"),
            layers.MaxPooling3D(2),
            layers.Conv3D(8, 3, padding="same", activation="relu"),
            layers.AveragePooling3D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def best_class() -> Any:
    """Tells the class itself, beside its scores."""
    import keras
    from keras import layers, ops

    x = layers.Input((8,), name="x")
    scores = layers.Dense(5)(layers.Dense(16, activation="relu")(x))
    return keras.Model(x, {"best": ops.argmax(scores, axis=-1), "scores": scores})


def buckets() -> Any:
    """Numbers put into buckets, each with a vector of its own."""
    import keras
    from keras import layers

    x = layers.Input((4,), name="x")
    numbers = layers.Discretization([-1.0, -0.3, 0.3, 1.0])(x)
    rows = layers.Flatten()(layers.Embedding(5, 6)(numbers))
    return keras.Model(x, layers.Dense(3)(layers.Dense(12, activation="relu")(rows)))


def _sound(front: Any, *shape: int) -> Any:
    import keras
    from keras import layers

    x = layers.Input(shape, name="x")
    y = front(x)
    y = layers.Conv2D(8, 3, activation="relu")(layers.Reshape((*y.shape[1:], 1))(y))
    y = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(y))
    return keras.Model(x, layers.Dense(4)(y))


def mel_spectrogram() -> Any:
    """A classifier of sound, with its MelSpectrogram inside."""
    from keras import layers

    return _sound(layers.MelSpectrogram(fft_length=256, sequence_stride=128, num_mel_bins=24), 2048)


def spectrogram() -> Any:
    """The same with an STFTSpectrogram, in decibels."""
    from keras import layers

    return _sound(layers.STFTSpectrogram("log", 256, 128, 256), 2048, 1)


def named_outputs() -> Any:
    """Two outputs by the keys of a dict."""
    import keras
    from keras import layers

    x = layers.Input((16, 16, 3), name="x")
    y = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    y = layers.Dense(16, activation="relu")(layers.Flatten()(y))
    emotion = layers.Dense(4, activation="softmax")(y)
    return keras.Model(x, {"age": layers.Dense(1)(y), "emotion": emotion})


def bfloat16() -> Any:
    """Weights and layers of the policy bfloat16; only the input and the output are float32."""
    import keras
    from keras import layers

    x = layers.Input((8,), name="x")
    hidden = layers.Dense(16, activation="relu", dtype="bfloat16")(x)
    return keras.Model(x, layers.Dense(4, dtype="float32")(hidden))


def resized_and_cropped() -> Any:
    """Images brought to another size in four ways, before convolutions."""
    import keras
    from keras import layers

    x = layers.Input((20, 24, 3), name="x")
    y = layers.Resizing(18, 18, interpolation="bicubic", crop_to_aspect_ratio=True)(x)
    y = layers.Resizing(20, 28, antialias=True, pad_to_aspect_ratio=True)(y)
    y = layers.CenterCrop(16, 16)(y)
    y = layers.Conv2D(8, 3, activation="relu")(y)
    return keras.Model(x, layers.Dense(4)(layers.GlobalAveragePooling2D()(y)))


def stateful() -> Any:
    """An LSTM that goes on from one call to the next, which no file does."""
    import keras
    from keras import layers

    x = layers.Input((10, 4), batch_size=1, name="x")
    return keras.Model(x, layers.Dense(2)(layers.LSTM(8, stateful=True, name="memory")(x)))


LAYERS: dict[str, Callable[[], Any]] = {
    "MaxPooling3D and AveragePooling3D": pooled_volumes,
    "argmax": best_class,
    "Discretization": buckets,
    "MelSpectrogram": mel_spectrogram,
    "STFTSpectrogram": spectrogram,
    "named outputs": named_outputs,
    "bfloat16": bfloat16,
    "Resizing, CenterCrop": resized_and_cropped,
}
"""Rows of the matrix; ``tests/converters`` converts their layers one by one."""
