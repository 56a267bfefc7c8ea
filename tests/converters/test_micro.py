"""Files for microcontrollers: LSTM layers as one operator in integers, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from support.models import train

from edgekit.workflows.demo import digits
from edgekit_converters import Conversion, convert, load_model
from edgekit_converters.targets.fused_lstm import fuse, with_resets
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import open_model

pytest.importorskip("tflite_micro")

slow = pytest.mark.slow
DEVICES = ("cpu", "micro")
IMAGES, LABELS = digits()
ROWS = IMAGES[..., 0]
WORDS = np.rint(ROWS.reshape(-1, 64) * 16).astype(np.int32)


def classifier(*hidden: Any, shape: tuple[int, ...] = (8, 8), dtype: str = "float32") -> Any:
    """Reads a digit row by row; of one LSTM or more."""
    given = keras.Input(shape, name="rows", dtype=dtype)
    return keras.Sequential([given, *hidden, layers.Dense(10, activation="softmax", name="digit")])


def autoencoder() -> Any:
    given = keras.Input((8, 8), name="rows")
    inner = layers.Dense(16, activation="relu")(layers.Flatten()(given))
    return keras.Model([given], [layers.Reshape((8, 8), name="again")(layers.Dense(64)(inner))])


def cnn() -> Any:
    hidden = [layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    return classifier(layers.Reshape((8, 8, 1)), *hidden)


def sequences(**options: Any) -> Any:
    return layers.LSTM(24, return_sequences=True, **options)


MODELS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: classifier(layers.LSTM(32)),
    "sequences": lambda: keras.Sequential(
        [keras.Input((8, 8), name="rows"), sequences(name="all")]
    ),
    "stacked": lambda: classifier(sequences(), layers.LSTM(32)),
    "bidirectional": lambda: classifier(layers.Bidirectional(sequences()), layers.LSTM(24)),
    "conv1d": lambda: classifier(layers.Conv1D(16, 3, activation="relu"), layers.LSTM(32)),
    "embedding": lambda: classifier(
        layers.Embedding(17, 8), layers.LSTM(48), shape=(64,), dtype="int32"
    ),
    "cnn": cnn,
    "autoencoder": autoencoder,
}


def made(model: Any, folder: Path, rows: Any = ROWS, **options: Any) -> Conversion:
    """Converts to TFLite and for microcontrollers, in this process, on 100 samples."""
    model.save(folder / "model.keras")
    samples = [{"rows": row} for row in rows[697:797]]
    names = {("tflite", "float32"): "float", ("tflite", "int8"): "int8", ("micro", "int8"): "micro"}
    targets: Any = {target: folder / f"{name}.tflite" for target, name in names.items()}
    built = load_model(str(folder / "model.keras"))
    return convert(built, targets, samples, scratch=folder, **options)


def sqnr_db(expected: Any, got: Any) -> float:
    noise = np.square(got - expected).sum()
    return float(10 * np.log10(np.square(expected).sum() / noise)) if noise else np.inf


def outputs(path: Path, rows: Any, device: str = "cpu") -> Any:
    with open_model(path, device=device) as session:
        return session.run(rows)


@pytest.mark.parametrize(
    "name",
    [n if n in ("bidirectional", "embedding") else pytest.param(n, marks=slow) for n in MODELS],
)
def test_a_model_is_as_exact_in_both_runtimes(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model, rows = MODELS[name](), WORDS if name == "embedding" else ROWS
    if model.layers[-1].name == "digit":
        train(model, rows[:697], LABELS[:697], epochs=3)
    conversion = made(model, tmp_path, rows)
    assert not conversion.failed
    unseen = rows[797:997]
    expected = np.asarray(model.predict(unseen, verbose=0))
    found = {d: sqnr_db(expected, outputs(tmp_path / "micro.tflite", unseen, d)) for d in DEVICES}
    loop = sqnr_db(expected, outputs(tmp_path / "int8.tflite", unseen))
    assert min(found.values()) > max(30, loop - 2), (found, loop)
    assert abs(found["cpu"] - found["micro"]) < 1.5, found
    with open_model(tmp_path / "micro.tflite", device="cpu") as session:
        assert {spec.dtype for spec in session.inputs} <= {"int8", "int32"}
        assert [spec.dtype for spec in session.outputs] == ["int8"]
    kinds = kinds_of(tmp_path / "micro.tflite")
    assert not kinds & {"WHILE", "SELECT", "SELECT_V2", "DEQUANTIZE"}
    assert ("UNIDIRECTIONAL_SEQUENCE_LSTM" in kinds) is (name not in ("cnn", "autoencoder"))

    fuse(tmp_path / "graph.tflite", tmp_path / "fused.tflite")
    graph = flatbuffer.read(tmp_path / "fused.tflite")
    with_resets(graph)
    flatbuffer.write(graph, tmp_path / "reset.tflite")
    assert sqnr_db(expected, outputs(tmp_path / "reset.tflite", unseen)) > 120


def kinds_of(path: Path) -> set[str]:
    model = flatbuffer.read(path)
    return {flatbuffer.kind_name(model, op) for g in model.subgraphs for op in g.operators}


def bare_litert(path: Path) -> Callable[[Any], Any]:
    """LiteRT as an application has it, which knows nothing of states."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()

    def call(row: Any) -> Any:
        interpreter.set_tensor(given["index"], row)
        interpreter.invoke()
        return interpreter.get_tensor(out["index"])

    return call


