"""Logarithms in int8: what they are taken of stays in float, where 0 would have none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recipes import outputs_of, sqnr

from edgekit_converters import convert, load_model


def spectrogram() -> tuple[Any, Any]:
    """A classifier of tones by Keras's own layer, and tones of very different loudness."""
    import keras
    from keras import layers

    x = keras.Input((400, 1), name="x")
    bands = layers.STFTSpectrogram(mode="log", frame_length=64, frame_step=32, fft_length=64)(x)
    y = layers.Dense(4, name="y")(layers.GlobalAveragePooling1D()(bands))
    random, time = np.random.default_rng(0), np.arange(400) / 400
    tones = np.sin(2 * np.pi * time * random.uniform(5, 100, (80, 1)))
    noise = random.normal(0, 0.01, (80, 400))
    return keras.Model(x, y), (tones * random.uniform(0.1, 1, (80, 1)) + noise)[..., np.newaxis]


def log_of_softmax() -> tuple[Any, Any]:
    """Of a trained layer with a bias, as losses are computed; sure answers, so that most values are near 0."""
    import keras
    from keras import layers

    x = keras.Input((8,), name="x")
    bias = keras.initializers.RandomNormal(stddev=1)
    hidden = layers.Dense(32, activation="relu", bias_initializer=bias)(x)
    logits = layers.Dense(5, kernel_initializer="random_normal", bias_initializer=bias)(hidden)
    odds = keras.ops.maximum(keras.ops.softmax(4 * logits), 1e-7)
    return keras.Model(x, keras.ops.log(odds)), np.random.default_rng(0).normal(size=(80, 8))


@pytest.mark.parametrize(("make", "before"), [(spectrogram, 16), (log_of_softmax, 2)])
def test_int8_keeps_what_a_logarithm_is_taken_of(
    make: Callable[[], tuple[Any, Any]], before: int, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model, data = make()
    rows = data.astype(np.float32)
    model.save(tmp_path / "model.keras")
    files: Any = {(form, "int8"): tmp_path / f"int8.{form}" for form in ("tflite", "onnx")}
    samples = [{"x": row} for row in rows]
    made = convert(load_model(str(tmp_path / "model.keras")), files, samples[:60], scratch=tmp_path)
    exact = np.asarray(model(rows[60:]))
    for file in files.values():
        assert sqnr(exact, outputs_of(file, samples[60:])) > 25
    assert any(note.startswith(f"{before} operators before LOG stay") for note in made.notes), (
        made.notes
    )
