"""Recurrent layers: their size in int8, their outputs in both formats, their ONNX operators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import zoo

import edgekit_converters
from edgekit_converters import FORMATS, Conversion, Precision
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import open_model

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Converted:
    """A model in files, with what it was given and what it computed."""

    paths: dict[tuple[str, Precision], Path]
    inputs: Arrays
    expected: Arrays
    conversion: Conversion

    def outputs(self, form: str, precision: Precision, device: str = "cpu") -> Arrays:
        with open_model(self.paths[form, precision], device=device) as session:
            outputs = session.run(self.inputs)
            return outputs if isinstance(outputs, dict) else {session.outputs[0].name: outputs}

    def sqnr_db(self, form: str, precision: Precision) -> float:
        """Of the worst output, against the original."""
        outputs = self.outputs(form, precision)
        return min(sqnr_db(value, outputs[name]) for name, value in self.expected.items())


def sqnr_db(expected: Any, got: Any) -> float:
    return float(10 * np.log10(np.square(expected).sum() / np.square(got - expected).sum()))


def convert(
    model: Callable[[], Any],
    folder: Path,
    precisions: Sequence[Precision],
    formats: Sequence[str] = tuple(FORMATS),
    inputs: Arrays | None = None,
    **options: Any,
) -> Converted:
    """Converts in this process, calibrated on 60 samples, and runs the original on 20 others."""
    import keras

    keras.utils.set_random_seed(0)
    model().save(folder / "model.keras")
    built = edgekit_converters.load_model(str(folder / "model.keras"))
    arrays = inputs or zoo.samples(built, 80)
    samples = [dict(zip(arrays, row, strict=True)) for row in zip(*arrays.values(), strict=True)]
    paths = {(f, p): folder / f"model_{p}{FORMATS[f].suffix}" for p in precisions for f in formats}
    shapes = {name: values.shape[1:] for name, values in arrays.items()}
    conversion = edgekit_converters.convert(
        built, paths, samples[:60], scratch=folder, shapes=shapes, **options
    )
    rest = {name: values[60:] for name, values in arrays.items()}
    expected = keras.tree.flatten(built([rest[tensor.name] for tensor in built.inputs]))
    named = dict(zip(built.output_names, map(np.asarray, expected), strict=True))
    return Converted(paths, rest, named, conversion)


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """An embedding and an LSTM of 64 units, in int8 and int16x8."""
    return convert(
        lambda: zoo.embedding_lstm(100, 32, 64, 24),
        tmp_path_factory.mktemp("lstm"),
        ["float32", "int8", "int16x8"],
    )


def test_int8_is_some_third_of_the_float_file(lstm: Converted) -> None:
    size = {key: path.stat().st_size for key, path in lstm.paths.items()}
    for form in FORMATS:
        assert size[form, "int8"] < 0.35 * size[form, "float32"]
        assert size[form, "int16x8"] < 0.4 * size[form, "float32"]


def test_int8_outputs_are_near_the_original_in_both_formats(lstm: Converted) -> None:
    found = {key: lstm.sqnr_db(*key) for key in lstm.paths}
    assert min(found.values()) > 45, found
    assert found["tflite", "int16x8"] > found["tflite", "int8"] + 10
    (tflite,), (onnx,) = (lstm.outputs(form, "int8").values() for form in FORMATS)
    assert sqnr_db(tflite, onnx) > 45


def test_the_notes_say_what_is_in_integers_and_what_is_not(lstm: Converted) -> None:
    loop, operator = lstm.conversion.notes
    assert "keep their loop in int8 and int16x8, in TFLite" in loop
    assert "the state stay in float" in loop
    assert "(LSTM)" in operator
    assert "in int8 and int16x8 their weights are stored as 8-bit integers" in operator
    assert not lstm.conversion.alike


def test_the_weights_in_a_loop_are_integers_in_the_file(lstm: Converted) -> None:
    model = flatbuffer.read(lstm.paths["tflite", "int8"])
    inside = [tensor for graph in model.subgraphs[1:] for tensor in graph.tensors]
    weights = [t for t in inside if len(flatbuffer.shape(t)) == 2 and t.buffer]
    assert sorted(flatbuffer.shape(t) for t in weights) == [(256, 32), (256, 64)]
    assert {t.type for t in weights} == {9}


def test_onnx_has_an_operator_with_the_same_integers(lstm: Converted) -> None:
    """Keras and TFLite have the gates in the order i, f, c, o; ONNX in i, o, f, c."""
    import onnx

    model = flatbuffer.read(lstm.paths["tflite", "int8"])
    constants = [
        flatbuffer.constant(model, t) for graph in model.subgraphs[1:] for t in graph.tensors
    ]
    theirs = {c.shape: c.astype(int) for c in constants if c is not None and c.dtype == np.int8}
    graph = onnx.load(lstm.paths["onnx", "int8"]).graph
    assert [n.op_type for n in graph.node if n.op_type in ("LSTM", "Loop")] == ["LSTM"]
    ours = {
        value.shape[1:]: value[0].astype(int)
        for value in map(onnx.numpy_helper.to_array, graph.initializer)
        if value.dtype == np.int8
    }
    assert ours.keys() == {(256, 32), (256, 64)}
    for shape, value in ours.items():
        i, f, c, o = np.split(theirs[shape], 4)
        np.testing.assert_array_equal(value, np.concatenate([i, o, f, c]))


@pytest.mark.parametrize("form", FORMATS)
def test_each_call_starts_from_a_clean_state(lstm: Converted, form: str) -> None:
    x = np.random.default_rng(1).integers(0, 100, (4, 24)).astype(np.int32)
    with open_model(lstm.paths[form, "int8"]) as model:
        forwards = [model.run(row[np.newaxis]) for row in x]
        backwards = [model.run(row[np.newaxis]) for row in x[::-1]][::-1]
    np.testing.assert_array_equal(forwards, backwards)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("form", FORMATS)
def test_openvino_runs_the_same_files(lstm: Converted, precision: Precision, form: str) -> None:
    (cpu,), (openvino,) = (
        lstm.outputs(form, precision, device).values() for device in ("cpu", "openvino")
    )
    np.testing.assert_allclose(cpu, openvino, atol=2 / 256)


@pytest.mark.parametrize("device", ["cpu", "openvino"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_work_of_the_operator_is_counted_as_what_it_is(
    lstm: Converted, precision: Precision, device: str
) -> None:
    with open_model(lstm.paths["onnx", precision], device=device) as model:
        placed = model.placement
    assert placed.macs == 24 * (256 * 32 + 256 * 64) + 64
    assert placed.int8_macs < 0.01, "it computes in float, whatever its weights are stored as"


def test_a_loop_takes_integers_at_the_ends_of_the_file(tmp_path: Path) -> None:
    converted = convert(zoo.gru, tmp_path, ["int8"], interface="int8")
    for form in FORMATS:
        assert converted.sqnr_db(form, "int8") > 25
        with open_model(converted.paths[form, "int8"]) as model:
            assert model.inputs[0].dtype in ("int8", "uint8")


def test_the_samples_fix_a_dynamic_number_of_steps(tmp_path: Path) -> None:
    def model() -> Any:
        import keras

        layers = keras.layers
        return keras.Sequential(
            [
                layers.Input((None, 4), name="x"),
                layers.Bidirectional(layers.GRU(8, return_sequences=True)),
                layers.LSTM(8, go_backwards=True),
                layers.Dense(2),
            ]
        )

    x = np.random.default_rng(0).uniform(-1, 1, (80, 12, 4)).astype(np.float32)
    converted = convert(model, tmp_path, ["int8"], inputs={"x": x})
    assert all(converted.sqnr_db(*key) > 25 for key in converted.paths)


def test_a_layer_used_twice_with_a_mask_and_without(tmp_path: Path) -> None:
    """Two loops over the same weights, of which one carries a mask and its last output."""

    def model() -> Any:
        import keras

        layers = keras.layers
        words = layers.Input((10,), dtype="int32", name="words")
        shared = layers.LSTM(8)
        vectors = layers.Embedding(40, 6, mask_zero=True)(words)
        both = layers.Concatenate()([shared(vectors), shared(vectors * 0.5)])
        return keras.Model(words, layers.Dense(2, name="y")(both))

    converted = convert(model, tmp_path, ["float32", "int8"])
    assert operators(converted.paths["onnx", "float32"]) == ["LSTM", "LSTM"]
    for (form, precision), path in converted.paths.items():
        assert converted.sqnr_db(form, precision) > (100 if precision == "float32" else 25)
        assert path.stat().st_size <= converted.paths[form, "float32"].stat().st_size


def test_notes_on_layers_of_both_kinds_agree_with_each_other(tmp_path: Path) -> None:
    def model() -> Any:
        import keras

        layers = keras.layers
        x = layers.Input((6, 4), name="x")
        both = [layers.LSTM(5)(x), layers.GRU(5, reset_after=False)(x)]
        return keras.Model(x, layers.Dense(2)(layers.Concatenate()(both)))

    converted = convert(model, tmp_path, ["int8"])
    loop, operator = converted.conversion.notes
    assert "in int8, in TFLite and ONNX (1 of 2): in it" in loop
    assert operator.startswith("in ONNX, 1 of 2 recurrent layers are operators of their own (LSTM)")


def operators(path: Path) -> list[str]:
    """The recurrent operators and the loops of an ONNX file."""
    import onnx

    kinds = ("LSTM", "GRU", "RNN", "Loop")
    return [node.op_type for node in onnx.load(str(path)).graph.node if node.op_type in kinds]


def layer(kind: str, **options: Any) -> Callable[[], Any]:
    """A model of one recurrent layer of 9 units on 7 steps of 5 numbers, with biases."""

    def build() -> Any:
        import keras

        made = getattr(keras.layers, kind)(9, bias_initializer="normal", **options)
        return keras.Sequential([keras.layers.Input((7, 5), name="x"), made])

    return build


def encoder_and_decoder() -> Any:
    """The second LSTM begins with the first one's state, and its last state is an output."""
    import keras

    layers = keras.layers
    source, target = layers.Input((6, 4), name="source"), layers.Input((5, 3), name="target")
    _, *state = layers.LSTM(7, return_state=True)(source)
    decoded, _, last = layers.LSTM(7, return_sequences=True, return_state=True)(
        target, initial_state=state
    )
    return keras.Model([source, target], [layers.Dense(2)(decoded), layers.Dense(2)(last)])


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (layer("SimpleRNN"), ["RNN"]),
        (layer("SimpleRNN", activation="relu", return_sequences=True), ["RNN"]),
        (layer("GRU"), ["GRU"]),
        (layer("GRU", use_bias=False, activation="relu"), ["GRU"]),
        (layer("LSTM", go_backwards=True), ["LSTM"]),
        (layer("LSTM", activation="relu", return_sequences=True), ["LSTM"]),
        (encoder_and_decoder, ["LSTM", "LSTM"]),
        # What ONNX has no operator for, or none that computes the same, stays a loop.
        (layer("GRU", reset_after=False), ["Loop"]),
        (layer("LSTM", recurrent_activation="hard_sigmoid"), ["Loop"]),
        (layer("LSTM", activation="softsign"), ["Loop"]),
        (zoo.conv_lstm, ["Loop"]),
    ],
)
def test_a_loop_that_onnx_has_an_operator_for_becomes_it(
    model: Any, wanted: list[str], tmp_path: Path
) -> None:
    least: dict[Precision, float] = {"float32": 100, "float16": 50, "dynamic": 25, "int8": 18}
    converted = convert(model, tmp_path, list(least), ["onnx"])
    for (form, precision), path in converted.paths.items():
        assert operators(path) == wanted
        assert converted.sqnr_db(form, precision) > least[precision], precision


def test_openvino_computes_the_same_from_integer_weights(tmp_path: Path) -> None:
    """By itself it would run these operators in integers, wrongly: a Max hides that they are dequantized."""
    import onnxruntime
    import openvino

    for kind in ("SimpleRNN", "GRU", "LSTM"):
        path = convert(layer(kind), tmp_path, ["int8"], ["onnx"]).paths["onnx", "int8"]
        x = {"x": np.random.default_rng(1).uniform(-1, 1, (1, 7, 5)).astype(np.float32)}
        (wanted,) = onnxruntime.InferenceSession(path).run(None, x)
        got = openvino.Core().compile_model(path, "CPU")(x)[0]
        np.testing.assert_allclose(got, wanted, atol=0.01)