def bare_micro(path: Path) -> Callable[[Any], Any]:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(path), arena_size=1 << 20)

    def call(row: Any) -> Any:
        interpreter.set_input(row, 0)
        interpreter.invoke()
        return np.array(interpreter.get_output(0))

    return call


@pytest.mark.parametrize("runtime", [bare_litert, bare_micro])
def test_the_state_starts_from_zero_in_each_call(
    runtime: Callable[[Path], Callable[[Any], Any]], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    made(classifier(sequences(), layers.LSTM(16)), tmp_path)
    first, second = (np.full((1, 8, 8), value, np.int8) for value in (100, -90))
    call = runtime(tmp_path / "micro.tflite")
    before = call(first)
    assert not np.array_equal(call(second), before)
    assert np.array_equal(call(first), before)
    assert np.array_equal(call(first), before)

    fuse(tmp_path / "graph.tflite", tmp_path / "fused.tflite")  # whose state is not reset
    forgetful = runtime(tmp_path / "fused.tflite")
    one, other = first.astype(np.float32), second.astype(np.float32)
    before = forgetful(one)
    forgetful(other)
    assert not np.array_equal(forgetful(one), before)


def functional(make: Callable[[Any], Any]) -> Any:
    given = keras.Input((8, 8), name="rows")
    return keras.Model([given], [layers.Dense(4, name="y")(make(given))])


def cell_state(x: Any) -> Any:
    return layers.LSTM(4, return_state=True, name="layer")(x)[2]


def second_begins_with_the_first(x: Any) -> Any:
    _, *state = layers.LSTM(4, return_state=True, name="first")(x)
    return layers.LSTM(4, name="layer")(x, initial_state=state)


def masked(x: Any) -> Any:
    return layers.LSTM(4, name="layer")(layers.Masking()(x))


def loud(x: Any) -> Any:
    """Sums over the inputs that a state's sums, of the other sign, are to take back."""
    constant = keras.initializers.Constant
    weights = {"kernel_initializer": constant(12.0), "recurrent_initializer": constant(-40.0)}
    return layers.LSTM(4, name="layer", **weights)(x)


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: layers.GRU(4, name="layer")(x), r"'layer' is a GRU\. Build it with unroll=True"),
    (masked, r"'layer' gets a mask\..*unroll=True"),
    (cell_state, r"'layer' has its cell state read\..*unroll=True"),
    (loud, r"the gates of 'layer' saturate on the calibration samples.*unroll=True"),
]
SELDOM_REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: layers.SimpleRNN(4, name="layer")(x), r"'layer' is a SimpleRNN\..*unroll=True"),
    (
        lambda x: layers.LSTM(4, activation="relu", name="layer")(x),
        r"'layer' has the activation Relu\..*unroll=True",
    ),
    (second_begins_with_the_first, r"'layer' starts from a state that is not zero\..*unroll=True"),
    (
        lambda x: layers.ConvLSTM1D(2, 3, name="layer")(layers.Reshape((4, 8, 2))(x))[:, :, 0],
        r"the loop of 'layer' is no LSTM\..*unroll=True",
    ),
]


@pytest.mark.parametrize(
    ("make", "reason"), [*REFUSED, *(pytest.param(*r, marks=slow) for r in SELDOM_REFUSED)]
)
def test_what_cannot_be_the_operator_is_refused_by_name(
    make: Callable[[Any], Any], reason: str, tmp_path: Path
) -> None:
    conversion = made(functional(make), tmp_path)
    assert set(conversion.failed) == {"micro"}
    assert re.search(reason, conversion.failed["micro"]), conversion.failed["micro"]
    assert not (tmp_path / "micro.tflite").exists()
    assert (tmp_path / "int8.tflite").stat().st_size > 0


def test_unrolled_layers_are_not_refused(tmp_path: Path) -> None:
    model = functional(lambda x: layers.GRU(4, unroll=True, name="layer")(x))
    assert not made(model, tmp_path).failed
    rows = ROWS[797:817]
    expected = outputs(tmp_path / "float.tflite", rows)
    assert sqnr_db(expected, outputs(tmp_path / "micro.tflite", rows, "micro")) > 20


def test_indices_are_integers(tmp_path: Path) -> None:
    words = classifier(layers.Embedding(17, 4), layers.LSTM(4), shape=(64,))  # of float32
    reason = made(words, tmp_path, WORDS.astype(np.float32)).failed["micro"]
    assert "the input 'rows' is float32" in reason
    assert "Input(dtype='int32')" in reason


def test_the_batch_is_1(tmp_path: Path) -> None:
    conversion = made(classifier(layers.LSTM(4)), tmp_path, batch=4)
    assert "the batch is 4. Convert with batch=1" in conversion.failed["micro"]
