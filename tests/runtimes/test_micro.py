"""TensorFlow Lite Micro: what it lacks, the memory that it takes, and loops that it never leaves."""

import time
from pathlib import Path

import keras
import numpy as np
import pytest
from support.zoo import embedding_lstm

from edgekit_converters import load_model
from edgekit_converters.tflite.float_graph import write_float_graph
from edgekit_runtimes import ModelError, open_model
from edgekit_runtimes.engines.micro import open_micro
from edgekit_runtimes.engines.micro_arena import arena_bytes

pytest.importorskip("tflite_micro")


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LSTM that returns sequences, as a loop: TensorFlow Lite Micro never leaves it."""
    x = keras.Input((8, 8), name="x")
    model = keras.Model([x], keras.layers.LSTM(64, return_sequences=True)(x))
    path = tmp_path_factory.mktemp("micro") / "sequences.tflite"
    write_float_graph(model, path)
    return path


def test_a_call_that_never_returns_is_ended_with_advice(sequences: Path) -> None:
    engine = open_micro(sequences, seconds=1)
    start = time.monotonic()
    with pytest.raises(
        ModelError, match=r"sequences\.tflite: .* 1 seconds.*to='micro'.*unroll=True"
    ):
        engine.call([np.ones((1, 8, 8), np.float32)])
    assert time.monotonic() - start < 30
    assert engine.close
    engine.close()


def test_the_arena_of_a_file_that_never_returns_is_not_waited_for(sequences: Path) -> None:
    with pytest.raises(ModelError, match=r"one call was not done after 0\.5 seconds.*unroll=True"):
        arena_bytes(sequences, seconds=0.5)


def test_the_arena_is_the_smallest_that_works(converted: Path) -> None:
    from tflite_micro import runtime

    path = converted / "model_int8.tflite"
    smallest = arena_bytes(path)
    runtime.Interpreter.from_file(str(path), arena_size=smallest).invoke()
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_file(str(path), arena_size=smallest - 64).invoke()


def test_operators_without_a_kernel_are_named(tmp_path: Path) -> None:
    embedding_lstm(20, 4, 4, 6).save(tmp_path / "words.keras")
    model = load_model(str(tmp_path / "words.keras"))
    write_float_graph(model, tmp_path / "words.tflite")
    said = r"words\.tflite: .*no kernel for SELECT; it has those of .*GATHER.*WHILE"
    with pytest.raises(ModelError, match=said):
        open_model(tmp_path / "words.tflite", device="micro")
    with pytest.raises(ModelError, match=said):
        arena_bytes(tmp_path / "words.tflite")
