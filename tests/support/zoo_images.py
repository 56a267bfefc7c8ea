"""Image models of the zoo in which something once went wrong; with random weights."""

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
