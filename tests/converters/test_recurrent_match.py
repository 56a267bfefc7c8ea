"""Loops recognized as recurrent layers, whatever their weights are."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit_converters
from edgekit_converters.onnx.recurrent_match import find_cells
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import open_model

ROUNDS = 34


def layers_of_each_kind(steps: int, width: int, units: int) -> Any:
    import keras

    layers = keras.layers
    x = layers.Input((steps, width), name="x")
    made: list[Any] = [
        kind(units, bias_initializer="normal", return_sequences=every)(x)
        for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM)
        for every in (False, True)
    ]
    return keras.Model(x, made)


def float_graph(model: Any, folder: Path) -> Path:
    model.save(folder / "model.keras")
    loaded = edgekit_converters.load_model(str(folder / "model.keras"))
    target = folder / "float.tflite"
    edgekit_converters.convert(loaded, {("tflite", "float32"): target}, scratch=folder)
    return target


def with_other_weights(graph: Path, random: np.random.Generator, target: Path) -> None:
    """Write the graph with each weight and bias shuffled, and up to ten times as large."""
    model = flatbuffer.read(graph)
    for tensor in (tensor for inside in model.subgraphs[1:] for tensor in inside.tensors):
        value = flatbuffer.constant(model, tensor)
        if value is not None and value.dtype == np.float32 and value.size > 1:
            other = random.permutation(value.ravel()) * np.float32(10 ** random.uniform(-1, 1))
            model.buffers[tensor.buffer].data = np.frombuffer(other.tobytes(), np.uint8)
    flatbuffer.write(model, target)


@pytest.mark.parametrize("rounds", [pytest.param(ROUNDS, marks=pytest.mark.slow), 3])
def test_layers_are_recognized_with_weights_up_to_ten_times_as_large(
    rounds: int, tmp_path: Path
) -> None:
    """34 rounds are 204 layers, of 64 units on 40 steps, where small differences grow."""
    graph = float_graph(layers_of_each_kind(40, 32, 64), tmp_path)
    random = np.random.default_rng(0)
    found: Counter[tuple[str, str, bool]] = Counter()
    for _ in range(rounds):
        with_other_weights(graph, random, tmp_path / "other.tflite")
        cells = find_cells(tmp_path / "other.tflite").by_body.values()
        found.update((cell.kind, cell.activation, cell.every) for cell in cells)
    assert found == {
        (kind, "Tanh", every): rounds for kind in ("RNN", "GRU", "LSTM") for every in (False, True)
    }


def test_recognized_layers_with_large_weights_compute_what_the_loops_do(tmp_path: Path) -> None:
    """On three steps: on many, large weights make chaos of the rounding of any two runtimes."""
    import keras

    keras.utils.set_random_seed(0)
    model = layers_of_each_kind(3, 8, 8)
    model.set_weights([8 * weight for weight in model.get_weights()])
    graph = float_graph(model, tmp_path)
    loaded = edgekit_converters.load_model(str(tmp_path / "model.keras"))
    target = tmp_path / "model.onnx"
    edgekit_converters.convert(loaded, {("onnx", "float32"): target}, scratch=tmp_path)
    x = np.random.default_rng(0).normal(size=(50, 3, 8)).astype(np.float32)
    with open_model(graph) as tflite, open_model(target) as onnx:
        loops, operators = tflite.run({"x": x}), onnx.run({"x": x})
    assert len(loops) == 6
    for name, value in loops.items():
        np.testing.assert_allclose(operators[name], value, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "softsign"},
        {"recurrent_activation": "hard_sigmoid"},
        {"recurrent_activation": "tanh"},
        {"activation": "linear"},
    ],
)
def test_what_computes_otherwise_is_not_taken_for_a_layer(
    options: dict[str, str], tmp_path: Path
) -> None:
    import keras

    x = keras.layers.Input((6, 8), name="x")
    both = [keras.layers.LSTM(8, **options)(x), keras.layers.GRU(8, **options)(x)]
    graph = float_graph(keras.Model(x, both), tmp_path)
    random = np.random.default_rng(0)
    for _ in range(5):
        with_other_weights(graph, random, tmp_path / "other.tflite")
        assert not find_cells(tmp_path / "other.tflite").by_body
