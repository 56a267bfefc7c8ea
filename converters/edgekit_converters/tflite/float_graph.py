"""The float graph: a Keras model as float TFLite, from which every other file is made.

The batch is fixed, batch norms are folded, the weights are constants, and the inputs and outputs
carry the names that the Keras model gave them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.layer_names import name_layers, watched_scopes
from edgekit_converters.tflite.missing_operators import has_other_form, with_known_operators
from edgekit_converters.tflite.refusals import refusal

_FROZEN_BELOW = 150_000_000
"""Bytes of weights below which a function is frozen: three to four times as fast as by a SavedModel
(MobileNetV2: 2 s, not 9). Above it the SavedModel wins, since its weights stay in a file that the
converter reads as it folds them in (VGG16: 28 s and 4.2 GB, not 128 s and 13.8 GB). A model with
operators that TFLite lacks is frozen whatever its size: only there can they be written as others."""

MOST_BYTES = 2_000_000_000
"""The most bytes of weights in a TFLite file: its offsets reach 2 GiB, and the graph takes a little."""

_OUTSIDE_FROM = 1_000_000  # bytes of a weight that is worth leaving out of the graph


def weight_bytes(model: Any) -> int:
    """Return the bytes that a Keras model's weights take in float32."""
    return sum(_bytes(v) for v in model.variables)


def is_too_large(model: Any) -> bool:
    """Return whether a Keras model's weights exceed what a TFLite file holds."""
    return weight_bytes(model) > MOST_BYTES


def _bytes(variable: Any) -> int:
    return 4 * int(np.prod(variable.shape))


def write_float_graph(
    model: Any, target: Path, *, batch: int = 1, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, Array]:
    """Write ``model`` as float32 TFLite.

    Args:
        model: a Keras model, as ``load_model`` returns it.
        target: the file to write.
        batch: the fixed size of the batch axis. A dynamic one makes recurrent layers unconvertible.
        shapes: the shape of one sample, by input name, for inputs with dynamic dimensions.

    Returns:
        The weights that the file does not hold but takes as inputs, by their names there: none, but
        for a model above ``MOST_BYTES``.

    Raises:
        ConversionError: a dimension stays dynamic, or TensorFlow cannot convert the model.
    """
    import keras
    import tensorflow as tf

    weights = weight_bytes(model)
    outside = (
        [v for v in model.variables if _bytes(v) >= _OUTSIDE_FROM] if is_too_large(model) else []
    )
    specs = [
        tf.TensorSpec(
            (batch, *_sample_shape(tensor, shapes or {})), tensor.dtype, name=_port("input", i)
        )
        for i, tensor in enumerate(model.inputs)
    ]
    specs += [
        tf.TensorSpec(v.shape, v.dtype, name=_port("weight", i)) for i, v in enumerate(outside)
    ]

    layers: dict[str, str] = {}
    kinds: dict[str, str] = {}

    def serve(*arrays: Any) -> dict[str, Any]:
        count = len(model.inputs)
        outer = keras.StatelessScope(state_mapping=list(zip(outside, arrays[count:], strict=True)))
        with outer, watched_scopes(model) as scopes:
            outputs = keras.tree.flatten(model(list(arrays[:count]), training=False))
        layers.update(scopes)
        kinds.update((op.name, op.type) for op in outputs[0].graph.get_operations())
        return {_port("output", i): tf.identity(y) for i, y in enumerate(outputs)}

    saved = target.with_suffix(".saved_model")
    try:
        function = tf.function(serve, input_signature=specs, autograph=False)
        function.get_concrete_function()  # fills ``kinds``
        if weights < _FROZEN_BELOW or outside or has_other_form(kinds.values()):
            converter = _frozen(function)
        else:
            archive = keras.export.ExportArchive()
            archive.track(model)
            archive.add_endpoint("serve", function)
            archive.write_out(str(saved), verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(
                str(saved), signature_keys=["serve"]
            )
        # A product of two computed tensors would lose the ReLU behind it in TFLite's BATCH_MATMUL.
        converter.unfold_batchmatmul = bool(outside)
        target.write_bytes(converter.convert())
    except Exception as error:  # the converter raises anything, MLIR diagnostics included
        raise ConversionError(refusal(error, kinds, layers)) from error
    finally:
        shutil.rmtree(saved, ignore_errors=True)
    written = flatbuffer.read(target)
    flatbuffer.order_ends(written)
    flatbuffer.separate_ends(written)
    name_layers(written, layers)
    flatbuffer.name_loops(written)
    inputs = [t.name for t in model.inputs] + [v.path for v in outside]
    flatbuffer.rename_ends(written, inputs, model.output_names)
    flatbuffer.write(written, target)
    return {v.path: np.asarray(v) for v in outside}


def _frozen(function: Any) -> Any:
    """Return a TFLite converter of a function, with its variables made constants.

    The converter does not capture the variables of Keras 3 by itself: its file then holds no
    weights ("READ_VARIABLE failed" at the first run).
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2_as_graph,
    )

    frozen, graph = convert_variables_to_constants_v2_as_graph(function.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([with_known_operators(frozen, graph)])


def _port(kind: str, number: int) -> str:
    """Return a name that sorts by its number: TensorFlow sorts a function's ends by name."""
    return f"{kind}_{number:04}"


def _sample_shape(tensor: Any, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    declared = tuple(tensor.shape)[1:]
    shape = shapes.get(tensor.name, declared)
    if len(shape) != len(declared) or None in shape:
        raise ConversionError(
            f"input {tensor.name!r} has dynamic dimensions: {declared}. Pass samples, whose shape fixes "
            "them, or build the model with fixed dimensions."
        )
    return shape
