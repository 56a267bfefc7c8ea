"""Samples from Python: arrays in memory, iterables, functions, calibration readers, random numbers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.data.samples import (
    Array,
    DataError,
    Row,
    SampleSource,
    Wanted,
    fit,
    label_names,
    label_of,
    match_names,
)
from edgekit_runtimes import TensorSpec

_RANDOM_ROWS = 300


def array_rows(data: Any, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Samples from arrays in memory, batch axis first."""
    labels = None
    if isinstance(data, tuple):
        data, labels = data
    if isinstance(data, Mapping):
        arrays = {str(name): np.asarray(value) for name, value in data.items()}
    else:
        arrays = {"x": np.asarray(data)}
    if labels is None:
        labels = label_of(label_names(arrays, inputs), arrays)
    names = match_names(list(arrays), inputs, "the arrays")
    if any(arrays[name].ndim == 0 for name in names.values()):
        raise DataError("the arrays: a lone number, where samples are wanted, batch axis first.")
    counts = {len(arrays[name]) for name in names.values()}
    if isinstance(labels, Mapping):
        labels = {str(name): np.asarray(own) for name, own in labels.items()}
        counts |= {len(own) for own in labels.values()}
    elif labels is not None:
        counts.add(len(labels))
    if len(counts) != 1:
        raise DataError(f"the arrays have different numbers of samples: {sorted(counts)}.")

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        for i in filter(wanted, range(next(iter(counts)))):
            sample = {s.name: fit(arrays[names[s.name]][i], s, "the arrays") for s in inputs}
            yield i, (sample, _at(labels, i))

    return SampleSource(read, count=counts.copy().pop(), source="arrays")


def stream_rows(data: Any, inputs: Sequence[TensorSpec], source: str) -> SampleSource:
    """Samples from whatever can be iterated, batched or one by one: the number of axes tells."""

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        number = 0
        for element in _elements(data, source):
            arrays, label = _split(element, inputs, source)
            batched = all(arrays[s.name].ndim == len(s.shape) for s in inputs)
            counts = {len(a) for a in arrays.values()} if batched else {1}
            if batched and isinstance(label, Mapping):
                counts |= {len(own) for own in label.values()}
            elif batched and label is not None:
                label = np.atleast_1d(label)
                counts.add(len(label))
            if len(counts) != 1:
                raise DataError(f"{source}: yields batches of different lengths: {sorted(counts)}.")
            for i in range(counts.pop()):
                if wanted(number):
                    row = {n: a[i] if batched else a for n, a in arrays.items()}
                    sample = {s.name: fit(row[s.name], s, source) for s in inputs}
                    yield number, (sample, _at(label, i) if batched else label)
                number += 1

    return SampleSource(read, source=source)


def random_rows(inputs: Sequence[TensorSpec]) -> SampleSource:
    """Numbers that no camera ever saw: standard normal, or 0 and 1 where the input is integers."""

    def read(wanted: Wanted) -> Iterator[tuple[int, Row]]:
        for i in filter(wanted, range(_RANDOM_ROWS)):
            random = np.random.default_rng(i)
            yield i, ({s.name: _random(random, s) for s in inputs}, None)

    return SampleSource(read, count=_RANDOM_ROWS, source="random")


def _at(labels: Any, i: int) -> Any:
    if isinstance(labels, Mapping):
        return {name: own[i] for name, own in labels.items()}
    return None if labels is None else np.asarray(labels[i])


def _random(random: np.random.Generator, spec: TensorSpec) -> Array:
    if None in spec.shape[1:]:
        raise DataError(f"random data needs fixed sizes, and the input is {spec}.")
    shape = tuple(int(n or 0) for n in spec.shape[1:])
    if np.dtype(spec.dtype).kind == "f" or spec.scale is not None:
        return random.standard_normal(shape).astype(np.float32)
    return random.integers(0, 2, shape).astype(spec.dtype)


def _elements(data: Any, source: str) -> Iterator[Any]:
    if callable(data) and not hasattr(data, "get_next"):
        data = data()
    if hasattr(data, "get_next"):  # ONNX Runtime's CalibrationDataReader
        if hasattr(data, "rewind"):
            data.rewind()
        while (element := data.get_next()) is not None:
            yield element
        return
    pair = isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], (np.ndarray, Mapping))
    if pair or isinstance(
        data, (np.ndarray, Mapping)
    ):  # a function that returns its arrays at once
        yield data
        return
    if not isinstance(data, Iterable):
        raise DataError(f"{source}: {type(data).__name__} yields no samples.")
    yield from data


def _split(element: Any, inputs: Sequence[TensorSpec], source: str) -> tuple[dict[str, Array], Any]:
    label: Any = None
    if isinstance(element, tuple) and len(element) in (2, 3):  # the third: Keras' sample weights
        element, label = element[0], element[1]
        label = (
            {str(name): np.asarray(own) for name, own in label.items()}
            if isinstance(label, Mapping)
            else np.asarray(label)
        )
    if isinstance(element, list):
        if len(element) != 1 or len(inputs) != 1:
            raise DataError(
                f"{source}: yields a list of {len(element)} arrays for {len(inputs)} inputs. A list has "
                "no names, and which array is which would be a guess: yield a dict by input name "
                f"({', '.join(s.name for s in inputs)})."
            )
        element = element[0]
    if not isinstance(element, Mapping):
        element = {"x": element}
    arrays = {str(name): np.asarray(value) for name, value in element.items()}
    if label is None:
        label = label_of(label_names(arrays, inputs), arrays)
    names = match_names(list(arrays), inputs, source)
    return {s.name: arrays[names[s.name]] for s in inputs}, label
