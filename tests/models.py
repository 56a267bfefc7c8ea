"""Small real models, trained on data that libraries ship, for all tests to share."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def digits() -> tuple[Array, Array]:
    """scikit-learn's 1,797 handwritten digits: images of 8x8 in 0..1, and labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = (data.images[order] / 16).astype(np.float32)[..., np.newaxis]
    return images, data.target[order]


def digits_cnn() -> Any:
    """A CNN with a batch norm, untrained."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


def digits_mlp() -> Any:
    """A hidden layer of 512, untrained."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


def digits_lstm() -> Any:
    """An LSTM that reads an image row by row, untrained."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8), name="rows"),
            layers.LSTM(16),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


def train(model: Any, images: Array, labels: Array, *, epochs: int = 15) -> Any:
    """Trains a classifier, always in the same way."""
    import keras

    keras.utils.set_random_seed(0)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=epochs, batch_size=32, verbose=0)
    return model


def save_digits(folder: Path) -> Path:
    """Trained digit models and samples that training has not seen, in a folder."""
    import keras

    images, labels = digits()
    seen = slice(0, 697)
    for name, make in (("cnn", digits_cnn), ("mlp", digits_mlp), ("lstm", digits_lstm)):
        keras.utils.set_random_seed(0)
        shaped = images[..., 0] if name == "lstm" else images
        train(make(), shaped[seen], labels[seen]).save(folder / f"{name}.keras")
    np.savez(folder / "calib.npz", image=images[697:1397], y=labels[697:1397])
    np.savez(folder / "eval.npz", image=images[1397:], y=labels[1397:])
    np.savez(folder / "rows.npz", rows=images[697:1397, ..., 0], y=labels[697:1397])
    return folder
