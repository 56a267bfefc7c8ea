"""Likely mistakes in the samples: ranges and scales that do not fit the model or the file."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.accuracy.intervals import mcnemar
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
_BYTES = 16  # a maximum above it means 0..255; one up to 1 means 0..1
_OUTSIDE = 0.01  # of an input's values; fewer are outliers, not a mistake in the pipeline
_SMALL_PART = 1 / 8  # of a range
_GAIN, _BY_CHANCE = 0.1, 0.001  # of the accuracy at another scale: less says nothing of the scale
_FEW, _MOST = 32, 320  # samples at once, and in all
_EXCESS = 0.2  # of a range's width: less is what 200 samples miss by chance


def outside_range(calibrated: Ranges, observed: Ranges) -> Iterator[str]:
    """Warn of tensors whose values on the held-out samples leave the calibrated range: they are clipped."""
    misses = []
    for name, (low, high) in calibrated.items():
        if name not in observed:
            continue
        width = float(high - low) or 1e-12
        excess = max(float(low - observed[name][0]), float(observed[name][1] - high), 0.0) / width
        if excess > _EXCESS:
            misses.append((excess, name))
    if misses:
        excess, name = max(misses)
        (low, high), (observed_low, observed_high) = calibrated[name], observed[name]
        yield (
            f"the held-out samples leave the calibrated range in {len(misses)} of {len(calibrated)} "
            f"tensors, most in {name}: calibrated {low:.3g}..{high:.3g}, observed {observed_low:.3g}.."
            f"{observed_high:.3g} ({excess:.0%} of the width outside). Values outside are clipped: "
            "calibrate on more, and more varied, samples"
        )


def input_ranges(path: Path, samples: StoredArrays) -> Iterator[str]:
    """Warn of inputs that are scaled differently from those that the file was calibrated on.

    The calibrated range is the representable range of a quantized input; of a float input, the
    manifest beside the file has it.
    """
    if precision_of(path) in ("float32", "float16", "dynamic"):
        return
    manifest = read_manifest(path.parent)
    ranges = dict(manifest.ranges) if manifest else {}
    with open_model(path) as session:
        names = input_names(samples.shapes, session.inputs, str(path))
    with contextlib.suppress(ModelError):  # LiteRT's reference kernels refuse it: use the manifest
        layers = open_layers(path).layers
        ranges |= {
            layer.name: layer.range for layer in layers if layer.kind == "input" and layer.range
        }
    for name, in_file in names.items():
        if in_file not in ranges:
            continue
        least, greatest = ranges[in_file]
        width = greatest - least
        low, high, outside, values = np.inf, -np.inf, 0, 0
        slack = width / 128
        for batch in islice(samples.batches(_FEW), _MOST // _FEW):
            array = batch[name]
            low, high = min(low, float(array.min())), max(high, float(array.max()))
            outside += int(((array < least - slack) | (array > greatest + slack)).sum())
            values += array.size
        observed = f"input {name!r}: observed range {low:.3g}..{high:.3g}"
        question = "Was it calibrated on samples with another scale (0..255, not 0..1)?"
        if values and outside > _OUTSIDE * values:
            yield (
                f"{observed}, but {path.name} was calibrated on {least:.3g}..{greatest:.3g}: "
                f"{outside / values:.1%} of the values are clipped. {question}"
            )
        elif values and high - low < _SMALL_PART * width:
            steps = (high - low) / width * 255
            yield (
                f"{observed}, a small part of the {least:.3g}..{greatest:.3g} that {path.name} was "
                f"calibrated on: {steps:.0f} of its 256 steps. {question}"
            )


def image_range(
    layers: Sequence[str], session: Session, samples: SampleSplit, outputs: StoredArrays
) -> Iterator[str]:
    """Warn of images of 0..255 for a model of 0..1, or the reverse.

    With labels, the accuracy at both scales decides. Without, the model's preprocessing layers tell
    which scale it expects.
    """
    if len(session.inputs) != 1 or not _is_image(session.inputs[0]):
        return
    batch = next(samples.held_out.batches(256))[session.inputs[0].name]
    low, high = float(batch.min()), float(batch.max())
    if low < 0 or 1 < high <= _BYTES:
        return
    factor, words = (1 / 255, "1/255") if high > _BYTES else (255.0, "255")
    unscaled = _correct(session, batch, 1.0, samples, outputs)
    rescaled = _correct(session, batch, factor, samples, outputs)
    if unscaled is not None and rescaled is not None:
        if _gains(unscaled, rescaled):
            yield (
                f"the images have the range {low:g}..{high:g}, but the model seems to expect another: its "
                f"accuracy on {len(batch)} of them is {unscaled.mean():.1%}, and {rescaled.mean():.1%} "
                f"when they are multiplied by {words}"
            )
        if (rescaled != unscaled).any():
            return
    preprocessing = _PREPROCESSING & set(layers)
    if high > _BYTES and not preprocessing and np.array_equal(batch, np.rint(batch)):
        yield (
            f"the images are integers of {low:g}..{high:g}, and the model has no Rescaling layer: "
            "if it was trained on 0..1, multiply them by 1/255"
        )
    elif high <= 1 and "Rescaling" in preprocessing:
        yield (
            f"the images have the range {low:g}..{high:g}, and the model has a Rescaling layer: if it was "
            "trained on 0..255, multiply them by 255"
        )


def _is_image(spec: TensorSpec) -> bool:
    return len(spec.shape) == 4 and spec.shape[-1] in (1, 3, 4) and spec.dtype.startswith("float")


def _gains(unscaled: Array, rescaled: Array) -> bool:
    """Whether another scale makes predictions right that are not, more often than chance would."""
    won = int((rescaled & ~unscaled).sum())
    lost = int((unscaled & ~rescaled).sum())
    least = min(_GAIN * len(unscaled), 0.5 * int((~unscaled).sum()))  # or half of the errors
    return won - lost >= least and mcnemar(lost, won) < _BY_CHANCE


def _correct(
    session: Session, batch: Array, factor: float, samples: SampleSplit, outputs: StoredArrays
) -> Array | None:
    """Which predictions are right with images multiplied by a factor; None where labels do not tell."""
    if samples.labels is None:
        return None
    for name, task in find_tasks(outputs, samples.labels).items():
        output_labels = labels_for_output(samples.labels, name)
        if task != "classes" or output_labels is None:
            continue
        given = session.run({session.inputs[0].name: batch * np.float32(factor)})[name]
        true = ground_truth(output_labels[: len(batch)], given, task)
        return None if true is None else (predicted_classes(given, task) == true).reshape(-1)
    return None
