"""The predictions of a model file on some samples, as ``edgekit run`` shows them."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.manifest import read_manifest
from edgekit.data.images import Images
from edgekit.data.open import check_data, open_samples
from edgekit.data.samples import Array, DataError, SampleSource
from edgekit.names import class_name
from edgekit_runtimes import DEVICES, Facts, Session, open_model
from edgekit_runtimes.bundle.facts_file import read_facts


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


class Predictions:
    """An open file, and samples for it: outputs sample by sample, and afterwards what was left out."""

    def __init__(
        self, session: Session, source: SampleSource, label_names: list[str], count: int | None
    ) -> None:
        self.file = Path(session.path)
        """The one that was opened, also of a folder."""
        self.device = session.device
        self.runtime = _runtime(self.file, self.device)
        self.names = label_names
        """The classes', in order, where they are known."""
        self.read = 0
        """Samples that ran."""
        self.unusable = 0
        """Samples left out for NaN or infinite values."""
        self.available = source.count
        """Samples in the data; None where only reading it to its end would show."""
        self._session, self._source, self._count = session, source, count

    def __iter__(self) -> Iterator[tuple[int, dict[str, Array], Any]]:
        """Run the samples: the number, the outputs without the batch axis, and the label or None."""
        self.read = self.unusable = 0
        for number, (sample, label) in self._source.read(lambda i: True):
            if not all(np.isfinite(array).all() for array in sample.values()):
                self.unusable += 1
                continue
            outputs = self._session.run({n: array[np.newaxis] for n, array in sample.items()})
            self.read += 1
            yield number, {name: array[0] for name, array in outputs.items()}, label
            if self.read == self._count:  # before the next is read: a stream may not end
                return

    @property
    def left_out(self) -> int | None:
        """Samples of the data that did not run; None where their number is not known."""
        return None if self.available is None else self.available - self.read

    def prediction(
        self, number: int, outputs: dict[str, Array], label: Any, top: int
    ) -> Prediction:
        """Make what is shown of one sample: of each output, the ``top`` classes or first values."""
        return Prediction(
            number=number,
            outputs={name: _highest(array, top, self.names) for name, array in outputs.items()},
            label=None if label is None else label_text(label, self.names),
        )


@contextlib.contextmanager
def open_predictions(
    path: Path,
    data: Any,
    *,
    count: int | None = 10,
    device: str = "cpu",
    threads: int | None = None,
    scale: str | None = None,
) -> Iterator[Predictions]:
    """Open a model file and samples for it.

    Args:
        path: a ``.tflite``, ``.onnx`` or ``.keras`` file, or a folder that ``convert`` made. A
            manifest beside it gives class names and the scale of images.
        data: samples, of any kind that ``edgekit.data.open.open_samples`` takes.
        count: how many samples to run, from the first; None for all.
        device: as for ``open_model``.
        threads: as for ``open_model``.
        scale: of image pixels; by default, what the model was converted with.
    """
    check_data(data)
    names, images = _conversion_settings(path, scale)
    with open_model(path, device=device, threads=threads) as session:
        source = open_samples(data, session.inputs, images)
        yield Predictions(session, source, names or list(source.label_names), count)


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


def label_text(label: Any, names: list[str]) -> str:
    """Write a sample's label: a class by its name, anything else as it is."""
    if isinstance(label, Mapping):
        return ", ".join(f"{output} {label_text(one, names)}" for output, one in label.items())
    if np.size(label) != 1 or np.asarray(label).dtype.kind not in "fiub":
        return str(label)
    number = float(np.asarray(label).reshape(()))
    return class_name(int(number), names) if number.is_integer() else f"{number:.6g}"


def _runtime(file: Path, device: str) -> str:
    """The name of the runtime that a device belongs to; empty where none is listed."""
    return next((d.runtime for d in DEVICES if d.name == device and file.suffix in d.suffixes), "")


def _conversion_settings(path: Path, scale: str | None) -> tuple[list[str], Images]:
    """The classes' names and how images become arrays, by the manifest in the folder, or the file itself."""
    manifest = read_manifest(path if path.is_dir() else path.parent)
    if manifest is None:
        facts = Facts() if path.is_dir() else read_facts(path)
        known = next((image.scale for image in facts.preprocessing), None)
        return list(facts.labels), Images(scale or known or "0..1", facts.labels)
    names = tuple(manifest.labels)
    return list(names), Images(scale or manifest.scale or "0..1", names)


def _highest(values: Array, top: int, names: list[str]) -> list[tuple[str, float]]:
    flat = values.reshape(-1)
    if flat.size == 1:
        return [("", float(flat[0]))]
    if values.ndim > 1:  # a mask, a sequence: its first values, by position
        return [(str(i), float(v)) for i, v in enumerate(flat[:top])]
    ranked = np.argsort(-flat, kind="stable")[:top]
    return [(class_name(int(i), names), float(flat[i])) for i in ranked]
