"""Loading the model to convert.

A source is the path of a ``.keras`` file, of an ``.h5`` or ``.hdf5`` file (of Keras 3 or Keras 2) or of
a SavedModel folder; or ``module:function``, for a function without arguments that returns a Keras model.
"""

import importlib
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

from edgekit_converters.base import ConversionError, SourceError
from edgekit_converters.functional import as_functional
from edgekit_converters.saved_operations import refuse_outside_operations
from edgekit_converters.saved_optimizer import accept_stored_optimizers

_SUFFIXES = (".keras", ".h5", ".hdf5")
_REFUSED_BY_KERAS = {
    "loading of a vocabulary file outside": "one of its lookup layers, as StringLookup, reads its "
    "vocabulary from a file outside the model",
    "deserialization of a `TFSMLayer`": "its layer TFSMLayer loads a SavedModel from another place, "
    "whose code would run",
    "deserialization of a `torch.nn.Module`": "one of its layers is a pickled PyTorch module, whose "
    "code loading would run",
    "deserialization of a Python lambda": "the model carries code (a Python lambda), which loading "
    "would run",
    "deserialization of a `Lambda`": "the model carries code (a Lambda layer), which loading would run",
    "`safe_mode=False`": "Keras finds it unsafe to load, because it carries code or reads other files",
}
"""Words of Keras' safe mode, and what they mean; the first that fits counts."""
_LARGE = 64 << 20  # bytes of a member that may be packed as densely as it likes
_DENSE = 50  # times, to which weights are packed at most
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def check_source(source: str) -> None:
    """Check that ``source`` can be a model, in milliseconds, without importing TensorFlow.

    Args:
        source: a path or ``module:function``; of the latter only the spelling is checked.

    Raises:
        SourceError: the path is missing, of an unknown kind, or truncated.

    >>> from pathlib import Path
    >>> _ = Path("notes.txt").write_text("no model")
    >>> check_source("notes.txt")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    SourceError: notes.txt: a model ends in .keras, .h5, .hdf5, or is a SavedModel folder ...
    """
    path = Path(source)
    if _is_function(source):
        return
    if not path.exists():
        raise SourceError(
            f"{source}: there is no such file or folder. A model is a .keras or .h5 file, a SavedModel "
            "folder, or module:function."
        )
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise SourceError(
                f"{source}: this folder holds no saved_model.pb, so it is no "
                "SavedModel. Keras writes one with model.export(folder)."
            )
        return
    if path.suffix not in _SUFFIXES:
        raise SourceError(
            f"{source}: a model ends in {', '.join(_SUFFIXES)}, or is a "
            f"SavedModel folder; this ends in {path.suffix or 'nothing'!r}."
        )
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        hint = " It is an HDF5 file: call it .h5." if _starts(path, _HDF5_MAGIC) else ""
        raise SourceError(
            f"{source}: not a Keras archive: cut short or of another kind "
            f"({path.stat().st_size:,} bytes).{hint}"
        )
    if path.suffix == ".keras":
        _refuse_bomb(path)
    if path.suffix != ".keras" and not _starts(path, _HDF5_MAGIC):
        raise SourceError(
            f"{source}: not an HDF5 file: cut short or of another kind "
            f"({path.stat().st_size:,} bytes)."
        )


def _refuse_bomb(path: Path) -> None:
    """Refuse an archive of which little on disk would fill memory; Keras reads its weights whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception:  # a damaged one; zipfile raises of many kinds, and Keras says what is wrong
        return
    for member in members:
        if member.file_size > max(_LARGE, _DENSE * member.compress_size):
            raise SourceError(
                f"{path}: {member.filename} claims {member.file_size:,} bytes, packed into "
                f"{member.compress_size:,}. Weights cannot be packed so, and Keras does not pack them: it "
                "is damaged, or made to fill memory."
            )


def load_model(source: str, *, trust: bool = False) -> Any:
    """Load a Keras model, as a functional model on flat lists.

    Whatever it was before (sequential, subclassed, with its inputs in a dict), it is called with a
    list of arrays in the order of ``model.inputs`` and returns a list in the order of
    ``model.output_names``, which are distinct. A mixed policy becomes float32.

    Args:
        source: the path of a ``.keras``, ``.h5`` or ``.hdf5`` file or of a SavedModel folder; or
            ``module:function``, for a function without arguments that returns a Keras model.
        trust: run code that the file carries (Lambda layers, pickled functions), and operations of a
            SavedModel that read or write files. Keras' safe mode stays on otherwise.

    Returns:
        A ``keras.Model``.

    Raises:
        SourceError: there is no model there; see ``check_source``.
        ConversionError: it cannot be loaded, or neither TFLite nor ONNX can express it.

    >>> import keras
    >>> layers = [keras.Input((4,), name="x"), keras.layers.Dense(2, name="y")]
    >>> keras.Sequential(layers).save("model.keras")
    >>> model = load_model("model.keras")
    >>> [tensor.name for tensor in model.inputs], model.output_names
    (['x'], ['y'])
    """
    check_source(source)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        if _is_function(source):
            model = _call(source)
        elif Path(source).is_dir():
            model = _saved_model(source, trust)
        else:
            model = _load_file(source, trust)
        return as_functional(model, source)
    except ConversionError:
        raise
    except Exception as error:  # Keras raises whatever a layer's constructor or its call raises
        raise ConversionError(_explain(source, error)) from error


def _is_function(source: str) -> bool:
    """Whether ``source`` is ``module:function`` and no file has that name."""
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


def _saved_model(folder: str, trust: bool) -> Any:
    """Wrap a SavedModel's serving signature, which Keras 3 does not load by itself."""
    import keras
    import tensorflow as tf

    if not trust:
        refuse_outside_operations(folder)
    accept_stored_optimizers()
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


def _explain(source: str, error: Exception) -> str:
    text = str(error)
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    for words, carried in _REFUSED_BY_KERAS.items():
        if words in text:
            return (
                f"{source}: {carried}. If you trust where it comes from, load it with trust=True."
            )
    if "Could not locate class" in text or "Unknown layer" in text:
        missing = first.partition(" Make sure custom")[0]  # what follows prints the whole config
        named = re.search(r"'(\w+)'", missing)
        known = f"custom_objects={{{named[1]!r}: {named[1]}}}" if named else "custom_objects={...}"
        if _is_function(source):
            return f"{source}: a layer's class is not known here: {missing} Pass {known} to load_model."
        return (
            f"{source}: a layer's class is not known here: {missing} Where you have the code, type "
            "model.export('folder') and convert that folder, which needs no class; or name a function, as "
            "my_model:load, of a file my_model.py that imports the class and has "
            f"def load(): return keras.saving.load_model({Path(source).name!r}, {known})."
        )
    return f"{source}: Keras cannot load it: {first}"
