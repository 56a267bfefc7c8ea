"""The types that every runtime speaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, overload

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class RuntimeMissing(Exception):
    """A runtime or an accelerator that is not there, and the line that adds it."""


class ModelError(Exception):
    """A file that cannot be opened or run."""


class InputError(ValueError):
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


class Backend(Protocol):
    """What one runtime does: run one batch, of the file's own size and types."""

    def __call__(self, arrays: Sequence[Array]) -> Sequence[Array]:
        """The outputs, in the order of the specs; fresh arrays, not views into the runtime."""
        ...


class Session:
    """An open model: real numbers in, real numbers out, in batches of any size."""

    def __init__(
        self,
        path: str,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        backend: Backend,
    ) -> None:
        self.path = path
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self._backend: Backend | None = backend

    @overload
    def run(self, x: Mapping[str, Array]) -> dict[str, Array]: ...
    @overload
    def run(self, x: Array) -> Array: ...
    def run(self, x: Array | Mapping[str, Array]) -> Array | dict[str, Array]:
        """The model's answers to a batch of any size.

        Args:
            x: an array by the name of each input, batch axis first; or, for a model with one
                input and one output, the bare array.

        Returns:
            Arrays by the name of each output where names were given, else the bare array.

        Raises:
            InputError: a name, a shape or a type is not what the model takes.
        """
        if isinstance(x, Mapping):
            return self._run(x)
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            names = {s.name: "..." for s in self.inputs}
            raise InputError(
                f"{self.path} has {len(self.inputs)} inputs and {len(self.outputs)} outputs: pass "
                f"arrays by name, as in run({names}), and get them by name."
            )
        return self._run({self.inputs[0].name: x})[self.outputs[0].name]

    def close(self) -> None:
        """Lets the runtime go, and the memory it holds."""
        self._backend = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        if self._backend is None:
            raise ModelError(f"{self.path} is closed.")
        batches, count = self._checked(arrays)
        fixed = self.inputs[0].shape[0]
        if fixed is None or fixed == count:
            results = [list(self._backend(batches))]
        else:
            results = [list(self._backend(part)) for part in _parts(batches, count, fixed)]
        return {
            spec.name: _real(
                np.concatenate([r[i] for r in results])[:count]
                if len(results) > 1
                else results[0][i][:count],
                spec,
            )
            for i, spec in enumerate(self.outputs)
        }

    def _checked(self, arrays: Mapping[str, Array]) -> tuple[list[Array], int]:
        if unknown := sorted(set(arrays) - {s.name for s in self.inputs}):
            raise InputError(
                f"{self.path} has no input {', '.join(unknown)}; it takes "
                f"{'; '.join(map(str, self.inputs))}."
            )
        batches = []
        for spec in self.inputs:
            if spec.name not in arrays:
                raise InputError(f"{self.path} also needs the input {spec}.")
            batches.append(_taken(np.asarray(arrays[spec.name]), spec))
        counts = {len(b) for b in batches}
        if len(counts) != 1:
            raise InputError(
                f"the inputs of {self.path} have different batch sizes: {sorted(counts)}."
            )
        if not (count := counts.pop()):
            raise InputError(f"{self.path} was given a batch of no samples.")
        return batches, count


def quantize(real: Array, spec: TensorSpec) -> Array:
    """Real numbers as the integers of ``spec``: rounded to the nearest (even at a tie), clipped.

    The same as XNNPACK's and ONNX Runtime's own quantizing operators, so that a file with integer
    inputs answers as one that quantizes inside.
    """
    assert spec.scale is not None
    limits = np.iinfo(spec.dtype)
    whole = np.rint(real / np.float32(spec.scale)) + spec.zero_point
    integers: Array = np.clip(whole, limits.min, limits.max).astype(spec.dtype)
    return integers


def _taken(array: Array, spec: TensorSpec) -> Array:
    """The array as the file wants it, checked."""
    expected = spec.shape
    fits = array.ndim == len(expected) and all(
        want is None or have == want
        for have, want in zip(array.shape[1:], expected[1:], strict=True)
    )
    if not fits:
        sizes = ", ".join("any" if n is None else str(n) for n in expected[1:])
        raise InputError(
            f"input {spec.name!r}: expected (batch{', ' if sizes else ''}{sizes}), got {array.shape}."
        )
    if array.dtype.kind not in "fiub":
        raise InputError(f"input {spec.name!r}: expected numbers, got {array.dtype}.")
    if spec.scale is not None:
        return quantize(array.astype(np.float32, copy=False), spec)
    if array.dtype.kind == "f" and np.dtype(spec.dtype).kind in "iu":
        whole = array.astype(spec.dtype)
        if not np.array_equal(whole, array):
            raise InputError(
                f"input {spec.name!r}: expected whole numbers ({spec.dtype}), got {array.dtype}."
            )
        return np.ascontiguousarray(whole)
    return np.ascontiguousarray(array, spec.dtype)


def _real(array: Array, spec: TensorSpec) -> Array:
    if spec.scale is None:
        return array
    return (array.astype(np.float32) - spec.zero_point) * np.float32(spec.scale)


def _parts(batches: list[Array], count: int, size: int) -> list[list[Array]]:
    """Batches of the file's own size; the last is filled up with its last sample."""
    parts = []
    for start in range(0, count, size):
        part = [b[start : start + size] for b in batches]
        if (missing := size - len(part[0])) > 0:
            part = [np.concatenate([p, np.repeat(p[-1:], missing, axis=0)]) for p in part]
        parts.append(part)
    return parts
