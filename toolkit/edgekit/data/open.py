"""What a user calls "my data" becomes rows."""

import importlib
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.csv import open_csv
from edgekit.data.images import Images, open_images
from edgekit.data.iterables import array_rows, random_rows, stream_rows
from edgekit.data.npz import open_npy, open_npz
from edgekit.data.samples import DataError, SampleSource
from edgekit_runtimes import TensorSpec

RANDOM = "random"
"""What stands for data where there is none."""


def open_rows(
    data: Any, inputs: Sequence[TensorSpec], images: Images | None = None
) -> SampleSource:
    """Opens data of any accepted kind for a model with these inputs.

    Args:
        data: a path (``.npz``, ``.npy``, ``.csv``, a folder of images), ``module:function``,
            ``"random"``; or in Python, an array, a mapping of arrays by input name, a pair of one of
            these and labels, an iterable or a function that returns one (TFLite's
            ``representative_dataset``, a tf.data set), or an ONNX Runtime
            ``CalibrationDataReader``.
        inputs: what the model takes.
        images: how image files become arrays.

    Raises:
        DataError: it cannot be read, or does not fit the inputs.
    """
    if isinstance(data, (str, Path)):
        text = str(data)
        if text == RANDOM:
            return random_rows(inputs)
        if _names_function(text):
            return stream_rows(_call(text), inputs, text)
        return open_file(Path(data), inputs, images or Images())
    if isinstance(data, np.ndarray) or _is_mapping_of_arrays(data) or _is_labelled(data):
        return array_rows(data, inputs)
    return stream_rows(data, inputs, type(data).__name__)


def check_data(data: Any) -> None:
    """Refuses a path that cannot be data, at once, before a model is loaded."""
    if isinstance(data, (str, Path)) and str(data) != RANDOM and not _names_function(str(data)):
        check_file(Path(data))


def _names_function(text: str) -> bool:
    module, _, function = text.rpartition(":")
    return (
        module.replace(".", "").isidentifier()
        and function.isidentifier()
        and not Path(text).exists()
    )


def _call(text: str) -> Any:
    module, _, function = text.rpartition(":")
    if str(Path.cwd()) not in sys.path:  # as `python -m` would find it
        sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"{text}: {error}. The module is looked for in this folder and on PYTHONPATH."
        ) from error


def _is_mapping_of_arrays(data: Any) -> bool:
    return isinstance(data, Mapping) and all(hasattr(v, "shape") for v in data.values())


def _is_labelled(data: Any) -> bool:
    return (
        isinstance(data, tuple)
        and len(data) == 2
        and (isinstance(data[0], np.ndarray) or _is_mapping_of_arrays(data[0]))
        and (hasattr(data[1], "shape") or isinstance(data[1], list))
    )


_OPENERS: dict[str, Callable[[Path, Sequence[TensorSpec]], SampleSource]] = {
    ".npz": open_npz,
    ".npy": open_npy,
    ".csv": open_csv,
}


_KINDS = ".npz, .npy, .csv, a folder of images, module:function, or random"


def check_file(path: Path) -> None:
    """Refuses what cannot be data, without reading it.

    Raises:
        DataError: it is not there, of an unknown kind, or cut short.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder. Data is {_KINDS}.")
    if path.is_dir():
        return
    if path.suffix not in _OPENERS:
        raise DataError(f"{path}: unknown kind of data {path.suffix!r}. Data is {_KINDS}.")
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: not a .npz archive: cut short or of another kind "
            f"({path.stat().st_size:,} bytes)."
        )


def open_file(path: Path, inputs: Sequence[TensorSpec], images: Images) -> SampleSource:
    """Samples from a file or a folder."""
    check_file(path)
    if path.is_dir():
        return open_images(path, inputs, images)
    return _OPENERS[path.suffix](path, inputs)
