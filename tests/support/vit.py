"""A plain vision transformer, small, with random weights."""

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
