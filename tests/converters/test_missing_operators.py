"""Keras layers whose operators TFLite lacks: written as others, in both formats and in int8."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recipes import sqnr

import edgekit_converters
from edgekit_converters import FORMATS
from edgekit_converters.tflite import float_graph
from edgekit_runtimes import open_model


def layer(kind: str, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        import keras

        return getattr(keras.layers, kind)(*arguments, **options)(x)

    return call


def operation(name: str, **options: Any) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        import keras

        return getattr(keras.ops, name)(x, **options)

    return call


def in_turn(*functions: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        for function in functions:
            x = function(x)
        return x

    return call


def encoding(mode: str) -> Callable[[Any], Any]:
    """Classes 0 to 4, some of them twice, as a CategoryEncoding writes them."""

    def call(x: Any) -> Any:
        from keras import ops

        classes = ops.cast(ops.minimum(ops.abs(x) * 3, 4), "int32")
        return layer("CategoryEncoding", 5, output_mode=mode)(classes)

    return call


VOLUME, IMAGE = (7, 6, 5, 3), (9, 12, 3)
CASES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "MaxPooling3D": (VOLUME, layer("MaxPooling3D", 2)),
    "MaxPooling3D, padded": (VOLUME, layer("MaxPooling3D", 3, strides=(2, 1, 2), padding="same")),
    "AveragePooling3D": (VOLUME, layer("AveragePooling3D", (2, 3, 1))),
    "AveragePooling3D, padded": (VOLUME, layer("AveragePooling3D", 3, strides=2, padding="same")),
    "MelSpectrogram": (
        (1024,),
        layer("MelSpectrogram", fft_length=128, sequence_stride=64, num_mel_bins=16),
    ),
    "Conv1D, squared": ((12, 3), lambda x: operation("square")(layer("Conv1D", 4, 3)(x))),
    "Discretization": ((5,), layer("Discretization", [-1.0, 0.0, 0.5])),
    "CategoryEncoding, multi-hot": ((3,), encoding("multi_hot")),
    "CategoryEncoding, counts": ((3,), encoding("count")),
    "argmax": ((6, 5), operation("argmax", axis=1)),
    "argmin": ((6, 5), operation("argmin", axis=-1)),
    "Resizing, bicubic": (IMAGE, layer("Resizing", 12, 7, interpolation="bicubic")),
    "Resizing, area": (IMAGE, layer("Resizing", 4, 5, interpolation="area")),
    "Resizing, lanczos5": (IMAGE, layer("Resizing", 12, 7, interpolation="lanczos5")),
    "Resizing, antialias": (IMAGE, layer("Resizing", 5, 4, antialias=True)),
    "Resizing, cropped": (IMAGE, layer("Resizing", 6, 6, crop_to_aspect_ratio=True)),
    "Resizing, padded": (IMAGE, layer("Resizing", 6, 6, pad_to_aspect_ratio=True)),
    "Resizing, cropped, then padded": (
        IMAGE,
        in_turn(
            layer("Resizing", 8, 8, interpolation="bicubic", crop_to_aspect_ratio=True),
            layer("Resizing", 10, 14, antialias=True, pad_to_aspect_ratio=True),
        ),
    ),
    "CenterCrop of a smaller image": (IMAGE, layer("CenterCrop", 16, 16)),
    "UpSampling2D, bicubic": (IMAGE, layer("UpSampling2D", 2, interpolation="bicubic")),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_computed_by_operators_that_both_formats_have(name: str, tmp_path: Path) -> None:
    import keras

    shape, function = CASES[name]
    x = keras.layers.Input(shape, name="x")
    model = keras.Model([x], [function(x)])
    rows = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    paths: dict[Any, Path] = {
        (form, precision): tmp_path / f"model_{precision}{FORMATS[form].suffix}"
        for form in FORMATS
        for precision in ("float32", "int8")
    }
    samples = [{"x": row} for row in rows[:30]]
    edgekit_converters.convert(model, paths, samples, scratch=tmp_path)
    (expected,) = keras.tree.flatten(model([rows]))
    for (form, precision), path in paths.items():
        with open_model(path) as session:
            (got,) = keras.tree.flatten(session.run({"x": rows}))
        least = 115 if precision == "float32" else 18
        assert sqnr(np.asarray(expected), np.asarray(got)) > least, (
            form,
            precision,
        )


def test_they_are_written_so_in_large_models_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.setattr(float_graph, "_FROZEN_BELOW", 1)
    x = keras.layers.Input(VOLUME, name="x")
    model = keras.Model([x], [keras.layers.MaxPooling3D(2)(keras.layers.Conv3D(2, 1)(x))])
    target = tmp_path / "model.tflite"
    edgekit_converters.convert(model, {("tflite", "float32"): target}, scratch=tmp_path)
    rows = np.random.default_rng(0).normal(size=(3, *VOLUME)).astype(np.float32)
    with open_model(target) as session:
        (got,) = session.run({"x": rows}).values()
    assert sqnr(np.asarray(model(rows)), got) > 115


def whole(kind: str, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
    """A layer that takes whole numbers."""

    def call(x: Any) -> Any:
        import keras

        numbers = keras.ops.cast(x, "int64")
        return keras.ops.cast(layer(kind, *arguments, **options)(numbers), "float32")

    return call


REFUSED = {
    "IntegerLookup": (
        ((1,), whole("IntegerLookup", vocabulary=[5, 7, 9], name="look")),
        "the layer 'look' computes LookupTableFindV2, .*Look numbers up outside",
    ),
    "Hashing": (
        ((1,), whole("Hashing", 8, name="hash")),
        "the layer 'hash' computes AsString and StringToHashBucketFast, .*Hash or look words up outside",
    ),
    "Erf": (((4,), operation("erf")), r"keras\.ops\) computes Erf, .*gelu"),
    "FFT": (
        ((4,), lambda x: operation("fft")((x, x))[0]),
        "computes Complex and FFT, .*outside the model",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tflite_cannot_is_one_sentence_that_says_where(name: str, tmp_path: Path) -> None:
    import keras

    (shape, function), words = REFUSED[name]
    x = keras.layers.Input(shape, name="x")
    model = keras.Model([x], [function(x)])
    with pytest.raises(edgekit_converters.ConversionError, match=words) as refused:
        edgekit_converters.convert(
            model, {("onnx", "float32"): tmp_path / "m.onnx"}, scratch=tmp_path
        )
    assert not any(word in str(refused.value) for word in ("MLIR", "error:", "\n", "flex"))


def test_an_operator_in_a_loop_is_refused_in_the_same_words(tmp_path: Path) -> None:
    """The checker's words would advise another opset, and none has an operator of TFLite's."""
    import keras

    class Buckets(keras.layers.Layer):  # type: ignore[misc]
        state_size = output_size = 4

        def call(self, x: Any, states: Any) -> Any:
            found = keras.ops.digitize(x + states[0], [-0.5, 0.0, 0.5])
            y = keras.ops.tanh(keras.ops.cast(found, "float32"))
            return y, [y]

    x = keras.layers.Input((5, 4), name="x")
    model = keras.Model([x], [keras.layers.RNN(Buckets())(x)])
    with pytest.raises(edgekit_converters.ConversionError, match="computed by BUCKETIZE, which"):
        edgekit_converters.convert(
            model, {("onnx", "float32"): tmp_path / "m.onnx"}, scratch=tmp_path
        )
