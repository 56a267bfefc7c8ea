"""Units of metrics: how values and differences are written, and which differences are negligible."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a metric's values, and of differences between them."""

    symbol: str = ""
    """Behind a value, as in ``98.8%``."""

    difference_symbol: str = ""
    """Behind a difference, as in ``1.9 pt``."""

    scale: float = 1.0
    """What a number is multiplied with to be written."""

    digits: str = ".4g"
    """The format of values."""

    difference_digits: str = ".4g"
    """The format of differences."""

    is_fraction: bool = False
    """Whether 1 is the best value, so that a limit may be written as a percentage: 1% is 0.01."""

    negligible: float = 0.01
    """A drop too small to fail a build for: libraries and processors round differently."""

    negligible_is_relative: bool = True
    """Whether that is a fraction of the original's value."""

    def negligible_drop(self, original: float) -> float:
        """The drop that is negligible where the original has this value."""
        return self.negligible * abs(original) if self.negligible_is_relative else self.negligible


NUMBER = Unit()
PERCENT = Unit("%", " pt", 100.0, ".1f", ".3g", True, 0.001, negligible_is_relative=False)
COEFFICIENT = Unit("", "", 1.0, ".3f", ".3g", True, 0.001, negligible_is_relative=False)
"""At most 1, yet never written as a percentage: R2, cosine similarity."""
DECIBEL = Unit(" dB", " dB", 1.0, ".1f", ".3g", False, 0.5, negligible_is_relative=False)
