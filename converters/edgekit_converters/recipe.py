"""The recipe of a file: what decides its numbers beside the model and the samples.

Three things make a quantized file more accurate or faster: other ranges, other constants, and operators
that stay in float32. A recipe says which; the files of all formats follow it alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit_converters.base import Precision


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one file is made: plain data, and the same bytes again from the same model and samples."""

    precision: Precision = "int8"
    keep_float: Mapping[str, str] = field(default_factory=dict)
    """The operators of a calibrated file that compute in float32, each by the name of its first output
    in the float graph; with the reason, for people."""
    ranges: str = "extremes"
    """How the range of a tensor is found: ``extremes``, ``mse``, or ``percentile:99.99``."""
    equalize: bool = False
    """Whether channels are scaled to equal ranges first, which changes nothing in float."""
    correct_bias: bool = False
    """Whether biases make up for the mean error of their operators."""
    rounding_steps: int = 0
    """Steps of training the rounding of weights against the float model; 0: to nearest."""
    seed: int = 0
