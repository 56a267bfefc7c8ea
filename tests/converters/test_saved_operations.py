"""SavedModels and layers that reach outside the model: refused without trust, by the operation's name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit_converters import ConversionError, load_model


def length(text: Any) -> Any:
    import tensorflow as tf

    return tf.cast(tf.strings.length(text), tf.float32)


def reads(folder: Path) -> Any:
    import tensorflow as tf

    return length(tf.io.read_file(str(folder / "secret")))


def writes(folder: Path) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([tf.io.write_file(str(folder / "written"), "x")]):
        return tf.constant(0.0)


def lists(folder: Path) -> Any:
    import tensorflow as tf

    return length(tf.io.matching_files(str(folder / "*")))[0]


def runs_python(folder: Path) -> Any:
    import tensorflow as tf

    return tf.py_function(lambda: np.float32(1), [], tf.float32)


def restores(folder: Path) -> Any:
    import tensorflow as tf

    (value,) = tf.raw_ops.RestoreV2(
        prefix=str(folder / "elsewhere"),
        tensor_names=["x"],
        shape_and_slices=[""],
        dtypes=[tf.float32],
    )
    return tf.reshape(value, [])


def prints(folder: Path) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([tf.print("x", output_stream=f"file://{folder / 'written'}")]):
        return tf.constant(0.0)


def branches(folder: Path) -> Any:
    import tensorflow as tf

    return tf.cond(tf.random.uniform([]) > 2, lambda: reads(folder), lambda: tf.constant(0.0))


def save(folder: Path, reaches: Callable[[Path], Any], *, at_loading: bool = False) -> Path:
    """A SavedModel with a variable, that calls ``reaches`` when it is called or loaded."""
    import tensorflow as tf
    from tensorflow.python.trackable.resource import TrackableResource

    (folder / "secret").write_text("secret")

    class Table(TrackableResource):  # type: ignore[misc]
        def _create_resource(self) -> Any:
            reaches(folder)
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(2.0)
            if at_loading:
                self.table = Table()

        @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32, "x")])  # type: ignore[untyped-decorator]
        def serve(self, x: Any) -> Any:
            more = 0.0 if at_loading else 0.0 * reaches(folder)
            return {"y": self.weight * x + more}

    model = Model()
    tf.saved_model.save(model, str(folder / "saved"), signatures=model.serve)
    (folder / "written").unlink(missing_ok=True)
    return folder / "saved"


@pytest.mark.parametrize(
    ("reaches", "operation"),
    [
        (reads, "ReadFile"),
        (writes, "WriteFile"),
        (lists, "MatchingFiles"),
        (runs_python, "EagerPyFunc"),
        (restores, "RestoreV2"),
        (prints, "PrintV2"),
        (branches, "ReadFile"),
    ],
)
def test_an_operation_that_reaches_outside_is_refused_by_name(
    reaches: Callable[[Path], Any], operation: str, tmp_path: Path
) -> None:
    folder = save(tmp_path, reaches)
    with pytest.raises(ConversionError, match=rf"saved: .* operation {operation}, .*trust=True"):
        load_model(str(folder))
    assert not (tmp_path / "written").exists()


def test_so_is_one_that_runs_while_the_model_is_loaded(tmp_path: Path) -> None:
    folder = save(tmp_path, writes, at_loading=True)
    with pytest.raises(ConversionError, match="WriteFile"):
        load_model(str(folder))
    assert not (tmp_path / "written").exists()


def test_trust_takes_it(tmp_path: Path) -> None:
    model = load_model(str(save(tmp_path, reads)), trust=True)
    assert model.predict([np.ones((1, 4), np.float32)], verbose=0).tolist() == [[2.0] * 4]


def test_a_layer_is_called_what_it_is(tmp_path: Path) -> None:
    import keras

    layer = keras.layers.TFSMLayer(str(save(tmp_path, lambda folder: 0.0)), call_endpoint="serve")
    x = keras.Input((4,), batch_size=1)
    keras.Model(x, layer(x)).save(tmp_path / "outside.keras")
    with pytest.raises(ConversionError, match=r"TFSMLayer loads a SavedModel.*trust=True") as told:
        load_model(str(tmp_path / "outside.keras"))
    assert "Lambda" not in str(told.value)

    (tmp_path / "words.txt").write_text("a\nb\n")
    lookup = keras.layers.StringLookup(vocabulary=str(tmp_path / "words.txt"))
    words = keras.Input((1,), dtype="string")
    model = keras.Model(words, lookup(words))
    model.save(tmp_path / "words.keras")
    with pytest.raises(ConversionError) as told:
        load_model(str(tmp_path / "words.keras"))
    assert "Lambda" not in str(told.value)
