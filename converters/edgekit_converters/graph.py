"""The float graph: a Keras model as float TFLite, from which every other file is made.

The batch is fixed, batch norms are folded, the weights are constants, and the inputs and outputs
carry the names that the Keras model gave them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit_converters import flatbuffer
from edgekit_converters.base import ConversionError


def write_float_graph(
    model: Any, target: Path, *, batch: int = 1, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """Writes ``model`` as float32 TFLite.

    Args:
        model: a Keras model, as ``load_model`` returns it.
        target: the file to write.
        batch: the fixed size of the batch axis. A free one makes recurrent layers unconvertible.
        shapes: the shape of one sample, by input name, for inputs whose size Keras leaves open.

    Raises:
        ConversionError: an axis is left open, or TensorFlow cannot convert the model.
    """
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2_as_graph,
    )

    tensors = model.inputs
    specs = [
        tf.TensorSpec((batch, *_closed(t, shapes or {})), t.dtype, name=f"input_{i}")
        for i, t in enumerate(tensors)
    ]
    function = tf.function(
        lambda *arrays: [
            tf.identity(y) for y in keras.tree.flatten(model(list(arrays), training=False))
        ],
        input_signature=specs,
        autograph=False,
    )
    try:
        concrete = function.get_concrete_function()
        # Without this the file holds no weights: the converter does not capture the variables of
        # Keras 3 from a function ("READ_VARIABLE failed" at the first run).
        frozen, _ = convert_variables_to_constants_v2_as_graph(concrete)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        content = converter.convert()
    except Exception as error:  # the converter raises anything, MLIR diagnostics included
        raise ConversionError(
            f"TensorFlow cannot convert this model: {_first_cause(error)}"
        ) from error
    target.write_bytes(content)
    del content, frozen, concrete, converter
    written = flatbuffer.read(target)
    flatbuffer.rename_ends(written, [t.name for t in tensors], model.output_names)
    flatbuffer.write(written, target)


def _closed(tensor: Any, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    own = tuple(tensor.shape)[1:]
    given = shapes.get(tensor.name, own)
    if len(given) != len(own) or None in given:
        raise ConversionError(
            f"input {tensor.name!r} has an open size {own} and no sample closes it. Give --data, or "
            "build the model with fixed sizes."
        )
    return given


def _first_cause(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line]
    return (telling or lines or [type(error).__name__])[0]
