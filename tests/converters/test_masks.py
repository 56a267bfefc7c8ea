"""Masked recurrent layers: what Keras computes, in both formats, and as operators in ONNX."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recipes import sqnr

import edgekit_converters
from edgekit_converters import FORMATS
from edgekit_runtimes import open_model

STEPS = 9


def masked_series() -> Any:
    import keras

    x = keras.layers.Input((STEPS, 5), name="x")
    return x, keras.layers.Masking(0.0)(x)


def words() -> Any:
    import keras

    x = keras.layers.Input((STEPS,), dtype="int32", name="x")
    return x, keras.layers.Embedding(20, 5, mask_zero=True)(x)


def each_way(begin: Callable[[], Any], kind: str) -> Any:
    """A model of every way to use a masked layer of this kind."""
    import keras

    layers = keras.layers
    made: Callable[..., Any] = getattr(layers, kind)
    x, y = begin()
    keras.utils.set_random_seed(0)

    def layer(**options: Any) -> Any:
        return made(4, bias_initializer="normal", **options)

    every, *states = layer(return_sequences=True, return_state=True)(y)
    outputs = {
        "last": layer()(y),
        "every": every,
        "both_last": layers.Bidirectional(layer())(y),
        "both_every": layers.Bidirectional(layer(return_sequences=True))(y),
        "zeros_every": layer(return_sequences=True, zero_output_for_mask=True)(y),
        "zeros_last": layer(zero_output_for_mask=True)(y),
        "two": layer()(layer(return_sequences=True)(y)),
        "from_state": layer()(y, initial_state=[state * 2 for state in states]),
    }
    outputs |= {f"state_{i}": state for i, state in enumerate(states)}
    return keras.Model(x, outputs)


def rows(shape: tuple[int, ...]) -> Any:
    """Samples whose steps count at the start, at the end, here and there, all of them, and nowhere."""
    random = np.random.default_rng(0)
    steps = np.arange(STEPS)
    counts = random.random((40, STEPS)) < 0.6
    counts[:6] = [steps < 4, steps >= 4, steps == 3, steps >= 0, steps < 0, steps % 2 == 0]
    if len(shape) == 1:
        return (random.integers(1, 20, (40, STEPS)) * counts).astype(np.int32)
    return (random.normal(size=(40, *shape)) * counts[..., np.newaxis]).astype(np.float32)


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        (masked_series, "LSTM"),
        (words, "GRU"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                (masked_series, "SimpleRNN"),
                (masked_series, "GRU"),
                (words, "SimpleRNN"),
                (words, "LSTM"),
            )
        ),
    ],
)
def test_a_mask_counts_in_both_formats_and_needs_no_loop_in_onnx(
    begin: Callable[[], Any], kind: str, tmp_path: Path
) -> None:
    import keras
    import onnx

    each_way(begin, kind).save(tmp_path / "model.keras")
    model = edgekit_converters.load_model(str(tmp_path / "model.keras"))
    x = rows(tuple(model.inputs[0].shape[1:]))
    paths = {
        (f, p): tmp_path / f"model_{p}{FORMATS[f].suffix}"
        for f in FORMATS
        for p in ("float32", "float16", "int8")
    }
    edgekit_converters.convert(model, paths, [{"x": row} for row in x[10:]], scratch=tmp_path)
    expected = dict(zip(model.output_names, keras.tree.flatten(model([x])), strict=True))
    least = {"float32": 110, "float16": 40, "int8": 15}
    for (form, precision), path in paths.items():
        with open_model(path) as session:
            outputs = session.run({"x": x})
        for name, value in expected.items():
            decibels = sqnr(np.asarray(value), outputs[name])
            assert decibels > least[precision], (form, precision, name, decibels)
    kinds = [node.op_type for node in onnx.load(paths["onnx", "float32"]).graph.node]
    assert kinds.count({"SimpleRNN": "RNN"}.get(kind, kind)) == 11
    assert "Loop" not in kinds


@pytest.mark.parametrize("begin", [masked_series, words])
def test_a_masked_layer_that_onnx_has_no_operator_for_keeps_its_loop(
    begin: Callable[[], Any], tmp_path: Path
) -> None:
    import keras
    import onnx

    x, y = begin()
    layer = keras.layers.GRU(4, reset_after=False, return_sequences=True)
    keras.Model(x, layer(y)).save(tmp_path / "model.keras")
    model = edgekit_converters.load_model(str(tmp_path / "model.keras"))
    target = tmp_path / "model.onnx"
    edgekit_converters.convert(model, {("onnx", "float32"): target}, scratch=tmp_path)
    samples = rows(tuple(model.inputs[0].shape[1:]))
    with open_model(target) as session:
        (got,) = session.run({"x": samples}).values()
    np.testing.assert_allclose(got, model([samples]), atol=1e-6)
    assert [n.op_type for n in onnx.load(target).graph.node].count("Loop") == 1


@pytest.mark.parametrize("name", ["axis_0", "int_1", "nothing"])
def test_an_input_may_be_called_as_a_constant_was(name: str, tmp_path: Path) -> None:
    import keras

    x = keras.layers.Input((STEPS, 5), name=name)
    model = keras.Model([x], [keras.layers.LSTM(4)(keras.layers.Masking(0.0)(x))])
    target = tmp_path / "model.onnx"
    edgekit_converters.convert(model, {("onnx", "float32"): target}, scratch=tmp_path)
    samples = rows((STEPS, 5))
    with open_model(target) as session:
        (got,) = session.run({name: samples}).values()
    np.testing.assert_allclose(got, model([samples]), atol=1e-6)
