"""Samples from Python: arrays in memory, iterables, functions, calibration readers, random numbers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.data.functions import users_code
from edgekit.data.samples import (
    Array,
    DataError,
    Sample,
    SampleSource,
    Selector,
    label_arrays,
    label_from,
    match_names,
    to_input,
)
from edgekit.data.unused_labels import unused_labels
from edgekit_runtimes import TensorSpec

_RANDOM_SAMPLES = 300
_END = object()


def open_arrays(data: Any, inputs: Sequence[TensorSpec]) -> SampleSource:
    """Open arrays in memory, batch axis first; in a pair, the second holds the labels."""
    labels = None
    if isinstance(data, tuple):
        data, labels = data
    if isinstance(data, Mapping):
        arrays = {str(name): _array(value, "the arrays") for name, value in data.items()}
    else:
        arrays = {"x": _array(data, "the arrays")}
    label_names = label_arrays(arrays, inputs) if labels is None else {}
    if labels is None:
        labels = label_from(label_names, arrays)
    names = match_names(list(arrays), inputs, "the arrays")
    if any(arrays[name].ndim == 0 for name in names.values()):
        raise DataError("the arrays: a 0-d array, where samples are expected, batch axis first.")
    counts = {len(arrays[name]) for name in names.values()}
    if isinstance(labels, Mapping):
        labels = {str(name): _labels(array, "the labels") for name, array in labels.items()}
        counts |= {len(array) for array in labels.values()}
    elif labels is not None:
        labels = _labels(labels, "the labels")
        counts.add(len(labels))
    if len(counts) != 1:
        raise DataError(f"the arrays have different numbers of samples: {sorted(counts)}.")

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        for i in filter(selected, range(next(iter(counts)))):
            sample = {s.name: to_input(arrays[names[s.name]][i], s, "the arrays") for s in inputs}
            yield i, (sample, _at(labels, i))

    used = [*names.values(), *label_names.values()]
    return SampleSource(
        read,
        count=counts.copy().pop(),
        source="arrays",
        warnings=unused_labels(arrays, used, "the arrays"),
    )


def open_stream(data: Any, inputs: Sequence[TensorSpec], source: str) -> SampleSource:
    """Open anything that can be iterated, batched or one by one, by the number of axes."""

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        number = 0
        for element in _elements(data, source):
            arrays, label = _split(element, inputs, source)
            batched = all(0 < arrays[s.name].ndim == len(s.shape) for s in inputs)
            counts = {len(a) for a in arrays.values()} if batched else {1}
            if batched and isinstance(label, Mapping):
                label = {name: np.atleast_1d(array) for name, array in label.items()}
                counts |= {len(array) for array in label.values()}
            elif batched and label is not None:
                label = np.atleast_1d(label)
                counts.add(len(label))
            if len(counts) != 1:
                raise DataError(f"{source}: yields batches of different lengths: {sorted(counts)}.")
            for i in range(counts.pop()):
                if selected(number):
                    one = {n: a[i] if batched else a for n, a in arrays.items()}
                    sample = {s.name: to_input(one[s.name], s, source) for s in inputs}
                    yield number, (sample, _at(label, i) if batched else label)
                number += 1

    return SampleSource(read, source=source)


def open_random(inputs: Sequence[TensorSpec]) -> SampleSource:
    """Make random samples, always the same: standard normal, or 0 and 1 for inputs of integers."""

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        for i in filter(selected, range(_RANDOM_SAMPLES)):
            random = np.random.default_rng(i)
            yield i, ({s.name: _random(random, s) for s in inputs}, None)

    return SampleSource(read, count=_RANDOM_SAMPLES, source="random")


def _at(labels: Any, i: int) -> Any:
    if isinstance(labels, Mapping):
        return {name: array[i] for name, array in labels.items()}
    return None if labels is None else np.asarray(labels[i])


def _random(random: np.random.Generator, spec: TensorSpec) -> Array:
    if None in spec.shape[1:]:
        raise DataError(f"random samples need fixed dimensions, and the input is {spec}.")
    shape = tuple(int(n or 0) for n in spec.shape[1:])
    if np.dtype(spec.dtype).kind == "f" or spec.scale is not None:
        return random.standard_normal(shape).astype(np.float32)
    return random.integers(0, 2, shape).astype(spec.dtype)


def _array(value: Any, source: str) -> Array:
    with users_code(source):  # lists of unequal lengths, tensors on a GPU
        return np.asarray(value)


def _labels(value: Any, source: str) -> Array:
    """Labels as one array; pandas would find them by its index, not by their place."""
    labels = _array(value, source)
    if labels.ndim == 0:
        raise DataError(f"{source}: a single one, where one for each sample is expected.")
    return labels


def _elements(data: Any, source: str) -> Iterator[Any]:
    with users_code(source):
        if callable(data) and not hasattr(data, "get_next"):
            data = data()
        if hasattr(data, "get_next") and hasattr(data, "rewind"):
            data.rewind()
    if hasattr(data, "get_next"):  # ONNX Runtime's CalibrationDataReader
        while (element := _next(data.get_next, source)) is not None:
            yield element
        return
    pair = isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], (np.ndarray, Mapping))
    if pair or isinstance(data, (np.ndarray, Mapping)):  # of a function that returns all at once
        yield data
        return
    if not isinstance(data, Iterable):
        raise DataError(f"{source}: {type(data).__name__} yields no samples.")
    elements = _next(lambda: iter(data), source)
    while (element := _next(lambda: next(elements, _END), source)) is not _END:
        yield element


def _next(get: Callable[[], Any], source: str) -> Any:
    with users_code(source):
        return get()


def _split(element: Any, inputs: Sequence[TensorSpec], source: str) -> tuple[dict[str, Array], Any]:
    label: Any = None
    if isinstance(element, tuple) and len(element) in (2, 3):  # the third: Keras' sample weights
        element, label = element[0], element[1]
        label = (
            {str(name): _array(array, source) for name, array in label.items()}
            if isinstance(label, Mapping)
            else _array(label, source)
        )
    if isinstance(element, list):
        if len(element) != 1 or len(inputs) != 1:
            raise DataError(
                f"{source}: yields a list of {len(element)} arrays for {len(inputs)} inputs. A list has "
                "no names, so which array is for which input is not known: yield a dict by input name "
                f"({', '.join(s.name for s in inputs)})."
            )
        element = element[0]
    if not isinstance(element, Mapping):
        element = {"x": element}
    arrays = {str(name): _array(value, source) for name, value in element.items()}
    if label is None:
        label = label_from(label_arrays(arrays, inputs), arrays)
    names = match_names(list(arrays), inputs, source)
    return {s.name: arrays[names[s.name]] for s in inputs}, label
