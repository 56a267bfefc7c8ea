"""The predictions of a model file on a few samples, as ``edgekit run`` shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.manifest import read_manifest
from edgekit.data.images import Images
from edgekit.data.open import check_data, open_samples
from edgekit.data.samples import Array, DataError
from edgekit_runtimes import open_model


@dataclass(frozen=True, slots=True)
class Prediction:
    """One sample's outputs and its label."""

    number: int
    """Of the sample, in the data."""
    outputs: dict[str, list[tuple[str, float]]]
    """By output name: class names with their scores, the highest first; or positions with values."""
    label: str | None = None
    """None where the data has no labels."""

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"sample": self.number, "label": self.label, "outputs": self.outputs}

    def __str__(self) -> str:
        outputs = []
        for name, values in self.outputs.items():
            text = ", ".join(f"{at}: {value:.4g}" if at else f"{value:.4g}" for at, value in values)
            outputs.append(f"{name}: {text}" if len(self.outputs) > 1 else text)
        label = "" if self.label is None else f"   (label {self.label})"
        return f"{self.number:>5}  {'; '.join(outputs)}{label}"


def predictions(
    path: Path,
    data: Any,
    *,
    top: int = 3,
    count: int = 10,
    device: str = "cpu",
    threads: int | None = None,
    scale: str | None = None,
) -> Iterator[Prediction]:
    """Run a model file on the first samples.

    Args:
        path: a ``.tflite``, ``.onnx`` or ``.keras`` file, or a folder that ``convert`` made. A
            manifest beside it gives class names and the scale of images.
        data: samples, of any kind that ``edgekit.data.open.open_samples`` takes.
        top: how many classes of each output to keep.
        count: how many samples.
        device: as for ``open_model``.
        threads: as for ``open_model``.
        scale: of image pixels; by default, what the model was converted with.
    """
    check_data(data)
    names, images = _conversion_settings(path, scale)
    with open_model(path, device=device, threads=threads) as model:
        samples = open_samples(data, model.inputs, images)
        names = names or list(samples.label_names)
        for number, (sample, label) in islice(samples.read(lambda i: True), count):
            outputs = model.run({name: array[np.newaxis] for name, array in sample.items()})
            yield Prediction(
                number=number,
                outputs={name: _highest(array[0], top, names) for name, array in outputs.items()},
                label=None if label is None else _label(label, names),
            )


def first_batch(path: Path, data: Any) -> dict[str, Array]:
    """Read the first samples as one batch of the model's batch size, by input name.

    Raises:
        DataError: there are too few of them.
    """
    check_data(data)
    _, images = _conversion_settings(path, None)
    with open_model(path) as model:
        size = model.inputs[0].shape[0] or 1
        source = open_samples(data, model.inputs, images)
        samples = [sample for _, (sample, _) in islice(source.read(lambda i: True), size)]
    if len(samples) < size:
        raise DataError(f"{data}: {len(samples)} samples, and {path} has a batch size of {size}.")
    return {name: np.stack([s[name] for s in samples]) for name in samples[0]}


def _conversion_settings(path: Path, scale: str | None) -> tuple[list[str], Images]:
    """The classes' names and how images become arrays, by the manifest in the file's folder."""
    manifest = read_manifest(path if path.is_dir() else path.parent)
    if manifest is None:
        return [], Images(scale or "0..1")
    return list(manifest.labels), Images(scale or manifest.scale or "0..1")


def _highest(values: Array, top: int, names: list[str]) -> list[tuple[str, float]]:
    flat = values.reshape(-1)
    if flat.size == 1:
        return [("", float(flat[0]))]
    if values.ndim > 1:  # a mask, a sequence: its first values, by position
        return [(str(i), float(v)) for i, v in enumerate(flat[:top])]
    return [(_name(int(i), names), float(flat[i])) for i in np.argsort(-flat, kind="stable")[:top]]


def _label(label: Array, names: list[str]) -> str:
    return _name(int(label), names) if np.size(label) == 1 else str(label)


def _name(number: int, names: list[str]) -> str:
    return names[number] if 0 <= number < len(names) else str(number)
