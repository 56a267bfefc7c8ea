"""Cortex-M by TensorFlow Lite Micro: which operators it has, and what adds them in C++."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit_converters.targets.inspection import Figure, Inspection, PlacedOperators, TargetError
from edgekit_converters.targets.micro_operators import ADDED_BY, ADDED_BY_CUSTOM, NOT_FOR_ARDUINO
from edgekit_converters.targets.operators import operator_counts, read_model
from edgekit_converters.tflite import flatbuffer

_LACKING = "TensorFlow Lite Micro has no kernel"
_REAL = {0: "float32", 1: "float16", 10: "float64"}  # of TensorType

_ADVICE = {
    "SELECT": "Keras' Embedding wraps negative indices by SELECT",
    "WHILE": "a recurrent layer is a loop here, which TensorFlow Lite Micro may never leave: unroll=True writes "
    "one without",
    "TILE": "UpSampling2D(interpolation='nearest') becomes TILE: Conv2DTranspose, or interpolation='bilinear', does not",
}
"""What to change in the model, by the operator that it is about."""


def adders(path: Path) -> tuple[str, ...]:
    """Return what a ``MicroMutableOpResolver`` must be given: ``AddConv2D``, ``AddSoftmax``, ...

    Raises:
        TargetError: TensorFlow Lite Micro lacks an operator, which is named, or the file is damaged.
    """
    counts = operator_counts(read_model(path))
    if lacking := [kind for kind in counts if _added_by(kind) is None]:
        raise TargetError(
            f"{path}: TensorFlow Lite Micro has no kernel for {', '.join(lacking)}. edgekit inspect {path} "
            "--target cortex-m says what to change."
        )
    return tuple(sorted({f"Add{_added_by(kind)}" for kind in counts}))


def not_for_arduino(path: Path) -> tuple[str, ...]:
    """Return the operators of a file that Arduino's library of TensorFlow Lite Micro is too old for."""
    return tuple(kind for kind in operator_counts(read_model(path)) if kind in NOT_FOR_ARDUINO)


def inspect_cortex_m(path: Path) -> Inspection:
    """Say which operators TensorFlow Lite Micro has, what they take of flash, and what to change.

    Raises:
        TargetError: the file is no TFLite file, or is damaged.
    """
    model = read_model(path)
    placed = tuple(
        PlacedOperators(kind, count, "CPU")
        if _added_by(kind)
        else PlacedOperators(kind, count, "", _LACKING)
        for kind, count in operator_counts(model).items()
    )
    flash = Figure("flash", path.stat().st_size, "bytes", "the model alone")
    return Inspection("cortex-m", "CPU", placed, (flash,), tuple(_advice(model, placed)))


def _added_by(kind: str) -> str | None:
    return ADDED_BY.get(kind) or ADDED_BY_CUSTOM.get(kind)


def _advice(model: Any, placed: tuple[PlacedOperators, ...]) -> Iterator[str]:
    main = model.subgraphs[0]
    ends = [main.tensors[i] for i in (*main.inputs, *main.outputs)]
    if real := [flatbuffer.name(end) for end in ends if end.type in _REAL]:
        yield f"float32 ends ({', '.join(real)}): io='int8' gives integers, which need neither conversions nor a float unit"
    for one in placed:
        if one.kind in _ADVICE:
            yield f"{one.kind}: {_ADVICE[one.kind]}"
