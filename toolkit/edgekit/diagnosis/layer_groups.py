"""Layers that are right alone and wrong together: what a runtime fuses, or compiles as a whole."""

from collections.abc import Mapping

from edgekit.data.samples import Array
from edgekit.diagnosis.judged_pieces import Difference, differences
from edgekit.inference.parts import Runner
from edgekit_converters import ConversionError
from edgekit_converters.pieces import Pieces

_ALLOWED = 4.0
"""Times one operator's rounding: of several, it adds up."""


def find_group(
    pieces: Pieces, made: Mapping[str, Array], run: Runner
) -> tuple[int, int, Difference] | None:
    """Find the shortest run of layers that a target computes otherwise, in some twice log2 of them tries.

    Args:
        pieces: the model.
        made: what each makes where it is right.
        run: the target.

    Returns:
        The places of its first and its last layer, and how what they make differs; None where all layers
        together do not differ.
    """

    def wrong(first: int, last: int) -> Difference | None:
        try:
            part = pieces.cut(range(first, last + 1))
        except ConversionError:
            return None
        if not {*part.reads, *part.makes} <= made.keys():
            return None
        read = {name: made[name] for name in part.reads}
        (answer,) = run(pieces.suffix, [part], read, chained=False)
        if isinstance(answer, str):
            return None
        found = differences(
            [made[name] for name in part.makes],
            answer,
            [pieces.ports[name] for name in part.makes],
            channels_first=pieces.channels_first,
            allowed=_ALLOWED,
        )
        return found[0] if found else None

    last = len(pieces.pieces) - 1
    found = wrong(0, last)
    if found is None:
        return None
    low = 0  # the first end with which the layers from the beginning are wrong
    while low < last:
        middle = (low + last) // 2
        if difference := wrong(0, middle):
            last, found = middle, difference
        else:
            low = middle + 1
    first, high = 0, last  # the last beginning with which they still are
    while first < high:
        middle = (first + high + 1) // 2
        if difference := wrong(middle, last):
            first, found = middle, difference
        else:
            high = middle - 1
    return first, last, found
