"""The float graph: a Keras model as float TFLite, from which every other file is made.

The batch is fixed, batch norms are folded, the weights are constants, and the inputs and outputs
carry the names that the Keras model gave them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters import flatbuffer
from edgekit_converters.base import ConversionError

_FROZEN_BELOW = 150_000_000
"""Bytes of weights up to which a function is frozen, which takes a third of the time of the way by a
SavedModel (MobileNetV2: 2 s, not 9). Above it the SavedModel wins, since its weights stay in a file
that the converter reads as it folds them in (VGG16: 28 s and 4.2 GB, not 128 s and 13.8 GB)."""


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

    specs = [
        tf.TensorSpec((batch, *_closed(tensor, shapes or {})), tensor.dtype, name=_port("input", i))
        for i, tensor in enumerate(model.inputs)
    ]

    def serve(*arrays: Any) -> dict[str, Any]:
        outputs = keras.tree.flatten(model(list(arrays), training=False))
        return {_port("output", i): tf.identity(y) for i, y in enumerate(outputs)}

    weights = sum(int(np.prod(v.shape)) * 4 for v in model.variables)
    saved = target.with_suffix(".saved_model")
    try:
        if weights < _FROZEN_BELOW:
            converter = _frozen(tf.function(serve, input_signature=specs, autograph=False))
        else:
            archive = keras.export.ExportArchive()
            archive.track(model)
            archive.add_endpoint("serve", serve, input_signature=specs)
            archive.write_out(str(saved), verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(
                str(saved), signature_keys=["serve"]
            )
        target.write_bytes(converter.convert())
    except Exception as error:  # the converter raises anything, MLIR diagnostics included
        raise ConversionError(
            f"TensorFlow cannot convert this model: {_first_cause(error)}"
        ) from error
    finally:
        shutil.rmtree(saved, ignore_errors=True)
    written = flatbuffer.read(target)
    flatbuffer.order_ends(written)
    flatbuffer.name_loops(written)
    flatbuffer.rename_ends(written, [t.name for t in model.inputs], model.output_names)
    flatbuffer.write(written, target)


def _frozen(function: Any) -> Any:
    """A TFLite converter of a function, its variables made constants.

    The converter does not capture the variables of Keras 3 by itself: its file then holds no
    weights ("READ_VARIABLE failed" at the first run).
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2_as_graph,
    )

    frozen, _ = convert_variables_to_constants_v2_as_graph(function.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen])


def _port(kind: str, number: int) -> str:
    """A name whose alphabetical order, which TensorFlow sorts by, is the order of the numbers."""
    return f"{kind}_{number:04}"


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
