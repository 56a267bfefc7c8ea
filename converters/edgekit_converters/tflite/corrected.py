"""Corrected constants: other values of weights and biases, which make up for rounding."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit_converters.base import Array


@dataclass(frozen=True, slots=True)
class Corrected:
    """Constants of a float graph that are right for one int8 file, and wrong for every other recipe.

    As float the graph with them is no longer the model: nothing but the int8 file is made from it.
    """

    constants: Mapping[str, Array] = field(default_factory=dict)
    """By tensor name, for ``with_constants``."""
    weight_ranges: Mapping[str, Array] = field(default_factory=dict)
    """Of the weights among them, for ``write_tflite``: with these their integers come back."""
    note: str = ""
    """Why nothing is corrected, in words for the user."""
