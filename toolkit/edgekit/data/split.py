"""Samples split into those to calibrate on and those to evaluate on; none is used for both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array, DataError, SampleSource
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.progress import Progress, advances, silent

CALIBRATION_SAMPLES = 200
"""The most to calibrate on: from 24 to 200 samples EfficientNet gains 5 dB, beyond it under one."""

EVALUATION_SAMPLES = 1000
"""The most to evaluate on."""

MIN_SAMPLES = 4
"""The fewest, of both together, that a model is calibrated with."""

_ADVISED_SAMPLES = 50  # to calibrate on, below which a warning says so
_SHUFFLED = 1_000_000  # samples; of more, some are drawn without putting all in an order
_MOST_LABEL_BYTES = 1 << 30
"""Labels are held in memory; those of images' pixels can be large."""


@dataclass(frozen=True, slots=True)
class SampleSplit:
    """Samples to calibrate on, and others to evaluate on."""

    calibration: StoredArrays | None
    held_out: StoredArrays
    labels: Array | Mapping[str, Array] | None
    """Of the held-out samples; by output name where each output has labels."""
    numbers: tuple[int, ...]
    """The indices of the held-out samples in the data."""
    label_names: tuple[str, ...]
    warnings: tuple[str, ...]
    source: str


def set_aside(
    source: SampleSource,
    folder: Path,
    *,
    calibration: int = CALIBRATION_SAMPLES,
    held_out: int = EVALUATION_SAMPLES,
    progress: Progress = silent,
) -> SampleSplit:
    """Read the data once and write samples into a folder: some to calibrate on, others held out.

    Where the number of samples is known they are drawn at random (always the same ones), since data on
    disk is often sorted by class; a third at least is held out. A stream is read in order, every
    third sample held out, until both parts are full. Samples with NaN or infinite values are left out.

    Args:
        source: the data.
        folder: where to write them; it must not exist yet.
        calibration: the most to calibrate on; 0 for none.
        held_out: the most to evaluate on.
        progress: if a watcher, is told how many samples are read.

    Raises:
        DataError: too few samples.
    """
    uses = _plan(source, calibration, held_out)
    stores = {use: ArrayWriter(folder / use) for use in ("calibration", "held_out")}
    labels: list[Any] = []
    numbers: list[int] = []
    label_bytes = 0
    unlabelled: list[int] = []
    flaws = {"nan": 0, "constant": 0, "seen": 0}
    full = {"calibration": calibration, "held_out": held_out}
    wanted = min(calibration + held_out, source.count or calibration + held_out)
    advance = advances(progress)
    for number, (sample, label) in source.read(lambda i: uses(i) is not None):
        use = uses(number)
        assert use is not None
        if stores[use].count >= full[use]:
            if all(stores[u].count >= full[u] for u in stores):
                break
            continue
        flaws["seen"] += 1
        advance(flaws["seen"], wanted)
        if not all(np.isfinite(a).all() for a in sample.values()):
            flaws["nan"] += 1
            continue
        flaws["constant"] += any(a.size > 1 and a.min() == a.max() for a in sample.values())
        stores[use].add({name: array[np.newaxis] for name, array in sample.items()})
        if use == "held_out":
            numbers.append(number)
            if label is None:
                unlabelled.append(number)
            else:
                labels.append(label)
                label_bytes += _bytes(label)
                if label_bytes > _MOST_LABEL_BYTES:
                    raise DataError(
                        f"{source.source}: the labels of {len(labels)} samples take more than "
                        f"{_MOST_LABEL_BYTES:,} bytes. Save them in a smaller type, as uint8."
                    )
    stored = {use: store.close() for use, store in stores.items()}
    evaluated, calibrated = stored["held_out"].count, stored["calibration"].count
    usable = evaluated + calibrated
    if not evaluated or (calibration and (not calibrated or usable < MIN_SAMPLES)):
        nan = f" ({flaws['nan']} more hold NaN or infinite values)" if flaws["nan"] else ""
        raise DataError(
            f"{source.source}: {usable} usable samples{nan}; at least {MIN_SAMPLES} are needed, and 100 "
            "or more advised."
        )
    return SampleSplit(
        stored["calibration"] if calibration else None,
        stored["held_out"],
        _together(labels, source.source) if len(labels) == evaluated else None,
        tuple(numbers),
        source.label_names,
        (
            *source.warnings,
            *_flaws(flaws, calibrated if calibration else None),
            *_unlabelled(unlabelled, evaluated),
        ),
        source.source,
    )


def _together(labels: list[Any], source: str) -> Array | dict[str, Array]:
    outputs = [tuple(label) if isinstance(label, Mapping) else () for label in labels]
    other = next((names for names in outputs if set(names) != set(outputs[0])), None)
    if other is not None:
        raise DataError(
            f"{source}: some samples have labels for {', '.join(outputs[0]) or 'the only output'}, and "
            f"others for {', '.join(other) or 'the only output'}."
        )
    if outputs[0]:
        return {n: _stack([label[n] for label in labels], f"{source}: {n}") for n in outputs[0]}
    return _stack(labels, source)


def _stack(labels: list[Any], source: str) -> Array:
    shapes = dict.fromkeys(np.shape(label) for label in labels)
    if len(shapes) > 1:
        first, second, *_ = shapes
        raise DataError(f"{source}: labels of different shapes, {first} and {second}.")
    return np.array(labels)


def _bytes(label: Any) -> int:
    arrays = label.values() if isinstance(label, Mapping) else [label]
    return sum(np.asarray(array).nbytes for array in arrays)


def _plan(source: SampleSource, calibration: int, held_out: int) -> Any:
    """Make a function from a sample's index to its use, or to None where it is not read."""
    if not calibration:
        if source.count is None or source.count <= held_out:
            return lambda i: "held_out"
        chosen = set(_draw(source.count, held_out).tolist())
        return lambda i: "held_out" if i in chosen else None
    if source.count is None:
        return lambda i: "held_out" if i % 3 == 2 else "calibration"
    evaluated = min(held_out, max(source.count // 3, source.count - calibration))
    order = _draw(source.count, evaluated + calibration)
    kept = set(order[:evaluated].tolist())
    used = set(order[evaluated : evaluated + calibration].tolist())
    return lambda i: "held_out" if i in kept else "calibration" if i in used else None


def _draw(count: int, most: int) -> Array:
    """Draw indices at random, always the same ones, in random order."""
    random = np.random.default_rng(0)
    if count <= _SHUFFLED:
        return random.permutation(count)[:most]
    return random.choice(count, min(most, count), replace=False)


def _flaws(flaws: Mapping[str, int], calibrated: int | None) -> Iterator[str]:
    seen = flaws["seen"]
    if flaws["nan"]:
        yield f"{flaws['nan']} of {seen} samples hold NaN or infinite values, and were left out"
    if flaws["constant"]:
        yield f"{flaws['constant']} of {seen} samples are constant: every value in them is the same"
    if calibrated is not None and calibrated < _ADVISED_SAMPLES:
        yield f"only {calibrated} samples to calibrate on; 100 to 200 are advised"


def _unlabelled(unlabelled: list[int], evaluated: int) -> Iterator[str]:
    """Say why labels are not used that most samples have."""
    if 0 < len(unlabelled) < evaluated:
        yield (
            f"no labels are used: {len(unlabelled)} of {evaluated} samples to evaluate on have none, the "
            f"first is sample {unlabelled[0]}"
        )
