"""SampleSource: samples read one at a time, matched to a model's inputs by name.

A row is one sample, without the batch axis, and its label where there is one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import EdgekitError
from edgekit_runtimes import TensorSpec

Array = npt.NDArray[Any]
Row = tuple[dict[str, Array], Any]
"""The inputs by name, and the label: an array, arrays by output name, or None."""

Wanted = Callable[[int], bool]
"""Whether the row of a number is to be read."""

LABEL_NAMES = ("y", "labels", "label")
OWN_LABELS = "y_"


class DataError(EdgekitError):
    """Data that cannot be read, or that does not fit the model."""


@dataclass(frozen=True, slots=True)
class SampleSource:
    """Samples that can be read again and again."""

    read: Callable[[Wanted], Iterator[tuple[int, Row]]]
    """Reads the wanted rows in order, each with its number."""
    count: int | None = None
    """None where only reading tells."""
    label_names: tuple[str, ...] = ()
    source: str = "data"


def label_names(available: Iterable[str], inputs: Sequence[TensorSpec]) -> dict[str, str]:
    """Which arrays hold labels, unless an input is called so.

    One for all outputs, as ``{"": "y"}``; or one for each, ``y_NAME`` as ``{"NAME": "y_NAME"}``.
    """
    names = set(available) - {s.name for s in inputs}
    if common := next((n for n in LABEL_NAMES if n in names), None):
        return {"": common}
    return {n.removeprefix(OWN_LABELS): n for n in sorted(names) if n.startswith(OWN_LABELS)}


def label_of(names: Mapping[str, str], arrays: Mapping[str, Any]) -> Any:
    """A row's label by ``label_names``: an array, one for each output, or None."""
    found = {output: arrays[name] for output, name in names.items()}
    return found.get("", found or None)


def match_names(
    available: Sequence[str], inputs: Sequence[TensorSpec], source: str
) -> dict[str, str]:
    """Which array each input takes: by name; a single one may be called anything.

    Raises:
        DataError: an input has no array.
    """
    wanted = {s.name for s in inputs}
    arrays = [
        name
        for name in available
        if name in wanted or not (name in LABEL_NAMES or name.startswith(OWN_LABELS))
    ]
    if len(inputs) == 1 and inputs[0].name not in arrays and len(arrays) == 1:
        return {inputs[0].name: arrays[0]}
    if missing := [s for s in inputs if s.name not in arrays]:
        raise DataError(
            f"{source}: no array for the input {'; '.join(map(str, missing))}. It holds "
            f"{', '.join(arrays) or 'none'}. Name the arrays as the model names its inputs."
        )
    return {s.name: s.name for s in inputs}


def fit(array: Array, spec: TensorSpec, source: str) -> Array:
    """One sample for an input, checked, in the input's type.

    Raises:
        DataError: it has another shape, or is not numbers.
    """
    expected = spec.shape[1:]
    if array.ndim != len(expected) or any(
        want is not None and want != have for want, have in zip(expected, array.shape, strict=True)
    ):
        wanted = ", ".join("any" if n is None else str(n) for n in expected)
        raise DataError(
            f"{source}: input {spec.name!r} takes samples of shape ({wanted}), and these have "
            f"{array.shape}."
        )
    if array.dtype.kind not in "fiub":
        raise DataError(f"{source}: input {spec.name!r} takes numbers, and this is {array.dtype}.")
    kind = np.dtype(spec.dtype if spec.scale is None else "float32")
    if kind.kind in "iu" and array.dtype.kind == "f" and np.any(array != np.rint(array)):
        raise DataError(
            f"{source}: input {spec.name!r} takes whole numbers ({spec.dtype}), and these are not."
        )
    if kind.kind in "iu" and array.size:
        limits = np.iinfo(kind)
        if array.min() < limits.min or array.max() > limits.max:
            raise DataError(
                f"{source}: input {spec.name!r} takes {spec.dtype}, of {limits.min} to {limits.max}, "
                f"and these span {array.min()} to {array.max()}."
            )
    return np.asarray(array, kind, order="C")
