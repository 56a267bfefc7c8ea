"""Recurrent layers in int8: small, right, the same in both formats, and clean at each call."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo

import edgekit
from edgekit_converters import FORMATS, flatbuffer


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


def test_a_loop_in_int8_is_some_third_of_the_float_file(lstm: Any) -> None:
    report, _ = lstm
    found = sizes(report)
    for form in FORMATS:
        assert found[form, "int8"] < 0.35 * found[form, "float32"]
        assert found[form, "int16x8"] < 0.4 * found[form, "float32"]


def test_a_loop_in_int8_answers_like_the_original_in_both_formats(lstm: Any) -> None:
    report, _ = lstm
    assert report
    scores = {file.name: file.worst_score.sqnr_db for file in report.files}
    assert min(scores.values()) > 45, scores
    assert scores["model_int16x8.tflite"] > scores["model_int8.tflite"] + 10
    assert report.twins["int8"][0].sqnr_db > 60


def test_the_report_says_what_is_in_integers_and_what_is_not(lstm: Any) -> None:
    report, _ = lstm
    (note,) = (note for note in report.notes if "loop" in note)
    assert "int8 and int16x8" in note
    assert "in both formats" in note
    assert "the state stay in float" in note


def test_the_weights_in_a_loop_are_integers_in_the_file(lstm: Any) -> None:
    import onnx

    _, folder = lstm
    model = flatbuffer.read(folder / "model_int8.tflite")
    inside = [tensor for graph in model.subgraphs[1:] for tensor in graph.tensors]
    weights = [t for t in inside if len(flatbuffer.shape(t)) == 2 and t.buffer]
    assert sorted(flatbuffer.shape(t) for t in weights) == [(256, 32), (256, 64)]
    assert {t.type for t in weights} == {9}

    graph = onnx.load(str(folder / "model_int8.onnx")).graph
    (loop,) = (node for node in graph.node if node.op_type == "Loop")
    (body,) = (a.g for a in loop.attribute if a.HasField("g"))
    kinds = {tuple(i.dims): i.data_type for i in body.initializer if len(i.dims) == 2}
    assert kinds == {(32, 256): onnx.TensorProto.UINT8, (64, 256): onnx.TensorProto.UINT8}


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


def test_a_loop_takes_integers_at_the_ends_of_the_file(tmp_path: Path) -> None:
    report = convert(zoo.gru, tmp_path, precision=["int8"], io="int8")
    assert all(file.worst_score.sqnr_db > 25 for file in report.files)
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
    assert all(file.worst_score.sqnr_db > 25 for file in report.files)


def test_a_layer_used_twice_and_one_with_a_mask(tmp_path: Path) -> None:
    """Two loops over the same weights; and a loop that carries a mask and its last answer."""
    import keras

    def model() -> Any:
        layers = keras.layers
        words = layers.Input((10,), dtype="int32", name="words")
        shared = layers.LSTM(8)
        vectors = layers.Embedding(40, 6, mask_zero=True)(words)
        both = layers.Concatenate()([shared(vectors), shared(vectors * 0.5)])
        return keras.Model(words, layers.Dense(2, name="y")(both))

    report = convert(model, tmp_path)
    found = sizes(report)
    for file in report.files:
        assert file.worst_score.sqnr_db > (100 if file.precision == "float32" else 25)
        assert file.bytes <= found[file.format, "float32"]
