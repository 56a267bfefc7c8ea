"""Recurrent layers in int8: the loop is unrolled, so that calibration sees every step."""

from pathlib import Path
from typing import Any

from edgekit_converters import flatbuffer
from edgekit_converters.base import ConversionError


def has_loop(graph: Path) -> bool:
    """Whether a TFLite file runs a WHILE, as recurrent layers become."""
    model = flatbuffer.read(graph)
    return any(
        flatbuffer.opcode(model, operator) == flatbuffer.WHILE
        for operator in model.subgraphs[0].operators
    )


def unrolled(model: Any) -> Any:
    """The same Keras model, with the steps of its recurrent layers written out one by one.

    Raises:
        ConversionError: the number of steps is open, or the model is not made of layers.
    """
    import keras

    def remake(layer: Any) -> Any:
        return type(layer).from_config(_set_unroll(layer.get_config()))

    try:
        copy = keras.models.clone_model(model, clone_function=remake)
        copy.set_weights(model.get_weights())
    except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
        raise ConversionError(
            "int8 needs the recurrent layers unrolled, and Keras cannot do that here: "
            f"{str(error).splitlines()[0]} Fix the number of time steps, or choose "
            "--precision float32,dynamic."
        ) from error
    return copy


def _set_unroll(config: Any) -> Any:
    if isinstance(config, dict):
        return {k: True if k == "unroll" else _set_unroll(v) for k, v in config.items()}
    if isinstance(config, list):
        return [_set_unroll(v) for v in config]
    return config
