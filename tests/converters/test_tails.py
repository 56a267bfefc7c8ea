"""What is made of the last layers' outputs: boxes in pixels beside scores keep their steps in int8."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import edgekit_converters
from edgekit_converters import FORMATS, Precision, Variants, load_model
from edgekit_converters.base import InterfaceType
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import open_model

Array = npt.NDArray[Any]
PIXELS = 40.0
"""The side of a digit's picture, on which a box is given."""


def digits() -> Array:
    from sklearn.datasets import load_digits

    return (load_digits().images[:, :, :, np.newaxis] / 16).astype(np.float32)


@pytest.fixture(scope="module")
def localizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One product gives where a digit's ink is and which digit it is; trained, and its output is one tensor."""
    import keras
    from keras import layers, ops
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(0)
    images = digits()
    inked = images[..., 0] > 0.2
    rows, columns = inked.any(axis=2), inked.any(axis=1)
    box = [rows.argmax(1), columns.argmax(1), 8 - rows[:, ::-1].argmax(1)]
    box.append(8 - columns[:, ::-1].argmax(1))
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(image)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    raw = layers.Dense(14)(x)
    corners = (raw[:, :4] * 0.1 + np.array([[0.1, 0.1, 0.9, 0.9]], np.float32)) * PIXELS
    kinds = ops.softmax(raw[:, 4:])
    model = keras.Model(image, [corners, kinds])
    model.compile("adam", ["mae", "sparse_categorical_crossentropy"], loss_weights=[0.2, 1])
    truth = [np.stack(box, axis=1) * PIXELS / 8, load_digits().target]
    seen = [values[:1500] for values in truth]
    model.fit(images[:1500], seen, batch_size=32, epochs=8, verbose=0)
    path = tmp_path_factory.mktemp("localizer") / "model.keras"
    keras.Model(image, layers.Concatenate(name="found")([corners, kinds])).save(path)
    return path


def convert(
    model: Any, folder: Path, precision: Precision = "int8", interface: InterfaceType = "float"
) -> tuple[dict[str, Path], tuple[str, ...]]:
    paths = {name: folder / f"model{form.suffix}" for name, form in FORMATS.items()}
    targets = {(name, precision): path for name, path in paths.items()}
    samples: Any = [{"image": image} for image in digits()[:100]]
    made = edgekit_converters.convert(model, targets, samples, scratch=folder, interface=interface)
    return paths, made.notes


def answers(path: Path, images: Array) -> Array:
    with open_model(path) as model:
        return np.asarray(model.run(images))


def test_scores_beside_pixels_keep_their_steps(localizer: Path, tmp_path: Path) -> None:
    model = load_model(str(localizer))
    paths, notes = convert(model, tmp_path)

    images = digits()[1500:]
    wanted = np.asarray(model.predict(images, verbose=0))
    assert wanted[:, :4].max() > 30 > 1 >= wanted[:, 4:].max(), "one scale would be over 0.1"
    for path in paths.values():
        wrong = np.abs(answers(path, images) - wanted)
        assert np.sqrt(np.square(wrong[:, 4:]).mean()) < 0.01, path
        assert np.sqrt(np.square(wrong[:, :4]).mean()) < 0.1, path
    (note,) = notes
    assert "'found'" in note and "joins parts of different ranges" in note


def test_integer_outputs_are_told_of_their_one_scale(localizer: Path, tmp_path: Path) -> None:
    paths, (note,) = convert(load_model(str(localizer)), tmp_path, interface="int8")
    with open_model(paths["tflite"]) as model:
        assert model.outputs[0].dtype == "int8"
    assert "the integers of 'found' have one scale" in note and "take float outputs" in note


def test_sixteen_bits_are_enough_for_both(localizer: Path, tmp_path: Path) -> None:
    paths, notes = convert(load_model(str(localizer)), tmp_path, "int16x8")
    assert not any("'found'" in note for note in notes)
    kinds = kinds_of(paths["tflite"])
    assert kinds.index("CONCATENATION") < len(kinds) - 1, "what joins them is in integers"


def grid(raw: Any) -> Any:
    """(cells x anchors, 5 + classes) of three anchors a cell, cut as YOLO's."""
    from keras import layers, ops

    raw = layers.Reshape((16 * 3, 8))(raw)
    xy, size = ops.sigmoid(raw[..., :2]), ops.exp(raw[..., 2:4])
    return layers.Concatenate()([xy, size, ops.sigmoid(raw[..., 4:5]) * ops.softmax(raw[..., 5:])])


def split(raw: Any) -> Any:
    """Parts of equal width, by a SPLIT."""
    from keras import layers, ops

    first, second, third = ops.split(raw, 3, axis=-1)
    return layers.Concatenate()([first, ops.exp(second), ops.tanh(third) * 30])


def uneven(raw: Any) -> Any:
    """Parts of widths that differ, one of which is read twice, and some channels that none reads."""
    from keras import layers, ops

    first, second, _ = ops.split(raw, [3, 7], axis=-1)
    return layers.Concatenate()([first, ops.exp(second), ops.tanh(first) * 30])


@pytest.mark.parametrize("head", [grid, split, uneven])
def test_a_cut_convolution_computes_the_same_in_parts(
    head: Callable[[Any], Any], tmp_path: Path
) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu")(image)
    raw = layers.Conv2D(24, 1, bias_initializer="random_normal", name="head")(x)
    model = keras.Model(image, head(raw))
    samples: Any = [{"image": image} for image in digits()[:20]]
    variants = Variants(model, [], samples, scratch=tmp_path)

    plain, parts = kinds_of(variants.job.graph), kinds_of(variants.job.integer_graph)
    assert plain.count("CONV_2D") == 2 and parts.count("CONV_2D") >= 4
    assert not {"STRIDED_SLICE", "SPLIT", "SPLIT_V"} & set(parts)
    images = digits()[-20:]
    np.testing.assert_allclose(
        answers(variants.job.integer_graph, images), answers(variants.job.graph, images), atol=1e-5
    )


def test_what_other_layers_read_stays_one(tmp_path: Path) -> None:
    """Channels that are cut, and parts of different ranges that are joined, in the middle of a model."""
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(0)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    gate, value = ops.split(x, 2, axis=-1)
    x = layers.Concatenate()([ops.sigmoid(gate) * value, value * 50])
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    paths, notes = convert(model, tmp_path)
    assert notes == ()
    kinds = kinds_of(paths["tflite"])
    assert kinds.count("CONV_2D") == 1 and kinds.count("QUANTIZE") <= 3, kinds
    assert kinds.count("DEQUANTIZE") == 1, kinds


def kinds_of(path: Path) -> list[str]:
    model = flatbuffer.read(path)
    return [flatbuffer.kind_name(model, o) for o in model.subgraphs[0].operators]
