"""The architectures of ``support.trained``, with random weights."""

from typing import Any


def application(name: str, size: int, **options: Any) -> Any:
    """A model of ``keras.applications`` for ten classes, changed so that it learns within minutes.

    The statistics of batch norms are means over 1,000 batches by default: more than a short training has.
    And EfficientNet skips whole blocks at random, which needs a long one.
    """
    import keras

    make = getattr(keras.applications, name)
    built = make(input_shape=(size, size, 3), weights=None, classes=10, **options)

    def quick(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = 0.9
        if isinstance(layer, keras.layers.Dropout) and config.get("noise_shape"):
            config["rate"] = 0
        return layer.__class__.from_config(config)

    return keras.models.clone_model(built, clone_function=quick)


def ds_cnn() -> Any:
    """The size of MLPerf Tiny's keyword spotting: 49 frames of 10 bands, four separable blocks of 64."""
    import keras
    from keras import layers

    def normed(layer: Any) -> list[Any]:
        return [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU()]

    blocks = [
        layer
        for _ in range(4)
        for layer in (
            *normed(layers.DepthwiseConv2D(3, padding="same", use_bias=False)),
            *normed(layers.Conv2D(64, 1, use_bias=False)),
        )
    ]
    first = normed(layers.Conv2D(64, (10, 4), 2, padding="same", use_bias=False))
    return keras.Sequential(
        [
            keras.Input((49, 10, 1), name="spectrum"),
            *first,
            *blocks,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(12, activation="softmax", name="word"),
        ]
    )


def resnet() -> Any:
    """The size of MLPerf Tiny's: three stages of 16, 32 and 64 channels."""
    import keras
    from keras import layers

    def normed(x: Any, channels: int, stride: int = 1, size: int = 3) -> Any:
        x = layers.Conv2D(channels, size, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.9)(x)

    image = keras.Input((32, 32, 3), name="image")
    x = layers.ReLU()(normed(image, 16))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        straight = x if stride == 1 else normed(x, channels, stride, 1)
        x = normed(layers.ReLU()(normed(x, channels, stride)), channels)
        x = layers.ReLU()(layers.Add()([x, straight]))
    pooled = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(pooled))


def unet() -> Any:
    """Three levels of 16, 32 and 64 channels; transposed convolutions lead up again."""
    import keras
    from keras import layers

    def block(x: Any, channels: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        return x

    image = keras.Input((48, 48, 3), name="image")
    high = block(image, 16)
    middle = block(layers.MaxPooling2D()(high), 32)
    low = block(layers.MaxPooling2D()(middle), 64)
    up = layers.Conv2DTranspose(32, 2, strides=2)(low)
    middle = block(layers.Concatenate()([up, middle]), 32)
    up = layers.Conv2DTranspose(16, 2, strides=2)(middle)
    x = block(layers.Concatenate()([up, high]), 16)
    return keras.Model(image, layers.Conv2D(4, 1, activation="softmax", name="shape")(x))


def lstm() -> Any:
    """Reads a picture row by row."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((16, 16), name="rows"),
            layers.LSTM(64),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


def transformer() -> Any:
    """A small keyword transformer: a convolution over time, two blocks of four heads, a mean."""
    import keras
    from keras import layers

    x = spectrum = keras.Input((49, 10), name="spectrum")
    x = layers.Conv1D(64, 5, padding="same", activation="relu")(x)
    for _ in range(2):
        before = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(4, 16)(before, before)
        before = layers.LayerNormalization()(x)
        x = x + layers.Dense(64)(layers.Dense(128, activation="gelu")(before))
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(spectrum, layers.Dense(12, activation="softmax", name="word")(pooled))
