"""SOURCES: every kind of samples, and how each is recognised, checked and opened."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.csv import open_csv
from edgekit.data.functions import import_function, names_function
from edgekit.data.images import SUFFIXES, Images, check_images, open_image, open_images
from edgekit.data.iterables import open_arrays, open_random, open_stream
from edgekit.data.npz import check_npy, check_npz, open_npy, open_npz
from edgekit.data.samples import DataError, SampleSource
from edgekit.names import printable
from edgekit_runtimes import TensorSpec

RANDOM = "random"
"""The text that stands for random samples, where there are no others."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of samples."""

    description: str
    """What help texts and error messages call it, with an article where it needs one."""

    matches: Callable[[Any], bool]
    """Whether data is of this kind, by its type, text or suffix, without reading it."""

    open: Callable[[Any, Sequence[TensorSpec], Images], SampleSource]
    """Open data that matches, for a model with these inputs."""

    check: Callable[[Any], None] = lambda data: None
    """Raise ``DataError`` where data that matches can quickly be seen to be unreadable."""

    python_only: bool = False
    """Whether it cannot be written as a text, on a command line or in ``edgekit.toml``."""


def open_samples(
    data: Any, inputs: Sequence[TensorSpec], images: Images | None = None
) -> SampleSource:
    """Open data of any kind in ``SOURCES`` for a model with these inputs.

    >>> import numpy as np
    >>> source = open_samples({"x": np.ones((5, 3))}, [TensorSpec("x", (None, 3), "float32")])
    >>> source.count
    5

    Args:
        data: a path (``.npz``, ``.npy``, ``.csv``, an image or a folder of them),
            ``module:function``, ``"random"``; or in Python, an array, a mapping of arrays by input name, a pair of one of
            these and labels, an iterable or a function that returns one (TFLite's
            ``representative_dataset``, a tf.data set), or an ONNX Runtime
            ``CalibrationDataReader``.
        inputs: the model's inputs.
        images: how image files become arrays.

    Raises:
        DataError: it cannot be read, or does not fit the inputs.
    """
    return find_source(data).open(data, inputs, images or Images())


def check_data(data: Any) -> None:
    """Refuse data that cannot be opened, at once, before a model is loaded.

    Raises:
        DataError: it is not there, of no known kind, or cut short.
    """
    find_source(data).check(data)


def find_source(data: Any) -> SourceKind:
    """Find the first kind of samples in ``SOURCES`` that matches.

    Raises:
        DataError: it is a path where nothing is, or of no known kind.
    """
    try:
        if kind := next((kind for kind in SOURCES.values() if kind.matches(data)), None):
            return kind
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise DataError(f"{printable(str(data))}: {error.strerror}.") from error
    texts = describe_sources()
    if not isinstance(data, (str, Path)):
        raise DataError(
            f"{type(data).__name__} yields no samples. Samples are {describe_sources(python_only=True)}; "
            f"or as a text {texts}."
        )
    path, name = Path(data), printable(data)
    if not path.exists():
        raise DataError(f"{name}: there is no such file or folder. Samples are {texts}.")
    if not path.is_file():
        raise DataError(f"{name}: is no regular file. Samples are {texts}.")
    raise DataError(f"{name}: unknown kind of samples {path.suffix!r}. Samples are {texts}.")


def describe_sources(*, python_only: bool = False) -> str:
    """List the kinds of samples in words: those written as a text, or those of Python alone."""
    *most, last = [k.description for k in SOURCES.values() if k.python_only == python_only]
    return f"{', '.join(most)}, or {last}"


def _is_file(suffix: str) -> Callable[[Any], bool]:
    return lambda data: (
        isinstance(data, (str, Path))
        and Path(data).suffix.lower() == suffix
        and Path(data).is_file()
    )


def _is_folder(data: Any) -> bool:
    return isinstance(data, (str, Path)) and Path(data).is_dir() and str(data) != RANDOM


def _is_arrays(data: Any) -> bool:
    """Whether it is an array, or a mapping of arrays."""
    return isinstance(data, np.ndarray) or (
        isinstance(data, Mapping)
        and all(hasattr(v, "shape") or isinstance(v, list) for v in data.values())
    )


def _is_labelled_arrays(data: Any) -> bool:
    """Whether it is a pair of arrays and labels."""
    return (
        isinstance(data, tuple)
        and len(data) == 2
        and _is_arrays(data[0])
        and (hasattr(data[1], "shape") or isinstance(data[1], list))
    )


def _is_iterable(data: Any) -> bool:
    return isinstance(data, Iterable) and not isinstance(data, (str, Path))


# The first kind that matches opens the data.
SOURCES: dict[str, SourceKind] = {
    "npz": SourceKind(
        ".npz",
        _is_file(".npz"),
        lambda path, inputs, images: open_npz(Path(path), inputs),
        check=lambda path: check_npz(Path(path)),
    ),
    "npy": SourceKind(
        ".npy",
        _is_file(".npy"),
        lambda path, inputs, images: open_npy(Path(path), inputs),
        check=lambda path: check_npy(Path(path)),
    ),
    "csv": SourceKind(
        ".csv",
        _is_file(".csv"),
        lambda path, inputs, images: open_csv(Path(path), inputs),
    ),
    "image": SourceKind(
        "an image",
        lambda data: any(_is_file(suffix)(data) for suffix in SUFFIXES),
        lambda path, inputs, images: open_image(Path(path), inputs, images),
        check=lambda path: check_images(),
    ),
    "images": SourceKind(
        "a folder of images",
        _is_folder,
        lambda path, inputs, images: open_images(Path(path), inputs, images),
        check=lambda path: check_images(),
    ),
    "function": SourceKind(
        "module:function",
        lambda data: isinstance(data, str) and names_function(data),
        lambda name, inputs, images: open_stream(import_function(name), inputs, name),
    ),
    "random": SourceKind(
        RANDOM,
        lambda data: isinstance(data, (str, Path)) and str(data) == RANDOM,
        lambda _, inputs, images: open_random(inputs),
    ),
    "bytes": SourceKind(
        "the bytes of an image",
        lambda data: isinstance(data, bytes),
        open_image,
        python_only=True,
    ),
    "arrays": SourceKind(
        "an array or a mapping of arrays by input name",
        _is_arrays,
        lambda arrays, inputs, images: open_arrays(arrays, inputs),
        python_only=True,
    ),
    "labelled": SourceKind(
        "a pair of arrays and labels",
        _is_labelled_arrays,
        lambda pair, inputs, images: open_arrays(pair, inputs),
        python_only=True,
    ),
    "reader": SourceKind(
        "a CalibrationDataReader of ONNX Runtime",
        lambda data: hasattr(data, "get_next"),
        lambda reader, inputs, images: open_stream(reader, inputs, type(reader).__name__),
        python_only=True,
    ),
    "callable": SourceKind(
        "a function that returns or yields samples",
        callable,
        lambda function, inputs, images: open_stream(function, inputs, type(function).__name__),
        python_only=True,
    ),
    "iterable": SourceKind(
        "an iterable of samples or batches",
        _is_iterable,
        lambda samples, inputs, images: open_stream(samples, inputs, type(samples).__name__),
        python_only=True,
    ),
}
