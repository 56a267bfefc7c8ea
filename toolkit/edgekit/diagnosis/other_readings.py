"""A layer that reads its inputs in another way: found by running the right one on inputs that are changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.data.samples import Array
from edgekit.diagnosis.judged_pieces import differences
from edgekit.inference.parts import Runner
from edgekit_converters.pieces import Part, Pieces

_Change = Callable[[Array, bool], Array]
"""Of one tensor with samples first, and whether its channels come before height and width."""


@dataclass(frozen=True, slots=True)
class _Reading:
    words: str
    before: _Change
    """What is done to the inputs."""
    after: _Change
    """And to what is made of them."""


def _unchanged(array: Array, first: bool) -> Array:  # noqa: ARG001
    return array


def _reversed_channels(array: Array, first: bool) -> Array:
    return np.flip(array, 2 if first and array.ndim == 5 else -1)


def _transposed(array: Array, first: bool) -> Array:
    return np.swapaxes(array, *_height_and_width(first)) if array.ndim == 5 else array


def _flipped(array: Array, first: bool) -> Array:
    return np.flip(array, _height_and_width(first)) if array.ndim == 5 else array


def _height_and_width(first: bool) -> tuple[int, int]:
    return (3, 4) if first else (2, 3)


READINGS: tuple[_Reading, ...] = (
    _Reading(
        "it reads the channels of its input in reverse order (RGB and BGR?)",
        _reversed_channels,
        _unchanged,
    ),
    _Reading("its weights are transposed: height and width are swapped", _transposed, _transposed),
    _Reading("its weights are flipped in height and width", _flipped, _flipped),
)


def find_reading(
    part: Part, answer: tuple[Array, ...], made: Mapping[str, Array], here: Runner, pieces: Pieces
) -> str:
    """Say in which other way a layer reads its inputs, where one explains what it made; else nothing.

    A convolution of transposed images, transposed back, is the convolution by transposed weights; so what
    a target made of its weights can be told without knowing any format of them.

    Args:
        part: the layer.
        answer: what the target made.
        made: what it should read.
        here: where it is right.
        pieces: the model.
    """
    first = pieces.channels_first
    reads = [made[name] for name in part.reads]
    if not any(array.ndim >= 3 for array in reads):
        return ""
    tried: list[tuple[_Reading, Part]] = []
    tensors: dict[str, Array] = {}
    for at, reading in enumerate(READINGS):
        changed = [np.ascontiguousarray(reading.before(array, first)) for array in reads]
        if all(np.array_equal(c, r) for c, r in zip(changed, reads, strict=True)):
            continue
        names = tuple(f"{at}/{name}" for name in part.reads)
        tensors |= dict(zip(names, changed, strict=True))
        makes = tuple(f"{at}/{name} made" for name in part.makes)
        tried.append((reading, Part(part.content, names, makes)))
    answers = here(pieces.suffix, [other for _, other in tried], tensors, chained=False)
    ports = [pieces.ports[name] for name in part.makes]
    for (reading, _), found in zip(tried, answers, strict=True):
        if isinstance(found, str):
            continue
        back = [reading.after(array, first) for array in found]
        if any(b.shape != a.shape for b, a in zip(back, answer, strict=True)):
            continue
        if not differences(back, answer, ports, channels_first=first):
            return reading.words
    return ""
