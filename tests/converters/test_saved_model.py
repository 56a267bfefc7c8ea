"""SavedModels of Keras 2 that hold the optimizer they were trained with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit_converters
from edgekit_converters import FORMATS, ConversionError, load_model
from edgekit_converters.tflite import float_graph
from edgekit_runtimes import open_model


def cnn() -> Any:
    from tensorflow.python.keras import layers, models

    return models.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def two_branches() -> Any:
    from tensorflow.python.keras import layers, models

    x = layers.Input((6,), name="x")
    joined = layers.Concatenate()([layers.Dense(5, activation="tanh")(x), x])
    return models.Model(x, layers.Dense(3, activation="softmax", name="y")(joined))


def save_trained(folder: Path, make: Callable[[], Any]) -> tuple[Any, Any]:
    """Saves a model with Adam after a step of training; returns inputs and the model's outputs.

    It is of the Keras 2 that TensorFlow still carries, which calls its optimizers otherwise in the file
    than those of the package did.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = make()
    x = np.random.default_rng(0).normal(size=(12, *model.input_shape[1:])).astype(np.float32)
    model.compile("adam", "mse")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x)[:, 0]))
    weights = model.trainable_variables
    model.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    tf.saved_model.save(model, str(folder))
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    nodes = saved.meta_graphs[0].object_graph_def.nodes
    optimizers = [n for n in nodes if n.user_object.identifier == "tf_deprecated_optimizer"]
    assert [len(node.slot_variables) for node in optimizers] == [2 * len(weights)]
    optimizers[0].user_object.identifier = "optimizer"
    path.write_bytes(saved.SerializeToString())
    return x, np.asarray(model(x))


@pytest.mark.parametrize("make", [cnn, two_branches])
def test_a_saved_model_with_its_optimizer_converts(make: Callable[[], Any], tmp_path: Path) -> None:
    x, expected = save_trained(tmp_path / "saved", make)
    model = load_model(str(tmp_path / "saved"))
    np.testing.assert_allclose(model.predict([x], verbose=0), expected, atol=1e-6)
    paths = {name: tmp_path / f"model{form.suffix}" for name, form in FORMATS.items()}
    edgekit_converters.convert(
        model, {(name, "float32"): path for name, path in paths.items()}, scratch=tmp_path
    )
    for path in paths.values():
        with open_model(path) as session:
            np.testing.assert_allclose(session.run(x), expected, atol=1e-5)


def test_a_large_one_converts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is saved again on the way, with all that it was loaded with."""
    x, expected = save_trained(tmp_path / "saved", cnn)
    monkeypatch.setattr(float_graph, "_FROZEN_BELOW", 1)
    model = load_model(str(tmp_path / "saved"))
    target = tmp_path / "model.tflite"
    edgekit_converters.convert(model, {("tflite", "float32"): target}, scratch=tmp_path)
    with open_model(target) as session:
        np.testing.assert_allclose(session.run(x), expected, atol=1e-5)


def test_a_saved_model_cut_short_is_named(tmp_path: Path) -> None:
    save_trained(tmp_path / "saved", two_branches)
    (tmp_path / "saved" / "variables" / "variables.index").unlink()
    with pytest.raises(ConversionError, match=r"saved: .*variables"):
        load_model(str(tmp_path / "saved"))
