"""Small models: in int8 files what is not weights does not take more than int8 saves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import zoo
from support.recipes import outputs_of, sqnr

from edgekit_converters import convert, load_model
from edgekit_converters.onnx.small import computed, make_small
from edgekit_converters.recipe import Recipe
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.variants import Variants
from edgekit_runtimes import open_layers, open_model


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


@pytest.mark.parametrize(
    "make", [zoo.mlp, zoo.gru, zoo.embedding_lstm, zoo.bidirectional, zoo.conv1d, zoo.transformer]
)
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


def answers(path: Path, device: str) -> list[bytes]:
    """What a file answers to a few samples on a device, to the bit."""
    with open_model(path, device=device) as session:
        random = np.random.default_rng(1)
        shapes = {spec.name: (1, *spec.shape[1:]) for spec in session.inputs}
        batches = [
            {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
            for _ in range(3)
        ]
        return [array.tobytes() for x in batches for array in session.run(x).values()]


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_a_tflite_file_answers_as_before_it_was_made_small(precision: Any, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.transformer()
    rows = [{"x": x} for x in zoo.samples(model, 8)["x"]]
    variants = Variants(model, ["tflite"], rows, scratch=tmp_path)
    small = tmp_path / "small.tflite"
    written = variants.write(Recipe(precision), {"tflite": small}).quantized
    assert written is not None
    assert small.stat().st_size < 0.95 * written.file.stat().st_size
    for device in ("cpu", "reference"):
        assert answers(small, device) == answers(written.file, device)


def test_an_onnx_file_answers_as_before_it_was_made_small(tmp_path: Path) -> None:
    import keras
    import onnx

    keras.utils.set_random_seed(0)
    plain = made(zoo.unet(), tmp_path)["onnx", "float32"]
    model = onnx.load(str(plain))
    layers = computed(model)
    make_small(model, layers)
    onnx.checker.check_model(model, full_check=True)
    small = tmp_path / "small.onnx"
    onnx.save(model, str(small))
    assert small.stat().st_size < plain.stat().st_size
    assert {node.name for node in model.graph.node} == {*layers}
    assert answers(small, "cpu") == answers(plain, "cpu")


def test_nothing_is_quantized_between_two_changes_of_layout(tmp_path: Path) -> None:
    """Put back, the pair changes no bit."""
    import keras
    import onnx
    from onnx import helper

    keras.utils.set_random_seed(0)
    file = made(zoo.conv1d(), tmp_path)["onnx", "int8"]
    model = onnx.load(str(file))
    makers = {port: node for node in model.graph.node for port in node.output}
    moves = ("Transpose", "Reshape")
    between = [
        (node, makers[node.input[0]])
        for node in model.graph.node
        if node.op_type in moves and node.input[0] in makers
        if makers[node.input[0]].op_type in moves
    ]
    assert between
    for node, above in between:
        while above.op_type != "DequantizeLinear":
            above = makers[above.input[0]]
        scale = above.input[1:]
        pair = [
            helper.make_node("QuantizeLinear", [node.input[0], *scale], ["integers"]),
            helper.make_node("DequantizeLinear", ["integers", *scale], ["real"]),
        ]
        node.input[0] = "real"
        at = list(model.graph.node).index(node)
        nodes = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend([*nodes[:at], *pair, *nodes[at:]])
        break
    put_back = tmp_path / "put_back.onnx"
    onnx.save(model, str(put_back))
    assert answers(put_back, "cpu") == answers(file, "cpu")


@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_layers_of_an_int8_file_are_called_as_those_of_the_float32_file(
    form: str, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    files = made(zoo.conv1d(), tmp_path)
    names = {
        precision: {layer.name for layer in open_layers(files[form, precision]).layers}
        for precision in ("float32", "int8")
    }
    assert not any(name.isdigit() for name in names["int8"])
    shared = names["int8"] & names["float32"]
    assert any("convolution" in name for name in shared)
    assert any("max_pooling" in name for name in shared)


def test_a_float_convolution_of_raw_sound_does_not_hold_a_scale_for_each_sample(
    tmp_path: Path,
) -> None:
    """What keeps ONNX Runtime from quantizing its weights is longer than they are, where sound has one channel."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = keras.Input((8000,), name="x")
    sound = layers.Reshape((8000, 1))(layers.ReLU()(x))
    y = layers.Conv1D(4, 64, strides=32, name="filters")(sound)
    y = layers.Dense(2)(layers.GlobalMaxPooling1D()(layers.ReLU()(y)))
    model = keras.Model([x], [y])
    rows = [{"x": row} for row in zoo.samples(model, 30)["x"]]
    targets: Any = {
        (form, precision): tmp_path / f"{precision}.{form}"
        for form in ("tflite", "onnx")
        for precision in ("float32", "int8")
    }
    convert(model, targets, rows[:20], scratch=tmp_path, keep_float=["filters"])
    sizes = {target: path.stat().st_size for target, path in targets.items()}
    assert sizes["onnx", "int8"] < sizes["onnx", "float32"] + 4000, sizes
    exact = outputs_of(targets["tflite", "float32"], rows[20:])
    first, second = (outputs_of(targets[form, "int8"], rows[20:]) for form in ("tflite", "onnx"))
    assert min(sqnr(exact, first), sqnr(exact, second)) > 30
    assert sqnr(first, second) > 30
