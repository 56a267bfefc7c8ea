"""A file's values against the original's, as dots: on the diagonal where they are equal."""

from dataclasses import dataclass

from edgekit.diagnosis.value_pairs import ValuePairs
from edgekit.report.charts import Axis, axis


@dataclass(frozen=True, slots=True)
class Scatter:
    """One plot, on one scale for both directions: the line of equal values is its diagonal."""

    title: str
    axis: Axis
    dots: tuple[tuple[float, float], ...]


def scatter(pairs: ValuePairs) -> Scatter:
    """Draw the pairs; every one lies inside."""
    scale = axis([*pairs.original, *pairs.candidate])
    return Scatter(
        title="" if pairs.position is None else f"value {pairs.position}",
        axis=scale,
        dots=tuple(
            (scale.at(before), 100 - scale.at(after))
            for before, after in zip(pairs.original, pairs.candidate, strict=True)
        ),
    )
