"""Folders of the models that a server is loaded with: MLPerf Tiny's autoencoder, and MobileNetV2.

The autoencoder is the published one where the environment variable ``AD01`` names its file, and else one of the
same layers. MobileNetV2 has random weights, which take as long as others.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

import edgekit


def autoencoder(folder: Path) -> Path:
    """640 numbers in and out, some 15 microseconds a call."""
    import keras

    from support.zoo import with_statistics

    source: Any = os.environ.get("AD01")
    if source is None:
        layers = keras.layers
        keras.utils.set_random_seed(0)
        hidden = [
            part
            for n in (128,) * 4 + (8,) + (128,) * 4
            for part in (layers.Dense(n), layers.BatchNormalization(), layers.ReLU())
        ]
        source = with_statistics(
            keras.Sequential([keras.Input((640,)), *hidden, layers.Dense(640)])
        )
    walks = np.random.default_rng(0).normal(size=(300, 640)).cumsum(1).astype(np.float32) / 10
    edgekit.convert(source, walks, folder / "ad01")
    return folder / "ad01"


def mobilenet(folder: Path, side: int = 224, alpha: float = 1.0) -> Path:
    """Images of so many pixels a side; 224 is what it was published for."""
    import keras

    from support.zoo import with_statistics

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((side, side, 3), alpha=alpha, weights=None, classes=1000)
    images = np.random.default_rng(0).random((120, side, side, 3), np.float32)
    name = f"mobilenet_{side}"
    edgekit.convert(with_statistics(model), images, folder / name)
    return folder / name
