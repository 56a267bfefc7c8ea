"""Where is what: a one-stage detector becomes int8 files, and its boxes are drawn by the runtime alone.

    python samples/shape_detector.py [output folder]

The pictures are made here: discs, squares and triangles on a noisy ground. One convolution gives each cell
of a grid a box, whether something is there, and what, as in YOLO (Redmon et al., 2016); the model's one
output has the boxes, in pixels, and the scores. Takes a minute.
"""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import edgekit
from edgekit_runtimes import open_model
from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.processing.boxes import detections

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # else TensorFlow prints more than the sample does
with quiet():
    import keras
    from keras import layers, ops

SHAPES = ("disc", "square", "triangle")
SIDE, CELLS, ANCHOR, MOST = 64, 8, 18.0, 4
CELL = SIDE // CELLS


def pictures(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of one to four shapes, and (pictures, 4, 5): left, top, right, bottom in pixels, and class.

    The class is -1 where a picture has fewer.
    """
    images = random.uniform(0, 0.25, (count, 1, 1, 3))
    images = images + random.normal(0, 0.04, (count, SIDE, SIDE, 3))
    truth = np.full((count, MOST, 5), -1, np.float32)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    for image, rows in zip(images, truth, strict=True):
        taken = np.zeros((SIDE, SIDE), bool)
        for row in rows[: random.integers(1, MOST + 1)]:
            size = random.integers(11, 26)
            left, top = random.integers(1, SIDE - size, 2)
            frame = slice(top, top + size), slice(left, left + size)
            if taken[frame].any():
                continue
            kind = random.integers(len(SHAPES))
            across, down = (x - left) / size, (y - top) / size
            inside = (
                (across - 0.5) ** 2 + (down - 0.5) ** 2 < 0.25,
                (abs(across - 0.5) < 0.5) & (abs(down - 0.5) < 0.5),
                (abs(across - 0.5) < down / 2) & (down < 1),
            )[kind]
            image[inside] = random.uniform(0.4, 1, 3) + random.normal(0, 0.05, (inside.sum(), 3))
            taken[frame] = True
            row[:] = left, top, left + size, top + size, kind
    return images.clip(0, 1).astype(np.float32), truth


def build() -> tuple[keras.Model, keras.Model]:
    """The detector as it is trained, and as it is deployed: the same layers."""
    image = layers.Input((SIDE, SIDE, 3), name="image")
    x = image
    for filters, strides in ((16, 2), (24, 2), (32, 2), (48, 1), (48, 1)):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    raw = layers.Conv2D(5 + len(SHAPES), 1)(x)
    raw = layers.Reshape((CELLS**2, 5 + len(SHAPES)))(raw)
    middle = (ops.sigmoid(raw[..., :2]) * 2 - 0.5 + corners_of_cells()) * CELL
    size = ops.exp(raw[..., 2:4]) * ANCHOR
    boxes = ops.concatenate([middle - size / 2, middle + size / 2], axis=-1)
    there, kind = ops.sigmoid(raw[..., 4:5]), ops.softmax(raw[..., 5:])
    found = layers.Concatenate(name="found")([boxes, there * kind])
    return keras.Model(image, [there, kind, boxes]), keras.Model(image, found)


def corners_of_cells() -> np.ndarray:
    """(1, cells, 2): the left and the top of each, in cells."""
    rows, columns = np.mgrid[:CELLS, :CELLS].reshape(2, -1)
    return np.stack([columns, rows], axis=-1)[np.newaxis].astype(np.float32)


def train(model: keras.Model, images: np.ndarray, truth: np.ndarray, epochs: int) -> None:
    """The cell in which the middle of a shape lies is to find it."""
    there = np.zeros((len(images), CELLS**2), np.float32)
    kinds, boxes = np.zeros((len(images), CELLS**2), np.int32), np.zeros((*there.shape, 4))
    for picture, row in np.argwhere(truth[..., 4] >= 0):
        left, top, right, bottom, kind = truth[picture, row]
        cell = int((top + bottom) / 2 / CELL) * CELLS + int((left + right) / 2 / CELL)
        there[picture, cell], kinds[picture, cell] = 1, kind
        boxes[picture, cell] = left, top, right, bottom
    steps = epochs * len(images) // 32
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps)),
        ["binary_crossentropy", "sparse_categorical_crossentropy", "mae"],
        loss_weights=[5, 10, 5],
    )
    model.fit(
        images, [there[..., np.newaxis], kinds, boxes],
        sample_weight=[np.ones_like(there), there, there],
        batch_size=32, epochs=epochs, verbose=0,
    )  # fmt: skip


def draw(image: np.ndarray, found: np.ndarray, path: Path) -> None:
    """Saves a picture with its boxes, eight times as large."""
    large = Image.fromarray((image * 255).astype(np.uint8)).resize((8 * SIDE, 8 * SIDE))
    pen = ImageDraw.Draw(large)
    for *box, score, kind in found:
        pen.rectangle([8 * corner for corner in box], outline="yellow", width=3)
        pen.text((8 * box[0] + 6, 8 * box[1] + 4), f"{SHAPES[int(kind)]} {score:.0%}", "yellow")
    large.save(path)


def main(output: Path) -> None:
    """Trains, converts, compares mAP, and draws what the int8 file finds."""
    random = np.random.default_rng(0)
    images, truth = pictures(1600, random)
    keras.utils.set_random_seed(0)
    training, detector = build()
    train(training, images, truth, epochs=12)

    images, truth = pictures(900, random)
    samples = {"image": images, "y": truth}
    report = edgekit.convert(
        detector, samples, output, task="detection", labels=SHAPES, precision=["float32", "int8"]
    )
    print(*report.notes, sep="\n")
    for file in report.files:
        score = file.worst_result.metric("map")
        if file.precision == "int8" and score is not None:
            print(
                f"{file.name}: mAP {score.value:.1%} (float {score.original:.1%}), {file.verdict}"
            )

    with open_model(output / "model_int8.tflite") as model:
        (rows,) = model.run(images[-1:])
    found = detections(rows[:, :4], rows[:, 4:], least_score=0.5)
    draw(images[-1], found, output / "found.png")
    for left, top, right, bottom, score, kind in found:
        print(
            f"{SHAPES[int(kind)]} {score:.0%}: {left:.0f}, {top:.0f} to {right:.0f}, {bottom:.0f}"
        )
    print(f"drawn in {output / 'found.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/shape_detector"))
