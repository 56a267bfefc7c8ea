"""``edgekit demo``: a small model trained on handwritten digits, to go on from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_TRAINED_ON, _CONVERTED_WITH = 697, 700


def train_digits(folder: Path, *, progress: Callable[[str], None], ask: Any = None) -> None:
    """Trains a small CNN on scikit-learn's digits (1,797 images of 8x8) and sets samples aside.

    Writes ``model.keras``; ``calib.npz``, with ``image`` and ``y``, which training has not seen, for
    conversion; and ``eval.npz``, alike, which conversion has not seen either.
    """
    del ask  # a worker's function is given it
    progress("loading TensorFlow")
    import keras
    from sklearn.datasets import load_digits

    progress(f"training on {_TRAINED_ON} handwritten digits")
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images = (digits.images[order] / 16).astype(np.float32)[..., np.newaxis]
    labels = digits.target[order]
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images[:_TRAINED_ON], labels[:_TRAINED_ON], epochs=20, batch_size=32, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    for name, part in (
        ("calib.npz", slice(_TRAINED_ON, _TRAINED_ON + _CONVERTED_WITH)),
        ("eval.npz", slice(_TRAINED_ON + _CONVERTED_WITH, None)),
    ):
        np.savez(folder / name, image=images[part], y=labels[part])
