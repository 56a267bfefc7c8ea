"""Two one-stage detectors whose boxes and scores share one tensor: a YOLO-like and an SSD-like one.

Both give (boxes, 4 + classes): two corners in pixels, top left and bottom right, and a score for each class.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from support.detector import SHAPES, shapes

Array = npt.NDArray[Any]
SIDE = 64
_CLASSES = len(SHAPES)
_ANCHOR = 18.0
_LEVELS = ((8, (16.0,)), (4, (20.0, 26.0)))
"""Of the SSD-like one: cells a side, and the sides of the boxes that each cell begins with."""


def save_detectors(folder: Path, epochs: int = 14) -> None:
    """Write ``yolo.keras`` and ``ssd.keras``, and ``samples.npz`` that they were not trained on."""
    import keras

    random = np.random.default_rng(0)
    images, boxes, classes = shapes(1600, random)
    for name, build in (("yolo", yolo), ("ssd", ssd)):
        keras.utils.set_random_seed(0)
        training, deployed, priors = build()
        schedule = keras.optimizers.schedules.CosineDecay(5e-3, epochs * len(images) // 32)
        there, kinds, places = targets(boxes, classes, priors)
        if name == "yolo":
            losses, truth = "binary_crossentropy", there[..., np.newaxis]
            weights = [np.ones_like(there), there, there]
            expected = [truth, kinds, places]
        else:  # the last class is the background
            losses, expected = None, [np.where(there > 0, kinds, _CLASSES), places]
            weights = [np.where(there > 0, 5, 1).astype(np.float32), there]
        training.compile(
            keras.optimizers.Adam(schedule),
            [*([losses] if losses else []), "sparse_categorical_crossentropy", "mae"],
            loss_weights=[5, 10, 5] if losses else [5, 5],
        )
        training.fit(
            images, expected, sample_weight=weights, batch_size=32, epochs=epochs, verbose=0
        )
        deployed.save(folder / f"{name}.keras")
    images, boxes, classes = shapes(1500, random)
    rows = np.concatenate([boxes * SIDE, classes[..., np.newaxis]], axis=2)
    np.savez(folder / "samples.npz", image=images, y=rows.astype(np.float32))


def yolo() -> tuple[Any, Any, Array]:
    """Redmon et al. (2016): one convolution gives a cell's box, whether it is one, and of which class."""
    import keras

    layers, ops = keras.layers, keras.ops
    cells = SIDE // 8
    image = layers.Input((SIDE, SIDE, 3), name="image")
    x = _backbone(image)
    raw = layers.Reshape((cells**2, 5 + _CLASSES))(layers.Conv2D(5 + _CLASSES, 1)(x))
    grid = np.mgrid[:cells, :cells].reshape(2, -1).T.astype(np.float32)[np.newaxis]
    middle = (ops.sigmoid(raw[..., :2]) * 2 - 0.5 + grid) * 8
    size = ops.exp(raw[..., 2:4]) * _ANCHOR
    boxes = ops.concatenate([middle - size / 2, middle + size / 2], axis=-1)
    there = ops.sigmoid(raw[..., 4:5])
    kinds = ops.softmax(raw[..., 5:])
    detections = layers.Concatenate(name="found")([boxes, there * kinds])
    middles = (grid[0] + 0.5) * 8
    priors = np.concatenate([middles, np.full_like(middles, _ANCHOR)], axis=1)
    return (
        keras.Model(image, [there, kinds, boxes]),
        keras.Model(image, detections),
        priors,
    )


def ssd() -> tuple[Any, Any, Array]:
    """Liu et al. (2016): two scales, several boxes a cell to begin with, and the background as a class."""
    import keras

    layers, ops = keras.layers, keras.ops
    image = layers.Input((SIDE, SIDE, 3), name="image")
    x = _backbone(image)
    places, kinds, priors = [], [], []
    for cells, sides in _LEVELS:
        if cells == 4:
            x = layers.Conv2D(64, 3, 2, padding="same", activation="relu")(x)
        count = cells**2 * len(sides)
        places.append(
            layers.Reshape((count, 4))(layers.Conv2D(4 * len(sides), 3, padding="same")(x))
        )
        scores = layers.Conv2D((_CLASSES + 1) * len(sides), 3, padding="same")(x)
        kinds.append(layers.Reshape((count, _CLASSES + 1))(scores))
        middles = (np.mgrid[:cells, :cells].reshape(2, -1).T + 0.5) * SIDE / cells
        each = np.repeat(middles, len(sides), axis=0)
        priors.append(
            np.concatenate([each, np.tile(sides, cells**2)[:, None].repeat(2, 1)], axis=1)
        )
    known = np.concatenate(priors).astype(np.float32)
    scores = layers.Softmax()(layers.Concatenate(axis=1)(kinds))
    moved = layers.Concatenate(axis=1)(places)
    middle = moved[..., :2] * 0.1 * known[np.newaxis, :, 2:] + known[np.newaxis, :, :2]
    size = ops.exp(moved[..., 2:] * 0.2) * known[np.newaxis, :, 2:]
    boxes = ops.concatenate([middle - size / 2, middle + size / 2], axis=-1)
    detections = layers.Concatenate(name="found")([boxes, scores[..., :_CLASSES]])
    return keras.Model(image, [scores, boxes]), keras.Model(image, detections), known


def targets(boxes: Array, classes: Array, priors: Array) -> tuple[Array, Array, Array]:
    """Which boxes of the model are to be true ones, their classes, and where these are, in pixels.

    A true box belongs to the prior (middle, size) that it is most like, and to all that it has half in
    common with.
    """
    there = np.zeros((len(boxes), len(priors)), np.float32)
    kinds = np.zeros((len(boxes), len(priors)), np.int64)
    middle, size = priors[:, :2], priors[:, 2:]
    corners = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    places = np.repeat(corners[np.newaxis], len(boxes), axis=0).astype(np.float32)
    for sample, at in np.argwhere(classes >= 0):
        true = boxes[sample, at] * SIDE
        low, high = np.maximum(true[:2], corners[:, :2]), np.minimum(true[2:], corners[:, 2:])
        common = np.clip(high - low, 0, None).prod(axis=1)
        both = common / (size.prod(axis=1) + (true[2:] - true[:2]).prod() - common)
        near = -np.abs((true[:2] + true[2:]) / 2 - middle).sum(axis=1) / SIDE
        taken = (both > 0.6) | (np.arange(len(priors)) == np.argmax(both + 0.01 * near))
        there[sample, taken] = 1
        kinds[sample, taken], places[sample, taken] = classes[sample, at], true
    return there, kinds, places


def _backbone(image: Any) -> Any:
    from keras import layers

    x = image
    for filters, strides in ((16, 2), (24, 2), (32, 2), (48, 1), (48, 1)):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x
