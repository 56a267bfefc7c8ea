"""Handwritten digits, three ways: a wide MLP, a small MLP and a CNN become int8 files.

    python samples/digits_classification.py [output folder] [--mnist]

Trains on scikit-learn's 1,797 digits of 8x8 pixels, or with ``--mnist`` on MNIST's of 28x28, which
Keras downloads. Takes half a minute.
"""

import os
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import edgekit
from edgekit_runtimes import open_model
from edgekit_runtimes.engines.captured_output import quiet

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # else TensorFlow prints more than the sample does
with quiet():
    import keras
    from keras import layers

BODIES = {
    "mlp_512": [layers.Flatten, lambda: layers.Dense(512, activation="relu")],
    "mlp_128": [layers.Flatten, lambda: layers.Dense(128, activation="relu")],
    "cnn": [
        lambda: layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D,
        lambda: layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D,
        layers.Flatten,
    ],
}


def load_small() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, in a fixed order: images of 0..1 and labels."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    return (digits.images[order] / 16).astype(np.float32)[..., np.newaxis], digits.target[order]


def load_mnist() -> tuple[np.ndarray, np.ndarray]:
    """12,000 of MNIST's digits, which is enough for a sample; the small ones without a network."""
    try:
        (images, labels), _ = keras.datasets.mnist.load_data()
    except Exception as error:  # what Keras raises for a failed download
        print(f"scikit-learn's digits instead of MNIST: {error}")
        return load_small()
    return (images[:12_000] / 255).astype(np.float32)[..., np.newaxis], labels[:12_000]


def main(output: Path, mnist: bool = False) -> None:
    """Trains each model, converts it, and reads one digit with the last one's int8 file."""
    images, labels = load_mnist() if mnist else load_small()
    # Training sees the first part; the rest, which it has not seen, calibrates and judges.
    unseen = 1_000
    x, y = images[:-unseen], labels[:-unseen]
    held_out = {"image": images[-unseen:], "y": labels[-unseen:]}

    for name, body in BODIES.items():
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                layers.Input(images.shape[1:], name="image"),
                *[make() for make in body],
                layers.Dense(10, activation="softmax", name="digit"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=12, batch_size=32, verbose=0)
        report = edgekit.convert(model, held_out, output / name, precision=["float32", "int8"])
        for file in report.files:
            if file.precision == "int8":
                score = file.worst_result
                print(
                    f"{name}/{file.name}: accuracy {score.accuracy:.1%} "
                    f"(float {score.original_accuracy:.1%}), {file.verdict}"
                )

    with open_model(output / "cnn" / "model_int8.tflite") as cnn:
        answer = cnn.run(images[-1:])[0]
    print(f"the last digit is a {labels[-1]}; the int8 file says {answer.argmax()}")


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if argument != "--mnist"]
    main(
        Path(folders[0] if folders else "samples-out/digits_classification"), "--mnist" in sys.argv
    )
