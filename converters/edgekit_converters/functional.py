"""A Keras model of any kind as a functional model in float32, on flat lists of inputs and outputs."""

from typing import Any

from edgekit_converters.base import ConversionError

_SUPPORTED = {"float32", "float64", "int32", "int64", "int8", "uint8", "bool", "string"}


def as_functional(model: Any, source: str) -> Any:
    """Return a model with the same weights, called with a list of arrays in the order of its inputs.

    Args:
        model: a Keras model: functional, sequential, or subclassed and built.
        source: its name in error messages.

    Raises:
        ConversionError: it has no fixed inputs, takes text, or has channels first.
    """
    functional = _flat(_in_float32(model), source)
    _refuse_text_and_channels_first(functional, source)
    return functional


def _refuse_text_and_channels_first(model: Any, source: str) -> None:
    texts = [t.name for t in model.inputs if t.dtype == "string"]
    if texts:
        raise ConversionError(
            f"{source}: the input {', '.join(texts)} takes text, and TFLite and ONNX files take numbers. "
            "Look words up outside (keras.layers.StringLookup or TextVectorization, called by "
            "itself), and convert the model that takes their numbers."
        )
    first = [
        layer.name
        for layer in model._flatten_layers()
        if getattr(layer, "data_format", None) == "channels_first"
    ]
    if first:
        raise ConversionError(
            f"{source}: {', '.join(first[:3])}: channels_first data runs neither in TFLite nor, on a "
            "CPU, in TensorFlow. Build the model with data_format='channels_last'; the "
            "weights of its convolutions fit as they are."
        )


def _in_float32(model: Any) -> Any:
    """The same model, computing in float32 where a mixed policy computed in 16 bits.

    TFLite has no 16-bit float operators; the weights of a mixed policy are float32 anyway.
    """
    import keras

    if all(str(layer.compute_dtype) in _SUPPORTED for layer in model._flatten_layers()):
        return model

    def remake(layer: Any) -> Any:
        return type(layer).from_config(_plain_policy(layer.get_config()))

    plain = keras.models.clone_model(model, clone_function=remake)
    plain.set_weights(model.get_weights())
    return plain


def _plain_policy(config: Any) -> Any:
    if isinstance(config, dict):
        return {k: _plain_policy(v) for k, v in config.items()}
    if isinstance(config, list):
        return [_plain_policy(v) for v in config]
    return "float32" if config in ("mixed_float16", "mixed_bfloat16", "float16") else config


def _flat(model: Any, source: str) -> Any:
    """The same model, with flat inputs and outputs of distinct names."""
    import keras

    inputs = getattr(model, "inputs", None)
    if inputs:
        inputs, outputs = list(inputs), keras.tree.flatten(model.outputs)
        names = [str(n) for n in getattr(model, "output_names", None) or [model.layers[-1].name]]
    else:  # a subclassed model knows only the shapes that it was built with
        inputs = [
            keras.Input(shape[1:], batch_size=shape[0], name=f"input_{i}" if i else "input")
            for i, shape in enumerate(_built_shapes(model, source))
        ]
        outputs = keras.tree.flatten(model(inputs if len(inputs) > 1 else inputs[0]))
        names = ["output"]
    if len(names) != len(outputs) or len(set(names)) != len(names):
        names = [f"output_{i}" for i in range(len(outputs))]
    distinct = keras.Model(inputs, outputs)
    if distinct.output_names != names:
        outputs = [keras.layers.Identity(name=n)(y) for n, y in zip(names, outputs, strict=True)]
        distinct = keras.Model(inputs, outputs)
    return distinct


def _built_shapes(model: Any, source: str) -> list[tuple[int | None, ...]]:
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if shape is None:
        raise ConversionError(
            f"{source}: the model has no fixed inputs yet. Call it once on a "
            "batch before saving it, or build it with keras.Input."
        )
    return [tuple(s) for s in shape] if isinstance(shape[0], (list, tuple)) else [tuple(shape)]
