"""Recurrent layers: small in int8, right in both formats, operators in ONNX, clean at each call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import zoo

import edgekit
from edgekit_converters import FORMATS
from edgekit_converters.tflite import flatbuffer


def convert(model: Any, folder: Path, **options: Any) -> edgekit.Report:
    import keras

    keras.utils.set_random_seed(0)
    built = model()
    return edgekit.convert(built, zoo.samples(built), folder, **options)


def sizes(report: edgekit.Report) -> dict[tuple[str, str], int]:
    return {(file.format, file.precision): file.bytes for file in report.files}


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> tuple[edgekit.Report, Path]:
    """An embedding and an LSTM of 64 units, in int8 and int16x8."""
    folder = tmp_path_factory.mktemp("lstm")
    report = convert(
        lambda: zoo.embedding_lstm(100, 32, 64, 24),
        folder,
        precision=["float32", "int8", "int16x8"],
    )
    return report, folder


def test_int8_is_some_third_of_the_float_file(lstm: Any) -> None:
    report, _ = lstm
    found = sizes(report)
    for form in FORMATS:
        assert found[form, "int8"] < 0.35 * found[form, "float32"]
        assert found[form, "int16x8"] < 0.4 * found[form, "float32"]


def test_int8_answers_like_the_original_in_both_formats(lstm: Any) -> None:
    report, _ = lstm
    assert report
    scores = {file.name: file.worst_result.sqnr_db for file in report.files}
    assert min(scores.values()) > 45, scores
    assert scores["model_int16x8.tflite"] > scores["model_int8.tflite"] + 10
    assert report.onnx_vs_tflite["int8"][0].sqnr_db > 45


def test_the_report_says_what_is_in_integers_and_what_is_not(lstm: Any) -> None:
    report, _ = lstm
    loop, operator = (note for note in report.notes if "recurrent" in note)
    assert "keep their loop in int8 and int16x8, in TFLite" in loop
    assert "the state stay in float" in loop
    assert "(LSTM)" in operator
    assert "in int8 and int16x8 their weights are stored as 8-bit integers" in operator
    assert not report.warnings


def test_the_weights_in_a_loop_are_integers_in_the_file(lstm: Any) -> None:
    _, folder = lstm
    model = flatbuffer.read(folder / "model_int8.tflite")
    inside = [tensor for graph in model.subgraphs[1:] for tensor in graph.tensors]
    weights = [t for t in inside if len(flatbuffer.shape(t)) == 2 and t.buffer]
    assert sorted(flatbuffer.shape(t) for t in weights) == [(256, 32), (256, 64)]
    assert {t.type for t in weights} == {9}


def test_onnx_has_an_operator_with_the_same_integers(lstm: Any) -> None:
    """Keras and TFLite have the gates in the order i, f, c, o; ONNX in i, o, f, c."""
    import onnx

    _, folder = lstm
    model = flatbuffer.read(folder / "model_int8.tflite")
    constants = [
        flatbuffer.constant(model, t) for graph in model.subgraphs[1:] for t in graph.tensors
    ]
    theirs = {c.shape: c.astype(int) for c in constants if c is not None and c.dtype == np.int8}
    graph = onnx.load(str(folder / "model_int8.onnx")).graph
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


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_int8.onnx"])
def test_each_call_starts_from_a_clean_state(lstm: Any, name: str) -> None:
    _, folder = lstm
    x = np.random.default_rng(1).integers(0, 100, (4, 24)).astype(np.int32)
    with edgekit.open_model(folder / name) as model:
        forwards = [model.run(row[np.newaxis]) for row in x]
        backwards = [model.run(row[np.newaxis]) for row in x[::-1]][::-1]
    np.testing.assert_array_equal(forwards, backwards)


@pytest.mark.parametrize("name", ["model_float32", "model_int8"])
@pytest.mark.parametrize("form", FORMATS)
def test_openvino_runs_the_same_files(lstm: Any, name: str, form: str) -> None:
    _, folder = lstm
    x = np.random.default_rng(1).integers(0, 100, (8, 24)).astype(np.int32)
    answers = []
    for device in ("cpu", "openvino"):
        with edgekit.open_model(folder / f"{name}.{form}", device=device) as model:
            answers.append(model.run(x))
    np.testing.assert_allclose(*answers, atol=2 / 256)


@pytest.mark.parametrize("device", ["cpu", "openvino"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_work_of_the_operator_is_counted_as_what_it_is(
    lstm: Any, precision: str, device: str
) -> None:
    _, folder = lstm
    with edgekit.open_model(folder / f"model_{precision}.onnx", device=device) as model:
        placed = model.placement
    assert placed.macs == 24 * (256 * 32 + 256 * 64) + 64
    assert placed.int8_macs < 0.01, "it computes in float, whatever its weights are stored as"


def test_a_loop_takes_integers_at_the_ends_of_the_file(tmp_path: Path) -> None:
    report = convert(zoo.gru, tmp_path, precision=["int8"], io="int8")
    assert all(file.worst_result.sqnr_db > 25 for file in report.files)
    for form in FORMATS:
        with edgekit.open_model(tmp_path / f"model_int8.{form}") as model:
            assert model.inputs[0].dtype in ("int8", "uint8")


def test_the_samples_close_an_open_number_of_steps(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, 4), name="x"),
            layers.Bidirectional(layers.GRU(8, return_sequences=True)),
            layers.LSTM(8, go_backwards=True),
            layers.Dense(2),
        ]
    )
    x = np.random.default_rng(0).uniform(-1, 1, (120, 12, 4)).astype(np.float32)
    report = edgekit.convert(model, x, tmp_path, precision=["int8"])
    assert all(file.worst_result.sqnr_db > 25 for file in report.files)


def test_a_layer_used_twice_and_one_with_a_mask(tmp_path: Path) -> None:
    """Two loops over the same weights; and a loop that carries a mask and its last answer."""

    def model() -> Any:
        import keras

        layers = keras.layers
        words = layers.Input((10,), dtype="int32", name="words")
        shared = layers.LSTM(8)
        vectors = layers.Embedding(40, 6, mask_zero=True)(words)
        both = layers.Concatenate()([shared(vectors), shared(vectors * 0.5)])
        return keras.Model(words, layers.Dense(2, name="y")(both))

    report = convert(model, tmp_path)
    assert operators(tmp_path / "model_float32.onnx") == ["Loop", "LSTM"]
    loop, _ = (note for note in report.notes if "recurrent" in note)
    assert "in TFLite and ONNX" in loop
    found = sizes(report)
    for file in report.files:
        assert file.worst_result.sqnr_db > (100 if file.precision == "float32" else 25)
        assert file.bytes <= found[file.format, "float32"]


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
    """The second LSTM begins with the first one's state, and gives its own away."""
    import keras

    layers = keras.layers
    source, target = layers.Input((6, 4), name="source"), layers.Input((5, 3), name="target")
    _, *state = layers.LSTM(7, return_state=True)(source)
    answers, _, last = layers.LSTM(7, return_sequences=True, return_state=True)(
        target, initial_state=state
    )
    return keras.Model([source, target], [layers.Dense(2)(answers), layers.Dense(2)(last)])


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
    report = convert(
        model, tmp_path, to=["onnx"], precision=["float32", "float16", "dynamic", "int8"]
    )
    least = {"float32": 100, "float16": 50, "dynamic": 25, "int8": 18}
    for file in report.files:
        assert operators(tmp_path / file.name) == wanted
        assert file.worst_result.sqnr_db > least[file.precision], file


def test_openvino_gives_the_same_answers_in_its_own_way_of_quantizing(tmp_path: Path) -> None:
    """Left to itself it would make integers of these operators, wrongly: their weights are sealed."""
    import onnxruntime
    import openvino

    for kind in ("SimpleRNN", "GRU", "LSTM"):
        convert(layer(kind), tmp_path / kind, to=["onnx"], precision=["int8"])
        path = tmp_path / kind / "model_int8.onnx"
        x = {"x": np.random.default_rng(1).uniform(-1, 1, (1, 7, 5)).astype(np.float32)}
        (wanted,) = onnxruntime.InferenceSession(path).run(None, x)
        got = openvino.Core().compile_model(path, "CPU")(x)[0]
        np.testing.assert_allclose(got, wanted, atol=0.01)
