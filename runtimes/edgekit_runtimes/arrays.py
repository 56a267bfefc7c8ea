"""Arrays converted to what a file takes, and back: checks, quantization, batches."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit_runtimes.base import Array, InputError, TensorSpec


def quantize(real: Array, spec: TensorSpec) -> Array:
    """Quantizes float32 to the integers of ``spec``: rounded to the nearest (ties to even), clipped.

    The same as XNNPACK's and ONNX Runtime's own quantizing operators, so that a file with integer
    inputs gives the same outputs as one that quantizes inside.
    """
    assert spec.scale is not None
    limits = np.iinfo(spec.dtype)
    scaled = np.rint(real / np.float32(spec.scale)) + spec.zero_point
    integers: Array = np.clip(scaled, limits.min, limits.max).astype(spec.dtype)
    return integers


def dequantize(integers: Array, spec: TensorSpec) -> Array:
    """Dequantizes the integers of ``spec`` to float32."""
    assert spec.scale is not None
    real: Array = (integers.astype(np.float32) - spec.zero_point) * np.float32(spec.scale)
    return real


def as_input(array: Array, spec: TensorSpec, *, raw: bool = False) -> Array:
    """Converts an array to the shape and dtype of an input, contiguous in memory.

    Args:
        array: what was given, batch axis first.
        spec: the input.
        raw: pass integers unchanged, not quantized.

    Raises:
        InputError: its shape or its dtype does not fit the input.
    """
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
    if spec.scale is not None and not raw:
        return quantize(array.astype(np.float32, copy=False), spec)
    if np.dtype(spec.dtype).kind not in "iu":
        return np.ascontiguousarray(array, spec.dtype)
    if array.dtype != spec.dtype:
        with np.errstate(invalid="ignore"):  # NaN: it is refused below
            integers = array.astype(spec.dtype)
        if not np.array_equal(integers, array):
            raise InputError(
                f"input {spec.name!r}: expected integers that fit {spec.dtype}, got {array.dtype}."
            )
        return np.ascontiguousarray(integers)
    return np.ascontiguousarray(array)


def checked_inputs(
    arrays: Mapping[str, Array], inputs: Sequence[TensorSpec], path: str, *, raw: bool
) -> tuple[list[Array], int]:
    """Arrays as a model takes them, in the order of its inputs, and how many samples they are.

    Args:
        arrays: what was given, by input name, batch axis first.
        inputs: the model's.
        path: its name in errors.
        raw: pass integers unchanged, not quantized.

    Raises:
        InputError: a name, a shape or a dtype does not fit.
    """
    if unknown := sorted(set(arrays) - {s.name for s in inputs}):
        raise InputError(
            f"{path} has no input {', '.join(unknown)}; its inputs are {'; '.join(map(str, inputs))}."
        )
    given = []
    for spec in inputs:
        if spec.name not in arrays:
            raise InputError(f"{path} also needs the input {spec}.")
        given.append(as_input(np.asarray(arrays[spec.name]), spec, raw=raw))
    counts = {len(array) for array in given}
    if len(counts) != 1:
        raise InputError(f"the inputs of {path} have different batch sizes: {sorted(counts)}.")
    if not (count := counts.pop()):
        raise InputError(f"{path} was given a batch of no samples.")
    return given, count


def batches(arrays: Sequence[Array], count: int, size: int) -> list[list[Array]]:
    """Batches of the file's own size; the last is filled up with its last sample."""
    parts = []
    for start in range(0, count, size):
        part = [a[start : start + size] for a in arrays]
        if (missing := size - len(part[0])) > 0:
            part = [np.concatenate([p, np.repeat(p[-1:], missing, axis=0)]) for p in part]
        parts.append(part)
    return parts


def random_inputs(
    inputs: Sequence[TensorSpec],
    ranges: Mapping[str, tuple[float, float]],
    *,
    raw: bool = False,
) -> dict[str, Array]:
    """One batch of random samples by input name, for timing and trying out.

    Args:
        inputs: what the model takes.
        ranges: by input name, the least and the greatest value; 0 to 1 where there is none.
        raw: give integers where the file takes them.
    """
    random = np.random.default_rng(0)
    made = {}
    for spec in inputs:
        shape = [n or 1 for n in spec.shape]
        if spec.scale is None and np.dtype(spec.dtype).kind in "iub":
            made[spec.name] = np.zeros(shape, spec.dtype)  # a token that every vocabulary has
        else:
            low, high = ranges.get(spec.name, (0.0, 1.0))
            real = random.uniform(low, high, shape).astype(np.float32)
            made[spec.name] = quantize(real, spec) if raw and spec.scale is not None else real
    return made
