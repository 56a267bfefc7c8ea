"""A Keras model of any kind as a functional model in float32, on flat lists of inputs and outputs."""

import re
from collections.abc import Sequence
from typing import Any

from edgekit_converters.base import ConversionError

_OF_16_BITS = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
_SUPPORTED = {"float32", "float64", "int32", "int64", "int8", "uint8", "bool", "string"}


def as_functional(model: Any, source: str) -> Any:
    """Return a model with the same weights, called with a list of arrays in the order of its inputs.

    Outputs that the model returns in a dict are named by its keys, others by the layers that make them.

    Args:
        model: a Keras model: functional, sequential, or subclassed and built.
        source: its name in error messages.

    Raises:
        ConversionError: it has no fixed inputs, takes text, has channels first or keeps a state from call
            to call; or the keys of its outputs are no distinct names.
    """
    _refuse_state(model, source)
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


def _refuse_state(model: Any, source: str) -> None:
    """Refuse ``stateful=True``: a file's calls would each begin from zeros, without a word."""
    stateful = [
        layer.name for layer in model._flatten_layers() if getattr(layer, "stateful", False) is True
    ]
    if stateful:
        raise ConversionError(
            f"{source}: {', '.join(stateful[:3])}: stateful=True keeps the state from one call to the "
            "next, and a TFLite or ONNX file keeps nothing. Build the same model with stateful=False, "
            "give it the weights (new.set_weights(old.get_weights())), and where a call must go on from "
            "the one before make the state an output (return_state=True) and an input "
            "(layer(x, initial_state=[keras.Input((units,)), ...]))."
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
    return "float32" if config in _OF_16_BITS else config


def _flat(model: Any, source: str) -> Any:
    """The same model, with flat inputs and outputs of distinct names."""
    import keras

    inputs = getattr(model, "inputs", None)
    if inputs:
        inputs, structure = list(inputs), getattr(model, "_outputs_struct", model.outputs)
        names = [str(n) for n in getattr(model, "output_names", None) or [model.layers[-1].name]]
    else:  # a subclassed model knows only the shapes that it was built with
        inputs, structure = _called_again(model, source)
        names = ["output"]
    outputs = keras.tree.flatten(structure)
    distinct = keras.Model(inputs, outputs)
    paths = [path for path, _ in keras.tree.flatten_with_path(structure)]
    if any(isinstance(key, str) for path in paths for key in path):
        # Not as names of layers: those inside may have them already.
        distinct.output_names = _names_by_key(paths, [t.name for t in inputs], source)
        return distinct
    if len(names) != len(outputs) or len(set(names)) != len(names):
        names = [f"output_{i}" for i in range(len(outputs))]
    if distinct.output_names != names:
        outputs = [keras.layers.Identity(name=n)(y) for n, y in zip(names, outputs, strict=True)]
        distinct = keras.Model(inputs, outputs)
    return distinct


def _names_by_key(
    paths: Sequence[tuple[str | int, ...]], inputs: Sequence[str], source: str
) -> list[str]:
    """Name outputs by their keys in a dict, as ``edgekit_runtimes`` names those of a ``.keras`` file.

    Args:
        paths: the keys and indices that lead to each output.
        inputs: the names of the inputs.
        source: the model's name in error messages.

    Raises:
        ConversionError: two outputs would have one name, or an output that of an input.
    """
    names = [_joined(path) for path in paths]
    whole = [_joined(("output", *path)) for path in paths]
    if len(set(names)) < len(names) == len(set(whole)):  # [{"age": ...}, {"age": ...}]
        names = whole
    remedy = (
        "Give it other keys: keras.Model(model.inputs, {'another_key': model.output[...], ...})."
    )
    for name, path in zip(names, paths, strict=True):
        where = "".join(f"[{key!r}]" for key in path)
        if not any(c.isalnum() for c in name):
            raise ConversionError(f"{source}: output{where} has no name: {name!r}. {remedy}")
        if names.count(name) > 1:
            raise ConversionError(
                f"{source}: two outputs would be called {name!r}, one of them output{where}. {remedy}"
            )
        if name in inputs:
            raise ConversionError(
                f"{source}: output{where} would have the name of the input {name!r}, and the tensors "
                f"of a file have one name each. {remedy}"
            )
    return names


def _joined(path: Sequence[str | int]) -> str:
    """Return the name for a path, from its first key on: ``boxes_0`` for ``["boxes"][0]``.

    A character that could not be in the name of a file, an option or a variable becomes ``_``.
    """
    first = next((at for at, key in enumerate(path) if isinstance(key, str)), None)
    keys = ("output", *path) if first is None else path[first:]
    return re.sub(r"[^\w.-]", "_", "_".join(map(str, keys)))


def _called_again(model: Any, source: str) -> tuple[list[Any], Any]:
    """Call a subclassed model as it was called when it was built, on symbolic inputs.

    Returns:
        The inputs, called by their keys or by the parameters of ``call``, and the outputs as ``call``
        structures them.
    """
    import keras

    config = (model.get_build_config() or {}) if model.built else {}
    if not config:
        raise ConversionError(
            f"{source}: the model has no fixed inputs yet, because it was never called. Before you save "
            "or return it, type model(x) with one batch of your inputs, as "
            "model(np.zeros((1, 28, 28, 1), 'float32')); or give it inputs: "
            "x = keras.Input((28, 28, 1)); model = keras.Model(x, model(x))."
        )

    def is_shape(value: Any) -> bool:
        return isinstance(value, (list, tuple)) and all(
            n is None or isinstance(n, int) for n in value
        )

    def fresh(shape: Sequence[int | None], name: str) -> Any:
        return keras.Input(tuple(shape[1:]), batch_size=shape[0], name=name)

    def structured(value: Any, name: str) -> Any:
        if is_shape(value):
            return fresh(value, name)
        if isinstance(value, dict):
            return {key: structured(one, str(key)) for key, one in value.items()}
        return [structured(one, f"{name}_{i}" if i else name) for i, one in enumerate(value)]

    if "shapes_dict" in config:  # several parameters, each recorded as x_shape
        arguments = {
            key.removesuffix("_shape"): structured(value, key.removesuffix("_shape"))
            for key, value in config["shapes_dict"].items()
        }
        return keras.tree.flatten(arguments), model(**arguments)
    given = structured(config["input_shape"], "input")
    try:
        return keras.tree.flatten(given), model(given)
    except TypeError as error:  # Keras records the shape of the first argument alone
        raise ConversionError(
            f"{source}: its call takes more than one argument ({error}), and Keras keeps the shape of the "
            "first alone. Give it inputs: p, q = keras.Input((4,)), keras.Input((3,)); "
            "model = keras.Model([p, q], model(p, q))."
        ) from error
