"""The types of every runtime: errors, tensors, and ``Engine``, which a runtime returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgekit_runtimes.placement import Placement

Array = np.ndarray[Any, np.dtype[Any]]  # numpy.typing takes a millisecond to import
Kind = Literal["cpu", "gpu", "npu"]

EXTRA = "pip install 'edgekit-toolkit[{}]'"
"""The line that installs an optional part of this package."""

UNTESTED = "not tested on hardware"
"""The note of a device that nobody has run yet."""


class RuntimesError(Exception):
    """The root of this package's errors."""


class DeviceUnavailable(RuntimesError):
    """A device that is not there, or does not do what was asked of it, and what to do about it."""


class RuntimeMissing(DeviceUnavailable):
    """A package that is not installed, and the line that installs it."""


Missing = DeviceUnavailable | None
"""What a device lacks on this machine, not raised yet; None where it is ready."""


class NotDelegated(DeviceUnavailable):
    """A device that would run less of the model than was asked for; see ``placement``."""

    def __init__(self, message: str, placement: Placement) -> None:
        super().__init__(message)
        self.placement = placement


class ModelError(RuntimesError):
    """A model file that cannot be opened or run."""


class SignatureError(ModelError):
    """A folder that is not what the holder of a key signed, or whose signature cannot be verified."""


class InputError(RuntimesError, ValueError):
    """Arrays that do not fit the model: what was expected, and what was given."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or an output of a model.

    ``shape`` has the batch axis first; None is a dynamic dimension. Where ``scale`` is set, the file
    holds integers: float32 value = scale x (integer - zero_point).
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    scale: float | None = None
    zero_point: int = 0

    def __str__(self) -> str:
        sizes = ", ".join("any" if n is None else str(n) for n in self.shape)
        return f"{self.name} ({sizes}) {self.dtype}"


Call = Callable[[Sequence[Array]], Sequence[Array]]
"""Runs one batch: arrays in the order of the inputs, in the file's shapes and dtypes, with any strides.
Returns new arrays, not views of the runtime's memory.
"""


def _unknown() -> Placement:
    return Placement("unknown", "unknown", "", ())


@dataclass(slots=True)
class Engine:
    """A file opened on one device: what the function of a runtime, ``open_x(path, threads)``, returns.

    This is all that a runtime has to offer; a ``Session`` does the rest (names, batches, quantization,
    checks, streams). A test makes a session of any function, without a file:

    >>> from edgekit_runtimes import Engine, Session, TensorSpec
    >>> x, y = TensorSpec("x", (None, 3), "float32"), TensorSpec("y", (None, 3), "float32")
    >>> double = Engine([x], [y], lambda arrays: [2 * arrays[0]])
    >>> with Session("double", double, device="fake") as model:
    ...     model.run({"x": [[1, 2, 3]]})
    {'y': array([[2., 4., 6.]], dtype=float32)}
    """

    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    call: Call
    place: Callable[[], Placement] = _unknown
    """Finds out which processor runs which operators; may open the file once more for it."""

    one: Callable[[Array], Array] | None = None
    """The same as ``call`` for one input and one output, without lists: faster for small models."""

    concurrent: bool = False
    """Whether several threads may be in ``call`` at once."""

    simulated: bool = False
    """Whether the device is a simulator: right outputs, meaningless timing."""

    close: Callable[[], None] | None = None
    """Releases what is not released by garbage collection."""
