"""Small real models, trained on data that libraries ship, for all tests to share."""

from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array
from edgekit.workflows.demo import digits, digits_cnn


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


def digits_lstm(*, unroll: bool = False) -> Any:
    """An LSTM that reads an image row by row, untrained."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8), name="rows"),
            layers.LSTM(16, unroll=unroll),
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

    keras.backend.clear_session()  # so that layers' names are the same whatever ran before
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
