"""Samples split by their use: to calibrate on, to choose on, to evaluate on; none is used for two."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
_DRAWN = 100_000  # of those, unless more are wanted
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
    choosing: "SampleSplit | None" = None
    """Further samples to choose on, as samples held out for that; None where nothing is chosen."""
    scale: str | None = None
    """What the pixels of image files became; None where the samples were no images."""


def set_aside(
    source: SampleSource,
    folder: Path,
    *,
    calibration: int = CALIBRATION_SAMPLES,
    choosing: int = 0,
    held_out: int = EVALUATION_SAMPLES,
    progress: Progress = silent,
) -> SampleSplit:
    """Read the data once and write samples into a folder: some to calibrate on, others held out.

    Where the number of samples is known they are drawn at random (always the same ones), since data on
    disk is often sorted by class; a third at least is held out, and half where some are to choose on. A
    stream is read in order, every third sample held out (every second), until all parts are full.
    Samples with NaN or infinite values are left out.

    Args:
        source: the data.
        folder: where to write them; it must not exist yet.
        calibration: the most to calibrate on; 0 for none.
        choosing: the most to choose on, beside those to calibrate on; 0 for none.
        held_out: the most to evaluate on.
        progress: if a watcher, is told how many samples are read.

    Raises:
        DataError: too few samples.
    """
    full = {"calibration": calibration, "choosing": choosing, "held_out": held_out}
    uses = _plan(source, full)
    parts = {use: _Part(ArrayWriter(folder / use)) for use in full}
    flaws = {"nan": 0, "constant": 0, "seen": 0}
    most = sum(full.values())
    wanted = min(most, source.count or most)
    advance = advances(progress)
    label_bytes = 0
    for number, (sample, label) in source.read(lambda i: uses(i) is not None):
        use = uses(number)
        assert use is not None
        part = parts[use]
        if part.store.count >= full[use]:
            if all(parts[u].store.count >= full[u] for u in parts):
                break
            continue
        flaws["seen"] += 1
        advance(flaws["seen"], wanted)
        if not all(np.isfinite(a).all() for a in sample.values()):
            flaws["nan"] += 1
            continue
        flaws["constant"] += any(a.size > 1 and a.min() == a.max() for a in sample.values())
        part.store.add({name: array[np.newaxis] for name, array in sample.items()})
        if use != "calibration":
            part.numbers.append(number)
            part.add(label, number)
            label_bytes += 0 if label is None else _bytes(label)
            if label_bytes > _MOST_LABEL_BYTES:
                raise DataError(
                    f"{source.source}: the labels of {sum(len(p.labels) for p in parts.values())} samples "
                    f"take more than {_MOST_LABEL_BYTES:,} bytes. Save them in a smaller type, as uint8."
                )
    stored = {use: part.store.close() for use, part in parts.items()}
    usable, calibrated = sum(map(len, stored.values())), len(stored["calibration"])
    least = MIN_SAMPLES if calibration else 1
    if usable < least or any(full[use] and not stored[use].count for use in full):
        nan = f" ({flaws['nan']} more hold NaN or infinite values)" if flaws["nan"] else ""
        raise DataError(
            f"{source.source}: {usable} usable samples{nan}; at least {MIN_SAMPLES} are needed, and "
            f"{800 if choosing else 100} or more advised."
        )

    def split(use: str, chosen_on: SampleSplit | None, warnings: Iterable[str]) -> SampleSplit:
        part, count = parts[use], stored[use].count
        labels = _together(part.labels, source.source) if len(part.labels) == count else None
        return SampleSplit(
            stored["calibration"] if calibration else None,
            stored[use],
            labels,
            tuple(part.numbers),
            source.label_names,
            (*source.warnings, *warnings, *_unlabelled(part.unlabelled, count)),
            source.source,
            chosen_on,
            source.scale,
        )

    return split(
        "held_out",
        split("choosing", None, ()) if choosing else None,
        _flaws(flaws, calibrated if calibration else None),
    )


@dataclass(slots=True)
class _Part:
    """Samples of one use, as they are read."""

    store: ArrayWriter
    labels: list[Any] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    unlabelled: list[int] = field(default_factory=list)

    def add(self, label: Any, number: int) -> None:
        if label is None:
            self.unlabelled.append(number)
        else:
            self.labels.append(label)


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


def _plan(source: SampleSource, full: Mapping[str, int]) -> Any:
    """Make a function from a sample's index to its use, or to None where it is not read."""
    calibration, choosing, held_out = full["calibration"], full["choosing"], full["held_out"]
    count = source.count
    if not calibration:
        if count is None or count <= held_out:
            return lambda i: "held_out"
        chosen = set(_draw(count, held_out)[:held_out].tolist())
        return lambda i: "held_out" if i in chosen else None
    if count is None:
        turns = _TURNS_OF_THREE if choosing else _TURNS
        return lambda i: turns[i % len(turns)]
    least = count // 2 if choosing else count // 3
    evaluated = min(held_out, max(least, count - calibration - choosing))
    others = count - evaluated
    chosen_on = min(choosing, others - min(calibration, others // 2))
    # Those to calibrate on are at the end, so that they are the same whether some are to choose on or not.
    order = _draw(count, evaluated + calibration + choosing)
    uses = dict.fromkeys(order[:evaluated].tolist(), "held_out")
    uses |= dict.fromkeys(order[evaluated : evaluated + chosen_on].tolist(), "choosing")
    calibrated = min(calibration, others - chosen_on)
    uses |= dict.fromkeys(order[len(order) - calibrated :].tolist(), "calibration")
    return uses.get


_TURNS = ("calibration", "calibration", "held_out")
"""What the samples of a stream are for, one after the other."""

_TURNS_OF_THREE = ("calibration", "held_out", "choosing", "held_out")
"""The same where some are to choose on."""


def _draw(count: int, least: int) -> Array:
    """Draw at least so many indices, where there are as many; always the same ones, in random order."""
    random = np.random.default_rng(0)
    if count <= _SHUFFLED:
        return random.permutation(count)
    return random.choice(count, max(least, _DRAWN), replace=False)


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
