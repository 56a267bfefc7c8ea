"""SampleSource: samples read one at a time, matched to a model's inputs by name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import EdgekitError
from edgekit_runtimes import TensorSpec

Array = npt.NDArray[Any]
Sample = tuple[dict[str, Array], Any]
"""The inputs by name, without the batch axis; and the label: an array, arrays by output, or None."""

Selector = Callable[[int], bool]
"""Whether the sample with an index is to be read."""

LABEL_NAMES = ("y", "labels", "label")
LABEL_PREFIX = "y_"
"""Before an output's name, of the array that holds that output's labels."""


class DataError(EdgekitError):
    """Data that cannot be read, or that does not fit the model."""


@dataclass(frozen=True, slots=True)
class SampleSource:
    """Samples that can be read again and again."""

    read: Callable[[Selector], Iterator[tuple[int, Sample]]]
    """Read the selected samples in order, each with its index."""
    count: int | None = None
    """The number of samples; None for a stream, of which only reading shows it."""
    label_names: tuple[str, ...] = ()
    """The names of the classes, in order, where the data has them."""
    source: str = "data"
    """A path or another name, for messages."""
    warnings: tuple[str, ...] = ()
    """What whoever reads the report should know of how the data was read."""
    scale: str | None = None
    """What the pixels of image files become; None where the samples are no images."""


def label_arrays(available: Iterable[str], inputs: Sequence[TensorSpec]) -> dict[str, str]:
    """Find the arrays that hold labels, by output name; an input is never one of them.

    One array for all outputs is ``{"": "y"}``; arrays for each are ``{"NAME": "y_NAME"}``.
    """
    names = set(available) - {s.name for s in inputs}
    if common := next((n for n in LABEL_NAMES if n in names), None):
        return {"": common}
    return {n.removeprefix(LABEL_PREFIX): n for n in sorted(names) if n.startswith(LABEL_PREFIX)}


def label_from(names: Mapping[str, str], arrays: Mapping[str, Any]) -> Any:
    """Take the label from arrays, with names by ``label_arrays``: one, one by output, or None."""
    labels = {output: arrays[name] for output, name in names.items()}
    return labels.get("", labels or None)


def match_names(
    available: Sequence[str], inputs: Sequence[TensorSpec], source: str
) -> dict[str, str]:
    """Match arrays to inputs by name; for a single input, a single array may be called anything.

    Raises:
        DataError: an input has no array.
    """
    input_names = {s.name for s in inputs}
    arrays = [
        name
        for name in available
        if name in input_names or not (name in LABEL_NAMES or name.startswith(LABEL_PREFIX))
    ]
    if len(inputs) == 1 and inputs[0].name not in arrays and len(arrays) == 1:
        return {inputs[0].name: arrays[0]}
    if missing := [s for s in inputs if s.name not in arrays]:
        raise DataError(
            f"{source}: no array for the input {'; '.join(map(str, missing))}. There are "
            f"{', '.join(arrays) or 'none'}. Name the arrays as the model names its inputs."
        )
    return {s.name: s.name for s in inputs}


def check_shape(shape: Sequence[int], spec: TensorSpec, source: str) -> None:
    """Check the shape of one sample against an input.

    Raises:
        DataError: it is another one.
    """
    expected = spec.shape[1:]
    if len(shape) != len(expected) or any(
        size is not None and size != actual for size, actual in zip(expected, shape, strict=True)
    ):
        wanted = ", ".join("any" if n is None else str(n) for n in expected)
        raise DataError(
            f"{source}: input {spec.name!r} takes samples of shape ({wanted}), and these have "
            f"{tuple(shape)}."
        )


def to_input(array: Array, spec: TensorSpec, source: str) -> Array:
    """Check one sample's array against an input, and cast it to the input's dtype.

    A quantized input takes float32: the runtime quantizes it. What float32 cannot hold becomes infinite.

    Raises:
        DataError: it has another shape, or is not numbers.
    """
    check_shape(array.shape, spec, source)
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{source}: input {spec.name!r} takes numbers, and these samples are {array.dtype}."
        )
    kind = np.dtype(spec.dtype if spec.scale is None else "float32")
    if kind.kind in "iu" and array.dtype.kind == "f" and np.any(array != np.rint(array)):
        raise DataError(
            f"{source}: input {spec.name!r} takes integers ({spec.dtype}), and these samples have "
            "fractional parts or NaN."
        )
    if kind.kind in "iu" and array.size:
        limits = np.iinfo(kind)
        low, high = array.min().item(), array.max().item()  # as Python's numbers, which are exact
        if low < limits.min or high > limits.max:
            raise DataError(
                f"{source}: input {spec.name!r} takes {spec.dtype}, of {limits.min} to {limits.max}, "
                f"and these span {low} to {high}."
            )
    with np.errstate(over="ignore"):
        return np.asarray(array, kind, order="C")
