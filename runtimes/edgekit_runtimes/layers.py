"""Layers: the tensors between a file's inputs and outputs, as float32."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit_runtimes.base import Array, TensorSpec


@dataclass(frozen=True, slots=True)
class Layer:
    """A tensor between a file's inputs and outputs, both included."""

    name: str
    """The name of the tensor of the operator that does the work."""

    tensors: tuple[str, ...]
    """The names of all tensors with its values: float32, quantized, dequantized."""

    kind: str
    """The operator that computes it, by the format's name; ``input`` for an input."""

    reads: tuple[int, ...]
    """The positions, in the list of layers, of those that it reads."""

    scale: float | None = None
    """Where it is quantized: real value = scale x (integer - zero_point)."""

    zero_point: int = 0
    least: int = 0
    """The least and the greatest integer of its type."""

    greatest: int = 0
    dtype: str = "float32"
    """Of its values, as the runtime has them."""

    @property
    def range(self) -> tuple[float, float] | None:
        """The representable range; None in float32."""
        if self.scale is None:
            return None
        low, high = (self.scale * (end - self.zero_point) for end in (self.least, self.greatest))
        return low, high


@dataclass(frozen=True, slots=True)
class Layers:
    """A file's layers in the order of its graph, and a way to compute them."""

    layers: tuple[Layer, ...]
    run: Callable[[Mapping[str, Array]], list[Array]]
    """From one batch by input name to float32, one array per layer."""

    inputs: tuple[TensorSpec, ...]


def as_float(array: Array, layer: Layer) -> Array:
    """A layer's tensor as float32."""
    if layer.scale is None or array.dtype.kind == "f":
        return array
    real: Array = (array.astype(np.float32) - layer.zero_point) * np.float32(layer.scale)
    return real
