"""Samples set aside: some to calibrate on, others to evaluate on, none for both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array, DataError, SampleSource
from edgekit.data.store import ArrayWriter, StoredArrays

DEFAULT_CALIBRATION = 200
"""More helps little: from 24 to 200 samples EfficientNet gains 5 dB, beyond it under one."""


MOST_HELD_OUT = 1000


FEWEST = 4


@dataclass(frozen=True, slots=True)
class SampleSplit:
    """What a run works with: rows to calibrate on, and others to judge by."""

    calibration: StoredArrays | None
    held_out: StoredArrays
    labels: Array | Mapping[str, Array] | None
    """Of the held-out rows; by output name where outputs have labels of their own."""
    numbers: tuple[int, ...]
    """The held-out rows' numbers in the data."""
    label_names: tuple[str, ...]
    warnings: tuple[str, ...]
    source: str


def set_aside(
    rows: SampleSource,
    folder: Path,
    *,
    calibration: int = DEFAULT_CALIBRATION,
    held_out: int = MOST_HELD_OUT,
) -> SampleSplit:
    """Reads the data once and sets rows aside, none of them for both purposes.

    Where the number of rows is known they are drawn at random (always the same ones), since data on
    disk is often sorted by class; a third at least is held out. A stream is read in order, every
    third row held out, until both shares are full.

    Args:
        rows: the data.
        folder: where to put them; it must not be there yet.
        calibration: the most to calibrate on; 0 for none.
        held_out: the most to judge by.

    Raises:
        DataError: too few rows.
    """
    uses = _plan(rows, calibration, held_out)
    stores = {use: ArrayWriter(folder / use) for use in ("calibration", "held_out")}
    labels: list[Any] = []
    numbers: list[int] = []
    flaws = {"nan": 0, "constant": 0, "seen": 0}
    full = {"calibration": calibration, "held_out": held_out}
    for number, (sample, label) in rows.read(lambda i: uses(i) is not None):
        use = uses(number)
        assert use is not None
        if stores[use].count >= full[use]:
            if all(stores[u].count >= full[u] for u in stores):
                break
            continue
        flaws["seen"] += 1
        if not all(np.isfinite(a).all() for a in sample.values()):
            flaws["nan"] += 1
            continue
        flaws["constant"] += any(a.size > 1 and a.min() == a.max() for a in sample.values())
        stores[use].add({name: array[np.newaxis] for name, array in sample.items()})
        if use == "held_out":
            numbers.append(number)
            if label is not None:
                labels.append(label)
    stored = {use: store.close() for use, store in stores.items()}
    have = stored["held_out"].count, stored["calibration"].count
    if not have[0] or (calibration and not have[1]) or (calibration and sum(have) < FEWEST):
        raise DataError(
            f"{rows.source}: {sum(have)} usable samples"
            f"{' (' + str(flaws['nan']) + ' more are not numbers)' if flaws['nan'] else ''}; at least "
            f"{FEWEST} are needed, and 100 or more advised."
        )
    return SampleSplit(
        stored["calibration"] if calibration else None,
        stored["held_out"],
        _together(labels) if len(labels) == have[0] else None,
        tuple(numbers),
        rows.label_names,
        tuple(_flaws(flaws, have[1] if calibration else None)),
        rows.source,
    )


def _together(labels: list[Any]) -> Array | dict[str, Array]:
    if isinstance(labels[0], Mapping):
        return {name: np.array([own[name] for own in labels]) for name in labels[0]}
    return np.array(labels)


def _plan(rows: SampleSource, calibration: int, held_out: int) -> Any:
    """A function from a row's number to its use, or None for a row that is not read."""
    if not calibration:
        chosen = _draw(rows.count, held_out)
        return lambda i: "held_out" if chosen is None or i in chosen else None
    if rows.count is None:
        return lambda i: "held_out" if i % 3 == 2 else "calibration"
    judged = min(held_out, max(rows.count // 3, rows.count - calibration))
    order = np.random.default_rng(0).permutation(rows.count)
    held = set(order[:judged].tolist())
    used = set(order[judged : judged + calibration].tolist())
    return lambda i: "held_out" if i in held else "calibration" if i in used else None


def _draw(count: int | None, most: int) -> set[int] | None:
    if count is None or count <= most:
        return None
    return set(np.random.default_rng(0).permutation(count)[:most].tolist())


def _flaws(flaws: Mapping[str, int], calibrated: int | None) -> Iterator[str]:
    seen = flaws["seen"]
    if flaws["nan"]:
        yield f"{flaws['nan']} of {seen} samples hold NaN or infinite values, and were left out"
    if flaws["constant"]:
        yield f"{flaws['constant']} of {seen} samples are constant: every value in them is the same"
    if calibrated is not None and calibrated < 50:
        yield f"only {calibrated} samples to calibrate on; 100 to 200 are advised"
