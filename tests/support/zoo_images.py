"""Image models of the zoo in which something once went wrong; with random weights."""

from collections.abc import Callable
from typing import Any


def vision_transformer(width: int = 16, patch: int = 4, blocks: int = 2) -> Any:
    """A plain ViT: patches by a convolution, a class token, learned positions, pre-norm blocks, a head.

    Token and positions are of about the size of the patches. Far smaller ones would lose the token: it
    shares a scale with the patches, and layer normalization divides it by its own deviation.
    """
    import keras
    from keras import layers, ops

    initial = keras.initializers.RandomNormal(stddev=0.5, seed=0)

    class ClassToken(layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer=initial)

        def call(self, x: Any) -> Any:
            token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
            return ops.concatenate([token, x], axis=1)

    class Positions(layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(1, *shape[1:]), initializer=initial)

        def call(self, x: Any) -> Any:
            return x + self.table

    keras.utils.set_random_seed(0)  # it is built again where it is converted
    image = layers.Input((16, 16, 3), name="image")
    patches = layers.Conv2D(width, patch, strides=patch)(image)
    x = Positions()(ClassToken()(layers.Reshape((-1, width))(patches)))
    for _ in range(blocks):
        before = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.MultiHeadAttention(2, width // 2)(before, before)
        hidden = layers.Dense(2 * width, activation="gelu")(
            layers.LayerNormalization(epsilon=1e-6)(x)
        )
        x = x + layers.Dense(width)(hidden)
    token = layers.LayerNormalization(epsilon=1e-6)(x)[:, 0]
    return keras.Model(image, layers.Dense(5, name="y")(token))


def p_net() -> Any:
    """The first stage of MTCNN (Zhang et al., 2016), a face detector: every activation is a PReLU."""
    import keras
    from keras import initializers, layers

    def prelu(x: Any) -> Any:  # trained slopes differ by channel, and some are negative
        return layers.PReLU(initializers.RandomUniform(-0.2, 0.6), shared_axes=[1, 2])(x)

    x = layers.Input((24, 24, 3), name="x")
    y = layers.MaxPooling2D(2, padding="same")(prelu(layers.Conv2D(10, 3)(x)))
    y = prelu(layers.Conv2D(32, 3)(prelu(layers.Conv2D(16, 3)(y))))
    face = layers.Conv2D(2, 1, activation="softmax", name="face")(y)
    return keras.Model(x, [face, layers.Conv2D(4, 1, name="box")(y)])


def padded_max_pool() -> Any:
    """As in ResNet50V2: zeros around negative values, which ONNX Runtime must not take for nothing."""
    import keras
    from keras import initializers, layers

    return keras.Sequential(
        [
            layers.Input((16, 16, 3), name="x"),
            layers.Conv2D(8, 3, bias_initializer=initializers.Constant(-2)),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(3, 2),
            layers.Conv2D(8, 3, padding="same", bias_initializer=initializers.Constant(-2)),
            layers.ZeroPadding2D(((0, 1), (2, 0))),
            layers.MaxPooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def attention_unet() -> Any:
    """A U-Net that weighs what it takes over from the way down (Oktay et al., 2018)."""
    import keras
    from keras import layers

    def gated(skip: Any, x: Any) -> Any:
        both = layers.ReLU()(layers.Conv2D(8, 1)(skip) + layers.Conv2D(8, 1)(x))
        return layers.Concatenate()([x, skip * layers.Conv2D(1, 1, activation="sigmoid")(both)])

    x = layers.Input((32, 32, 3), name="x")
    high = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    middle = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(high)
    low = layers.Conv2D(24, 3, 2, padding="same", activation="relu")(middle)
    y = layers.Conv2DTranspose(16, 3, 2, padding="same", activation="relu")(low)
    y = layers.Conv2DTranspose(8, 2, 2, activation="relu")(gated(middle, y))
    return keras.Model(x, layers.Conv2D(2, 1, activation="softmax")(gated(high, y)))


def keypoints() -> Any:
    """Maps of where each of five points is, by transposed convolutions (Xiao et al., 2018)."""
    import keras
    from keras import layers

    x = y = layers.Input((32, 32, 3), name="x")
    for channels in (16, 24, 32):
        y = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(y)
        y = layers.ReLU()(layers.BatchNormalization()(y))
    for _ in range(2):
        y = layers.Conv2DTranspose(24, 4, 2, padding="same", use_bias=False)(y)
        y = layers.ReLU()(layers.BatchNormalization()(y))
    return keras.Model(x, layers.Conv2D(5, 1, name="maps")(y))


def vae_decoder() -> Any:
    """Draws a picture from eight numbers (Kingma and Welling, 2014)."""
    import keras
    from keras import layers

    x = layers.Input((8,), name="x")
    y = layers.Reshape((4, 4, 32))(layers.Dense(512, activation="relu")(x))
    for channels in (24, 16):
        y = layers.Conv2DTranspose(channels, 3, 2, padding="same", activation="relu")(y)
    return keras.Model(x, layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")(y))


def yolo_like() -> Any:
    from support.detectors import yolo

    return yolo()[1]


def ssd_like() -> Any:
    from support.detectors import ssd

    return ssd()[1]


IMAGES: dict[str, Callable[[], Any]] = {
    "attention U-Net": attention_unet,
    "keypoints": keypoints,
    "VAE decoder": vae_decoder,
    "YOLO-like detector": yolo_like,
    "SSD-like detector": ssd_like,
}
"""Rows of the matrix that other tests convert too."""
