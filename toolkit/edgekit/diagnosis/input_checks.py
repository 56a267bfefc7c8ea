"""What is likely wrong with the samples, told with figures."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.accuracy.tasks import find_tasks, ground_truth, labels_for_output, predicted_classes
from edgekit.bundle.manifest import read_manifest
from edgekit.data.samples import Array
from edgekit.data.split import SampleSplit
from edgekit.data.store import StoredArrays
from edgekit.inference.tensor_names import input_names
from edgekit_runtimes import (
    ModelError,
    Session,
    TensorSpec,
    open_layers,
    open_model,
    precision_of,
)

Ranges = Mapping[str, tuple[Any, Any]]

_PREPROCESSING = {"Rescaling", "Normalization"}
_BYTES = 16  # a maximum above it is that of bytes; up to 1, that of scaled ones
_OUTSIDE = 0.01  # of an input's values; stray ones are no mistake in the pipeline
_SMALL_PART = 1 / 8  # of a range
_FEW, _MOST = 32, 320  # samples at once, and in all
_MISSED = 0.2  # of a range's width: less is what 200 samples miss by chance


def outside_range(calibrated: Ranges, seen: Ranges) -> Iterator[str]:
    """Tensors that leave their calibrated range on the held-out samples: there they saturate."""
    misses = []
    for name, (low, high) in calibrated.items():
        if name not in seen:
            continue
        width = float(high - low) or 1e-12
        excess = max(float(low - seen[name][0]), float(seen[name][1] - high), 0.0) / width
        if excess > _MISSED:
            misses.append((excess, name))
    if misses:
        excess, name = max(misses)
        (low, high), (seen_low, seen_high) = calibrated[name], seen[name]
        yield (
            f"the held-out samples leave the calibrated range in {len(misses)} of {len(calibrated)} "
            f"tensors, most in {name}: calibrated {low:.3g}..{high:.3g}, seen {seen_low:.3g}.."
            f"{seen_high:.3g} ({excess:.0%} of the width outside). Values out there saturate: calibrate "
            "on more, and more varied, samples"
        )


def input_ranges(path: Path, samples: StoredArrays) -> Iterator[str]:
    """Inputs that are scaled otherwise than those that the file was calibrated on.

    The file tells by the range that its quantized inputs hold; where an input stays in float, the
    manifest beside it tells.
    """
    if precision_of(path) in ("float32", "float16", "dynamic"):
        return
    manifest = read_manifest(path.parent)
    ranges = dict(manifest.ranges) if manifest else {}
    with open_model(path) as session:
        names = input_names(samples.shapes, session.inputs, str(path))
    with contextlib.suppress(ModelError):  # LiteRT's own kernels refuse it: the manifest has to do
        layers = open_layers(path).layers
        ranges |= {
            layer.name: layer.range for layer in layers if layer.kind == "input" and layer.range
        }
    for name, own in names.items():
        if (held := ranges.get(own)) is None:
            continue
        low, high, outside, values = np.inf, -np.inf, 0, 0
        slack = (held[1] - held[0]) / 128
        for batch in islice(samples.batches(_FEW), _MOST // _FEW):
            array = batch[name]
            low, high = min(low, float(array.min())), max(high, float(array.max()))
            outside += int(((array < held[0] - slack) | (array > held[1] + slack)).sum())
            values += array.size
        told = f"input {name!r}: the values span {low:.3g}..{high:.3g}"
        other = "Was it calibrated on samples that were scaled otherwise (0..255, not 0..1)?"
        if values and outside > _OUTSIDE * values:
            yield (
                f"{told}, and {path.name} was calibrated on {held[0]:.3g}..{held[1]:.3g}: "
                f"{outside / values:.1%} of them lie outside and saturate. {other}"
            )
        elif values and high - low < _SMALL_PART * (held[1] - held[0]):
            steps = (high - low) / (held[1] - held[0]) * 255
            yield (
                f"{told}, a small part of the {held[0]:.3g}..{held[1]:.3g} that {path.name} was "
                f"calibrated on: {steps:.0f} of its 256 steps. {other}"
            )


def image_range(
    layers: Sequence[str], session: Session, samples: SampleSplit, outputs: StoredArrays
) -> Iterator[str]:
    """Images of 0..255 in a model of 0..1, or the reverse.

    With labels, the proof is the accuracy at the other scale: the images are right where they are
    answered better as they are. Otherwise the model's own layers tell whether it rescales.
    """
    if len(session.inputs) != 1 or not _is_image(session.inputs[0]):
        return
    batch = next(samples.held_out.batches(256))[session.inputs[0].name]
    low, high = float(batch.min()), float(batch.max())
    if low < 0 or 1 < high <= _BYTES:
        return
    factor, words = (1 / 255, "1/255") if high > _BYTES else (255.0, "255")
    as_they_are = _accuracy(session, batch, 1.0, samples, outputs)
    otherwise = _accuracy(session, batch, factor, samples, outputs)
    if as_they_are is not None and otherwise is not None:
        if otherwise > as_they_are:
            yield (
                f"the images span {low:g}..{high:g}, and the model seems to want another range: its "
                f"accuracy on {len(batch)} of them is {as_they_are:.1%}, and {otherwise:.1%} when they "
                f"are multiplied by {words}"
            )
        if otherwise != as_they_are:
            return
    rescales = _PREPROCESSING & set(layers)
    if high > _BYTES and not rescales and np.array_equal(batch, np.rint(batch)):
        yield (
            f"the images are whole numbers of {low:g}..{high:g}, and the model has no Rescaling layer: "
            "if it was trained on 0..1, multiply them by 1/255"
        )
    elif high <= 1 and "Rescaling" in rescales:
        yield (
            f"the images span {low:g}..{high:g}, and the model rescales its input itself: if it was "
            "trained on 0..255, it sees black"
        )


def _is_image(spec: TensorSpec) -> bool:
    return len(spec.shape) == 4 and spec.shape[-1] in (1, 3, 4) and spec.dtype.startswith("float")


def _accuracy(
    session: Session, batch: Array, factor: float, samples: SampleSplit, outputs: StoredArrays
) -> float | None:
    if samples.labels is None:
        return None
    for name, task in find_tasks(outputs, samples.labels).items():
        own = labels_for_output(samples.labels, name)
        if task != "classes" or own is None:
            continue
        given = session.run({session.inputs[0].name: batch * np.float32(factor)})[name]
        true = ground_truth(own[: len(batch)], given, task)
        return None if true is None else float((predicted_classes(given, task) == true).mean())
    return None
