"""The types that every runtime speaks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt

from edgekit_runtimes.placement import Placement

Array = npt.NDArray[Any]
Kind = Literal["cpu", "gpu", "npu"]

EXTRA = "pip install 'edgekit-toolkit[{}]'"
"""The line that installs an optional part of this package."""

UNTESTED = "not tested on hardware"
"""The note of a device that nobody has run yet."""


class RuntimesError(Exception):
    """What a runtime cannot do: the root of this package's errors."""


class DeviceUnavailable(RuntimesError):
    """A device that is not there, or does not do what was asked of it, and what to do about it."""


class RuntimeMissing(DeviceUnavailable):
    """A package that is not installed, and the line that installs it."""


Missing = DeviceUnavailable | None
"""What a device lacks here, not raised yet; None where it is ready."""


class NotDelegated(DeviceUnavailable):
    """A device that would run less of the model than was asked for; see ``placement``."""

    def __init__(self, message: str, placement: Placement) -> None:
        super().__init__(message)
        self.placement = placement


class ModelError(RuntimesError):
    """A file that cannot be opened or run."""


class InputError(RuntimesError, ValueError):
    """Arrays that the model cannot take: what was expected, and what was given."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or an output of a model.

    ``shape`` has the batch axis first; None is an open size. Where ``scale`` is set, the file holds
    integers: real value = scale x (integer - zero_point).
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
"""Runs one batch of the file's own size and types, in whatever strides. Gives fresh arrays, not views
of the runtime's.
"""


@dataclass(slots=True)
class Engine:
    """A file opened on one device: what a runtime's ``open_x(path, threads)`` returns."""

    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    call: Call
    place: Callable[[], Placement]
    """Which processor runs which operators; may open the file once more to find out."""

    one: Callable[[Array], Array] | None = None
    """The same as ``call`` for one input and one output, without the detour by lists."""

    concurrent: bool = False
    """Whether several threads may be in ``call`` at once."""

    emulated: bool = False
    """Whether the device is imitated in software: right answers, timing that says nothing."""

    close: Callable[[], None] | None = None
    """Lets go of what does not go by itself."""
