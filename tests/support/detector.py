"""A small one-stage detector, trained on pictures of shapes: one box a cell of a grid."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SHAPES = ["disc", "square", "triangle"]

_SIDE, _CELLS, _ROOM = 64, 8, 4


def shapes(count: int, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Noisy pictures of one to four coloured shapes; boxes (top, left, bottom, right) and classes, -1 for none."""
    images = random.uniform(0, 0.25, (count, 1, 1, 3)) + random.normal(
        0, 0.04, (count, _SIDE, _SIDE, 3)
    )
    boxes = np.zeros((count, _ROOM, 4), np.float32)
    classes = np.full((count, _ROOM), -1)
    y, x = np.mgrid[:_SIDE, :_SIDE] + 0.5
    for image, places, kinds in zip(images, boxes, classes, strict=True):
        taken = np.zeros((_SIDE, _SIDE), bool)
        for at in range(random.integers(1, _ROOM + 1)):
            size = random.integers(11, 26)
            top, left = random.integers(1, _SIDE - size, 2)
            frame = slice(top, top + size), slice(left, left + size)
            if taken[frame].any():
                continue
            kind = int(random.integers(3))
            across, down = (x - left) / size, (y - top) / size
            inside = [
                (across - 0.5) ** 2 + (down - 0.5) ** 2 < 0.25,
                (abs(across - 0.5) < 0.5) & (abs(down - 0.5) < 0.5),
                (abs(across - 0.5) < down / 2) & (down < 1),
            ][kind]
            image[inside] = random.uniform(0.4, 1, 3) + random.normal(0, 0.05, (inside.sum(), 3))
            taken[frame] = True
            places[at] = np.array([top, left, top + size, left + size]) / _SIDE
            kinds[at] = kind
    return np.clip(images, 0, 1).astype(np.float32), boxes, classes


def save_detector(folder: Path) -> None:
    """Write ``detector.keras``, and ``calib.npz`` and ``eval.npz`` that it was not trained on."""
    import keras

    layers, ops = keras.layers, keras.ops
    random = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    image = layers.Input((_SIDE, _SIDE, 3), name="image")
    x = image
    for filters, strides in ((16, 2), (24, 2), (32, 2), (48, 1), (48, 1)):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    cells = _CELLS**2
    there = layers.Reshape((cells, 1))(layers.Conv2D(1, 1, activation="sigmoid")(x))
    kind = layers.Softmax()(layers.Reshape((cells, 3))(layers.Conv2D(3, 1)(x)))
    offsets = layers.Reshape((cells, 4))(layers.Conv2D(4, 1)(x))
    middles = (np.mgrid[:_CELLS, :_CELLS].reshape(2, cells).T + 0.5) / _CELLS
    corners = np.concatenate([middles, middles], axis=1).astype(np.float32)
    found = layers.Add()([offsets, ops.convert_to_tensor(corners[np.newaxis])])
    training = keras.Model(image, [there, kind, found])
    training.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, 16 * 50)),
        ["binary_crossentropy", "sparse_categorical_crossentropy", "mae"],
        loss_weights=[5, 10, 300],
    )
    images, boxes, classes = shapes(1600, random)
    targets, owned = _targets(boxes, classes, corners)
    training.fit(
        images, targets, sample_weight=[np.ones(owned.shape), owned, owned],
        batch_size=32, epochs=16, verbose=0,
    )  # fmt: skip
    best, index = ops.top_k(kind, 1)
    outputs = {"boxes": found, "scores": there * best, "classes": ops.cast(index, "float32")}
    keras.Model(image, outputs).save(folder / "detector.keras")
    for name, count in (("calib", 200), ("eval", 300)):
        images, boxes, classes = shapes(count, random)
        np.savez(folder / f"{name}.npz", image=images, y_boxes=boxes, y_classes=classes)


def _targets(boxes: Array, classes: Array, corners: Array) -> tuple[list[Array], Array]:
    """What each cell should say, and which cells have a box: those in which the middle of one lies."""
    count, cells = len(boxes), len(corners)
    owned = np.zeros((count, cells), np.float32)
    kinds = np.zeros((count, cells), np.int64)
    places = np.repeat(corners[np.newaxis], count, axis=0)
    for sample, at in np.argwhere(classes >= 0):
        middle = (boxes[sample, at, :2] + boxes[sample, at, 2:]) / 2
        down, across = np.minimum(middle * _CELLS, _CELLS - 1).astype(int)
        cell = down * _CELLS + across
        owned[sample, cell] = 1
        kinds[sample, cell], places[sample, cell] = classes[sample, at], boxes[sample, at]
    return [owned[..., np.newaxis], kinds, places], owned
