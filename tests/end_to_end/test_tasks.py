"""Real models of every task, converted and judged: several labels, logits, an index, and a detector."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn import metrics as reference
from support.once import once

import edgekit
from edgekit.cli.main import main
from edgekit.data.samples import Array
from edgekit.report.result import Report
from edgekit.workflows.demo import digits as load_digits
from edgekit_runtimes import open_model

TAGS = [[0, 2, 4, 6, 8], [2, 3, 5, 7], [0, 6, 8, 9], [8]]
"""Digits that are even, prime, have a loop, have two: several of it may be true at once, or none."""


def tags_of(labels: Array) -> Array:
    return np.stack([np.isin(labels, digits) for digits in TAGS], axis=1).astype(np.int64)


def save_tags(folder: Path) -> None:
    """A model with labels of its own for each output, and samples that training has not seen."""
    import keras

    layers = keras.layers
    images, labels = load_digits()
    keras.utils.set_random_seed(0)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, activation="relu")(image)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    tags = layers.Dense(len(TAGS), activation="sigmoid")(x)
    big = layers.Dense(1)(x)
    digit = layers.Dense(10)(x)
    model = keras.Model(image, {"tags": tags, "big": big, "digit": digit})
    model.compile(
        "adam",
        {
            "tags": "binary_crossentropy",
            "big": keras.losses.BinaryCrossentropy(from_logits=True),
            "digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
    )
    seen, unseen = slice(0, 900), slice(900, None)
    truth = {"tags": tags_of(labels), "big": labels >= 5, "digit": labels}
    model.fit(images[seen], {n: a[seen] for n, a in truth.items()}, epochs=12, verbose=0)
    sure, index = keras.ops.top_k(layers.Softmax()(digit), 1)
    index = keras.ops.cast(index, "float32")
    outputs = {"tags": tags, "big": big, "digit": index, "sure": sure}
    keras.Model(image, outputs).save(folder / "tags.keras")
    arrays = {f"y_{name}": a[unseen] for name, a in truth.items()}
    np.savez(folder / "samples.npz", image=images[unseen], **arrays)


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory, forked_workers: object) -> Path:
    """The model, its samples, and what ``convert`` made of it."""

    def make(folder: Path) -> None:
        save_tags(folder)
        edgekit.convert(folder / "tags.keras", folder / "samples.npz", folder / "out", to="tflite")

    return once(tmp_path_factory, "tags", make)


@pytest.fixture(scope="module")
def report(tags: Path) -> Report:
    files = tags / "out/model_int8.tflite"
    return edgekit.validate(tags / "tags.keras", files, tags / "samples.npz", worst=3)


def test_every_output_has_its_task_and_metrics(report: Report) -> None:
    (file,) = report.files
    found = {r.output: (r.task, [m.metric for m in r.metrics]) for r in file.results}

    assert found == {
        "tags": ("multilabel", ["f1", "roc_auc", "average_precision"]),
        "big": ("binary_logits", ["top1", "roc_auc", "f1"]),
        "digit": ("index", ["top1", "mae"]),
        "sure": ("values", ["sqnr"]),
    }
    assert file.verdict != "fail", file


def test_its_figures_are_those_of_the_models_outputs(tags: Path, report: Report) -> None:
    with np.load(tags / "samples.npz") as data, open_model(tags / "out/model_int8.tflite") as model:
        samples = {n: data[n] for n in data.files}
        outputs: Any = [model.run({"image": i[np.newaxis]}) for i in samples["image"]]
    outputs = {name: np.concatenate([o[name] for o in outputs]) for name in outputs[0]}
    results = {r.output: r for r in report.files[0].results}

    def value(output: str, metric: str) -> float:
        found = results[output].metric(metric)
        assert found is not None
        return found.value

    assert value("tags", "f1") == pytest.approx(
        reference.f1_score(samples["y_tags"], outputs["tags"] > 0.5, average="macro")
    )
    assert value("big", "top1") == np.mean((outputs["big"][:, 0] > 0) == samples["y_big"])
    assert value("digit", "top1") == np.mean(outputs["digit"][:, 0] == samples["y_digit"])
    labels = [c.value for c in results["tags"].classes if c.metric == "f1"]
    assert np.mean(labels) == pytest.approx(value("tags", "f1"))
    assert min(labels) > 0.8


def test_the_command_takes_a_task(tags: Path) -> None:
    arguments = [
        "validate", str(tags / "tags.keras"), str(tags / "out/model_int8.tflite"),
        "--data", str(tags / "samples.npz"), "--json", "--task",
    ]  # fmt: skip
    run = CliRunner().invoke

    wrong = run(main, [*arguments, "tags=multilable"])
    assert wrong.exit_code == 2, wrong.output
    assert "did you mean 'multilabel'" in wrong.output
    given = run(main, [*arguments, "big=values"])
    assert '"task": "values"' in given.output, given.output


# A detector.

ROOM, GRID = 4, ((0, 0), (0, 8), (8, 0), (8, 8))


def scenes(count: int, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Images of 16 by 16 with up to four digits of three classes; boxes and classes, -1 for none."""
    images, labels = load_digits()
    known = np.flatnonzero(labels < 3)
    canvas = np.zeros((count, 16, 16, 1), np.float32)
    boxes = np.zeros((count, ROOM, 4), np.float32)
    classes = np.full((count, ROOM), -1)
    for scene in range(count):
        for cell, (top, left) in enumerate(GRID):
            if random.random() < 0.7:
                sample = random.choice(known)
                canvas[scene, top : top + 8, left : left + 8] = images[sample]
                inked = np.argwhere(images[sample][..., 0] > 0.2)
                (low, high), corner = (inked.min(0), inked.max(0) + 1), np.array([top, left])
                boxes[scene, cell] = np.concatenate([low + corner, high + corner]) / 16
                classes[scene, cell] = labels[sample]
    return canvas, boxes, classes


