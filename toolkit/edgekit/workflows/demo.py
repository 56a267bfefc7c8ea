"""``edgekit demo``: a small model trained on handwritten digits, to go on from."""

from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.packages import CONVERTERS, require
from edgekit.data.samples import Array
from edgekit.progress import Progress

_TRAINED_ON, _CONVERTED_WITH = 697, 700


def check_demo() -> None:
    """Refuse to begin where a package that it needs is not installed.

    Raises:
        RuntimeMissing: one is not; the message has the pip line.
    """
    require(["sklearn", *CONVERTERS, "onnxruntime", "ai_edge_litert"], "the demo", "demo")


def digits() -> tuple[Array, Array]:
    """scikit-learn's 1,797 handwritten digits in random order: 8x8 images in 0..1, and labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return (data.images[order] / 16).astype(np.float32)[..., np.newaxis], data.target[order]


def digits_cnn() -> Any:
    """A CNN for them, with a batch norm; untrained."""
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
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


def train_digits(folder: Path, *, progress: Progress, ask: Any = None) -> None:
    """Trains the CNN on some of the digits, and sets others aside.

    Writes ``model.keras``; ``calib.npz``, with ``image`` and ``y``, which training has not seen, for
    conversion; and ``eval.npz``, alike, which conversion has not seen either.
    """
    del ask  # a worker's function is given it
    progress("loading TensorFlow")
    import keras

    progress(f"training on {_TRAINED_ON} handwritten digits")
    images, labels = digits()
    keras.utils.set_random_seed(0)
    model = digits_cnn()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images[:_TRAINED_ON], labels[:_TRAINED_ON], epochs=20, batch_size=32, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    for name, part in (
        ("calib.npz", slice(_TRAINED_ON, _TRAINED_ON + _CONVERTED_WITH)),
        ("eval.npz", slice(_TRAINED_ON + _CONVERTED_WITH, None)),
    ):
        np.savez(folder / name, image=images[part], y=labels[part])
