"""Small models: in int8 files what is not weights does not take more than int8 saves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import zoo

from edgekit_converters import convert, load_model
from edgekit_converters.tflite import flatbuffer


def made(model: Any, folder: Path) -> dict[tuple[str, str], Path]:
    """The float32 and the int8 file of a model in both formats."""
    data = zoo.samples(model, 12)
    rows = [{name: values[i] for name, values in data.items()} for i in range(12)]
    model.save(folder / "model.keras")
    targets: dict[Any, Path] = {
        (form, precision): folder / f"{precision}.{form}"
        for form in ("tflite", "onnx")
        for precision in ("float32", "int8")
    }
    convert(load_model(str(folder / "model.keras")), targets, rows, scratch=folder)
    return targets


@pytest.mark.parametrize("make", [zoo.mlp, zoo.gru, zoo.embedding_lstm, zoo.bidirectional])
def test_int8_is_not_larger_than_float32(make: Callable[[], Any], tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    files = made(make(), tmp_path)
    for form in ("tflite", "onnx"):
        sizes = [files[form, precision].stat().st_size for precision in ("float32", "int8")]
        assert sizes[1] <= sizes[0], form


def test_layers_keep_their_names_and_equal_constants_are_stored_once(tmp_path: Path) -> None:
    """One layer's weights are twice the other's: the same integers, at another scale."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = keras.Input((6,), name="x")
    one, two = layers.Dense(6, name="one"), layers.Dense(6, name="two")
    files_of = keras.Model(x, layers.Add(name="y")([one(x), two(layers.ReLU(name="relu")(x))]))
    two.set_weights([2 * weights for weights in one.get_weights()])
    model = flatbuffer.read(made(files_of, tmp_path)["tflite", "int8"])
    layers_named = {flatbuffer.name(t).split("/")[0] for t in model.subgraphs[0].tensors}
    assert layers_named >= {"x", "one", "two", "relu", "y"}
    constants = [bytes(b.data) for b in model.buffers if b.data is not None and len(b.data)]
    assert len(constants) == len(set(constants))
    assert sum(len(constant) == 36 for constant in constants) == 1