def save_detector(folder: Path) -> None:
    import keras

    layers, ops = keras.layers, keras.ops
    random = np.random.default_rng(0)
    images, boxes, classes = scenes(900, random)
    keras.utils.set_random_seed(0)
    image = layers.Input((16, 16, 1), name="image")
    x = layers.Conv2D(24, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(32, 8, strides=8, activation="relu")(x)
    x = layers.Conv2D(32, 1, activation="relu")(x)
    found = layers.Reshape((ROOM, 4))(layers.Conv2D(4, 1)(x))
    scores = layers.Softmax()(layers.Reshape((ROOM, 4))(layers.Conv2D(4, 1)(x)))
    corners = np.array([[top, left, top + 8, left + 8] for top, left in GRID], np.float32) / 16
    found = layers.Add()([found, ops.convert_to_tensor(corners[np.newaxis])])
    training = keras.Model(image, [found, scores])
    training.compile("adam", ["mse", "sparse_categorical_crossentropy"], loss_weights=[5, 1])
    targets = np.where(classes[..., np.newaxis] >= 0, boxes, corners)
    training.fit(images, [targets, np.where(classes < 0, 3, classes)], epochs=20, verbose=0)
    best, index = ops.top_k(scores[..., :3], 1)
    outputs = {"boxes": found, "scores": best, "classes": ops.cast(index, "float32")}
    keras.Model(image, outputs).save(folder / "detector.keras")
    images, boxes, classes = scenes(300, random)
    np.savez(folder / "samples.npz", image=images, y_boxes=boxes, y_classes=classes)


@pytest.mark.slow
def test_a_detector_is_judged_by_its_boxes(
    tmp_path_factory: pytest.TempPathFactory, forked_workers: object
) -> None:
    folder = once(tmp_path_factory, "detector", save_detector)
    report = edgekit.convert(
        folder / "detector.keras", folder / "samples.npz", folder / "out", to="tflite"
    )

    float32, int8 = report.files
    for file in (float32, int8):
        (result,) = file.results
        assert (result.output, result.task) == ("detections", "detection")
        assert [m.metric for m in result.metrics[:2]] == ["map", "map50"]
        value = result.metric("map50")
        assert value is not None and value.original is not None
        assert min(value.value, value.original) > 0.8, value
        assert [c.number for c in result.classes if c.metric == "map"] == [0, 1, 2]
    assert float32.verdict == "pass", float32
    assert "mAP" in int8.results[0].reason, "eight bits are few for corners"
