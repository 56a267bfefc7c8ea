"""What a user calls "my model" becomes a Keras model.

Accepted: ``.keras``; ``.h5`` and ``.hdf5`` of Keras 3 and Keras 2; a SavedModel folder; and
``module:function`` for a function without arguments that returns a Keras model.
"""

import importlib
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from edgekit_converters.base import ConversionError, SourceError

SUFFIXES = (".keras", ".h5", ".hdf5")
_PLAIN = {"float32", "float64", "int32", "int64", "int8", "uint8", "bool", "string"}
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def check_source(source: str) -> None:
    """Refuses what cannot be a model, in milliseconds, before TensorFlow is imported.

    Raises:
        SourceError: the path is missing, of an unknown kind, or truncated.
    """
    path = Path(source)
    if is_function(source):
        return
    if not path.exists():
        raise SourceError(
            f"{source}: there is no such file or folder. Give the path of a "
            ".keras or .h5 file or a SavedModel folder, or module:function."
        )
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise SourceError(
                f"{source}: this folder holds no saved_model.pb, so it is no "
                "SavedModel. Keras writes one with model.export(folder)."
            )
        return
    if path.suffix not in SUFFIXES:
        raise SourceError(
            f"{source}: a model ends in {', '.join(SUFFIXES)}, or is a "
            f"SavedModel folder; this ends in {path.suffix or 'nothing'!r}."
        )
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        hint = " It is an HDF5 file: call it .h5." if _starts(path, _HDF5_MAGIC) else ""
        raise SourceError(
            f"{source}: not a Keras archive: cut short or of another kind "
            f"({path.stat().st_size:,} bytes).{hint}"
        )
    if path.suffix != ".keras" and not _starts(path, _HDF5_MAGIC):
        raise SourceError(
            f"{source}: not an HDF5 file: cut short or of another kind "
            f"({path.stat().st_size:,} bytes)."
        )


def load_model(source: str, *, trust: bool = False) -> Any:
    """The Keras model that ``source`` names, as a functional model on a flat list of inputs.

    Whatever it was before (sequential, subclassed, inputs in a dict), it is called with a list of
    arrays in the order of ``model.inputs`` and gives a list in the order of
    ``model.output_names``, each name there once.

    Args:
        source: see the top of this module.
        trust: run code that the file carries (Lambda layers, pickled functions). Keras' safe mode
            stays on otherwise.

    Raises:
        ConversionError: it cannot be loaded; the message says why and what to do.
    """
    check_source(source)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        if is_function(source):
            model = _call(source)
        elif Path(source).is_dir():
            model = _saved_model(source)
        else:
            model = _load_file(source, trust)
    except ConversionError:
        raise
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        raise ConversionError(_explain(source, error)) from error
    model = _functional(_in_float32(model), source)
    _refuse_what_no_file_can_hold(model, source)
    return model


def _refuse_what_no_file_can_hold(model: Any, source: str) -> None:
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
            f"{source}: {', '.join(first[:3])}: channels_first data is more than TensorFlow can run on "
            "a processor, or TFLite at all. Build the model with data_format='channels_last'; the "
            "weights of its convolutions fit as they are."
        )


def is_function(source: str) -> bool:
    """Whether ``source`` reads ``module:function`` and names no file."""
    module, _, function = source.rpartition(":")
    dotted = module.replace(".", "").isidentifier()
    return dotted and function.isidentifier() and not Path(source).exists()


def _starts(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _call(source: str) -> Any:
    import keras

    module, _, function = source.rpartition(":")
    if str(Path.cwd()) not in sys.path:  # as `python -m` would find it
        sys.path.insert(0, str(Path.cwd()))
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SourceError(
            f"{source}: {error}. The module is looked for in this folder and on PYTHONPATH."
        ) from error
    model = make()
    if not isinstance(model, keras.Model):
        raise SourceError(f"{source} returned {type(model).__name__}, not a keras.Model.")
    return model


def _load_file(source: str, trust: bool) -> Any:
    import keras

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        """Takes the ``groups`` key that Keras 2 wrote, always 1, and Keras 3 refuses."""

        def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:  # noqa: ARG002
            super().__init__(*args, **kwargs)

    legacy = {} if source.endswith(".keras") else {"DepthwiseConv2D": DepthwiseConv2D}
    return keras.saving.load_model(
        source, custom_objects=legacy, compile=False, safe_mode=not trust
    )


def _saved_model(folder: str) -> Any:
    """Wraps a SavedModel's serving signature, which Keras 3 does not read by itself."""
    import keras
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)
    if not loaded.signatures:
        raise ConversionError(
            f"{folder}: this SavedModel has no signature to serve. Export it "
            "with model.export(folder)."
        )
    key = "serving_default" if "serving_default" in loaded.signatures else None
    signature = loaded.signatures[key or next(iter(loaded.signatures))]
    specs = signature.structured_input_signature[1]

    class Signature(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="signature")
            self._saved_model = loaded  # keeps its variables alive

        def call(self, arrays: dict[str, Any]) -> dict[str, Any]:
            return dict(signature(**arrays))

    inputs = {
        name: keras.Input(tuple(spec.shape)[1:], dtype=spec.dtype.name, name=name)
        for name, spec in specs.items()
    }
    outputs = Signature()(inputs)
    named = {k: keras.layers.Identity(name=k)(v) for k, v in outputs.items()}
    return keras.Model(inputs, named)


def _in_float32(model: Any) -> Any:
    """The same model, computing in float32 where a mixed policy computed in 16 bits.

    TFLite has no 16-bit float operators; the weights of a mixed policy are float32 anyway.
    """
    import keras

    if all(str(layer.compute_dtype) in _PLAIN for layer in model._flatten_layers()):
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


def _functional(model: Any, source: str) -> Any:
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


def _explain(source: str, error: Exception) -> str:
    text = str(error)
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    if "unsafe" in text.lower() and ("safe_mode" in text or "deserializ" in text.lower()):
        return (
            f"{source}: the model carries code of its own (a Lambda layer), which loading would "
            "run. If you trust where it comes from, say --trust (trust=True in Python)."
        )
    if "Could not locate class" in text or "Unknown layer" in text:
        return (
            f"{source}: a layer's class is not known here: {first} Give module:function instead, "
            "for a function that imports the class and returns the loaded model."
        )
    return f"{source}: Keras cannot load it: {first}"
