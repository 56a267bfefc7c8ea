"""Keras: runs the float32 original that every other file is compared with. Needs TensorFlow."""

import re
import zipfile
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array, Engine, ModelError, RuntimeMissing, TensorSpec
from edgekit_runtimes.placement import Operator, Placement

_LARGE = 64 << 20  # bytes of an archive's member; up to there it may be packed densely
_DENSE = 50  # times, to which larger ones are packed at most
_AT_ONCE = 4_000_000  # bytes of input: Keras keeps every layer's output until the call ends


def open_keras(path: Path, threads: int = 1) -> Engine:  # noqa: ARG001
    """Opens a ``.keras`` or ``.h5`` file. TensorFlow chooses its threads itself; ``threads`` is ignored.

    Raises:
        RuntimeMissing: TensorFlow is not installed.
        ModelError: Keras cannot load the file.
    """
    _refuse_bomb(path)
    try:
        import keras
        import tensorflow  # noqa: F401  (the backend: without it, keras fails later, with another error)
    except ImportError as error:
        raise RuntimeMissing(
            "TensorFlow is not installed: pip install 'edgekit-toolkit[convert]'"
        ) from error
    try:
        model = keras.saving.load_model(str(path), compile=False)
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        raise ModelError(f"{path}: Keras cannot load it: {error}") from error
    return keras_engine(model)


def _refuse_bomb(path: Path) -> None:
    """Refuse an archive of which little on disk would fill memory; Keras reads its weights whole."""
    if path.suffix != ".keras":
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception:  # a damaged one: zipfile raises of many kinds, and Keras says what is wrong
        return
    for member in members:
        if member.file_size > max(_LARGE, _DENSE * member.compress_size):
            raise ModelError(
                f"{path}: {member.filename} claims {member.file_size:,} bytes, packed into "
                f"{member.compress_size:,}. Weights cannot be packed so, and Keras does not pack them: it "
                "is damaged, or made to fill memory."
            )


def keras_engine(model: Any) -> Engine:
    """An engine on a Keras model that is already in memory."""
    import keras

    names = _output_names(model)
    model = keras.Model(keras.tree.flatten(model.inputs), keras.tree.flatten(model.outputs))

    def run(arrays: Sequence[Array]) -> list[Array]:
        return [np.asarray(y) for y in keras.tree.flatten(model(list(arrays), training=False))]

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        count, size = len(arrays[0]), sum(array.nbytes for array in arrays)
        pieces = ceil(size / _AT_ONCE)
        if pieces < 2 or count < 2 or any(t.shape[0] is not None for t in model.inputs):
            return run(arrays)
        parts = zip(*(np.array_split(array, min(pieces, count)) for array in arrays), strict=True)
        return [np.concatenate(ys) for ys in zip(*map(run, parts), strict=True)]

    def place() -> Placement:
        operators = [
            Operator(type(layer).__name__, "TensorFlow", str(layer.compute_dtype), name=layer.name)
            for layer in model.layers
        ]
        return Placement("keras", "chosen by TensorFlow", "TensorFlow", operators)

    return Engine(
        [TensorSpec(t.name, tuple(t.shape), str(t.dtype)) for t in model.inputs],
        [
            TensorSpec(n, tuple(t.shape), str(t.dtype))
            for n, t in zip(names, model.outputs, strict=True)
        ],
        call,
        place,
    )


def _output_names(model: Any) -> list[str]:
    """Return the names of a model's outputs: their keys in a dict, or those of their layers.

    As ``edgekit_converters`` names the outputs of the files that it makes of the model.
    """
    import keras

    structure = getattr(model, "_outputs_struct", model.outputs)
    paths = [path for path, _ in keras.tree.flatten_with_path(structure)]
    if any(isinstance(key, str) for path in paths for key in path):
        names = [_joined(path) for path in paths]
        if len(set(names)) < len(names):
            names = [_joined(("output", *path)) for path in paths]
    else:
        names = list(getattr(model, "output_names", None) or [model.layers[-1].name])
    if len(names) != len(paths) or len(set(names)) < len(names):
        names = [f"output_{i}" for i in range(len(paths))]
    return names


def _joined(path: Sequence[str | int]) -> str:
    first = next((at for at, key in enumerate(path) if isinstance(key, str)), None)
    keys = ("output", *path) if first is None else path[first:]
    return re.sub(r"[^\w.-]", "_", "_".join(map(str, keys)))
