"""What stays in float32 in an int8 file: as little as TFLite allows, and never without a word."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import zoo

import edgekit
from edgekit_converters.tflite import flatbuffer


def kinds(path: Path) -> Counter[tuple[str, int]]:
    """How many operators of a TFLite file there are of each kind, and of each type of their outputs."""
    model = flatbuffer.read(path)
    main = model.subgraphs[0]
    return Counter(
        (flatbuffer.kind_name(model, operator), main.tensors[operator.outputs[0]].type)
        for operator in main.operators
    )


def samples() -> dict[str, Any]:
    return {"x": np.random.default_rng(0).normal(size=(90, 8, 8, 6)).astype(np.float32)}


def between_convolutions(function: Callable[[Any], Any]) -> Any:
    """A model of the function between two layers with weights."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = layers.Input((8, 8, 6), name="x")
    y = function(layers.Conv2D(8, 3, padding="same", bias_initializer="normal")(x))
    last = layers.Conv2D(4, 3) if len(y.shape) == 4 else layers.Dense(4)
    return keras.Model(x, last(y))


def prelu(shared: tuple[int, ...] = (1, 2), most: float = 0.6) -> Callable[[Any], Any]:
    """A PReLU, with slopes from -0.2 to ``most``."""

    def call(y: Any) -> Any:
        from keras import initializers, layers

        slopes = initializers.RandomUniform(-0.2, most, seed=1)
        return layers.PReLU(slopes, shared_axes=shared)(y)

    return call


def _ops() -> Any:
    import keras

    return keras.ops


INTEGER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "PReLU by channel": ("MAXIMUM", prelu()),
    "PReLU by value": ("MAXIMUM", prelu(())),
    "PReLU of one slope": ("MAXIMUM", prelu((1, 2, 3))),
    "PReLU with slopes above 1": ("PRELU", prelu(most=2.5)),
    "LeakyReLU": ("LEAKY_RELU", lambda y: _ops().leaky_relu(y, 0.2)),
    "elu": ("ELU", lambda y: _ops().elu(y)),
    "exp": ("EXP", lambda y: _ops().exp(y * 0.5)),
    "negative": ("MUL", lambda y: -y),
    "square": ("MUL", lambda y: _ops().square(y)),
    "tile": ("CONCATENATION", lambda y: _ops().tile(y, (1, 1, 3, 1))),
    "abs": ("MAXIMUM", lambda y: _ops().abs(y)),
    "minimum": ("MINIMUM", lambda y: _ops().minimum(y, y * 0.3)),
    "hard swish": ("ADD", lambda y: _ops().hard_swish(y)),
    "global max pooling": ("REDUCE_MAX", lambda y: _ops().max(y, axis=(1, 2))),
}


@pytest.mark.parametrize("name", INTEGER)
def test_an_operator_with_an_integer_kernel_is_in_integers(name: str, tmp_path: Path) -> None:
    kind, function = INTEGER[name]
    report = edgekit.convert(
        between_convolutions(function), samples(), tmp_path, precision=["int8"]
    )
    counts = kinds(tmp_path / "model_int8.tflite")
    assert counts[kind, flatbuffer.INT8] == 1, counts
    assert {name for name, type_ in counts if type_ == flatbuffer.FLOAT32} == {"DEQUANTIZE"}
    assert counts["DEQUANTIZE", flatbuffer.FLOAT32] == 1, "only the output's"
    assert not report.notes
    tflite, onnx = (file.worst_result.sqnr_db for file in report.files)
    assert min(tflite, onnx) > 30
    assert abs(tflite - onnx) < 1.5


def test_what_has_no_integer_form_is_named(tmp_path: Path) -> None:
    """PRELU, where it is no maximum, has one for 8 bits, and none for 16."""

    def function(y: Any) -> Any:
        return _ops().sin(_ops().floor(prelu(most=2.5)(y)) * 0.1)

    model = between_convolutions(function)
    report = edgekit.convert(model, samples(), tmp_path, precision=["int8", "int16x8"])
    assert report.notes == (
        "FLOOR and SIN (2 operators) stay in float32 in int8: the quantizer has no integer form",
        "FLOOR, PRELU and SIN (3 operators) stay in float32 in int16x8: the quantizer has no integer form",
    )


def test_a_division_stays_in_float_since_litert_s_integers_are_wrong(tmp_path: Path) -> None:
    """16 dB in TFLite and 35 in ONNX, when both divided integers (LiteRT 1.4 to 2.3)."""
    model = between_convolutions(lambda y: y / (_ops().relu(y[..., ::-1]) + 1.0))
    report = edgekit.convert(model, samples(), tmp_path, precision=["int8"])
    assert report.notes == (
        "DIV (1 operator) stays in float32 in int8: the quantizer has no integer form, and LiteRT's of DIV "
        "is wrong",
    )
    assert all(file.worst_result.sqnr_db > 28 for file in report.files)


def test_only_calibrated_files_have_other_operators(tmp_path: Path) -> None:
    model = between_convolutions(prelu())
    edgekit.convert(model, samples(), tmp_path, precision=["float32", "int8"])
    assert ("PRELU", flatbuffer.FLOAT32) in kinds(tmp_path / "model_float32.tflite")
    assert [kind for kind, _ in kinds(tmp_path / "model_int8.tflite")].count("PRELU") == 0


def test_the_indices_that_nothing_reads_stay_whole_numbers(tmp_path: Path) -> None:
    """Those of the largest values were made float32, and LiteRT refused the file."""
    model = between_convolutions(lambda y: _ops().top_k(y, 2)[0])
    report = edgekit.convert(model, samples(), tmp_path, precision=["int8"])
    assert all(file.worst_result.sqnr_db > 30 for file in report.files)
    assert report.notes == (
        "TOPK_V2 (1 operator) stays in float32 in int8: the quantizer has no integer form",
    )


@pytest.mark.parametrize(
    "name", ["preprocessing layers inside", "Bidirectional LSTM", "recommender"]
)
def test_what_is_float_on_purpose_is_not_named(name: str, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.SMALL[name]()
    report = edgekit.convert(model, zoo.samples(model), tmp_path, precision=["int8"])
    assert not any("operator" in note and "stay" in note.partition(":")[0] for note in report.notes)
