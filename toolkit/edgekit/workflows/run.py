"""``edgekit run``: all outputs of a file on samples, what they are worth, and the file they go into."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.accuracy.limits import Limits
from edgekit.accuracy.results import compare
from edgekit.accuracy.tasks import (
    SEVERAL_LABELS,
    Labels,
    Task,
    find_tasks,
    predicted_classes,
)
from edgekit.bundle.atomic import replacing
from edgekit.bundle.plain import to_plain
from edgekit.bundle.schema import PREDICTIONS
from edgekit.data.samples import Array, DataError
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.inference.predict import Predictions, label_text
from edgekit.names import class_name

_BATCH = 256
_NO_CLASSES: tuple[Task, ...] = ("values", "detection")
_MOST_COLUMNS = 10_000  # of a table that a spreadsheet or a person still opens
SUFFIXES = (".csv", ".npz", ".json")
"""The files that predictions are written as."""


@dataclass(frozen=True, slots=True)
class PredictedSample:
    """One sample in a file of predictions."""

    sample: int
    """Its number in the data."""
    label: str | None
    predicted: dict[str, str]
    """The class's name, of each output that predicts classes; several of a sample are joined by spaces."""
    outputs: dict[str, Any]
    """All values of each output, as nested lists."""


@dataclass(frozen=True, slots=True)
class PredictionsDocument:
    """What a JSON file of predictions holds beside its schema."""

    file: str
    device: str
    samples: int
    left_out: int | None
    metrics: dict[str, dict[str, float]]
    predictions: tuple[PredictedSample, ...]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The samples that ran: their outputs, and what these are worth where there are labels."""

    file: str
    """The one that ran, also of a folder."""
    device: str
    samples: int
    left_out: int | None
    """Samples of the data that did not run; None where their number is not known."""
    label_names: tuple[str, ...]
    outputs: StoredArrays | None
    """None where they differ in shape."""
    numbers: tuple[int, ...]
    """The samples' numbers in the data."""
    labels: Labels
    """None where not every sample has one."""
    tasks: dict[str, Task]
    metrics: dict[str, dict[str, float]]
    """By output, each metric's value; empty where there are no labels that fit."""
    refusal: str
    """Why there are no metrics although there are labels, or why outputs cannot be kept."""


def run_samples(
    predictions: Predictions,
    scratch: Path,
    show: Callable[[int, dict[str, Array], Any], None] = lambda number, outputs, label: None,
) -> RunSummary:
    """Run all samples, and compare the outputs with their labels.

    Args:
        predictions: an open file with its samples.
        scratch: a folder for the outputs; it must not be there yet.
        show: is called with each sample's number, outputs and label.

    Raises:
        DataError: there is no sample that can run.
    """
    writer: ArrayWriter | None = ArrayWriter(scratch)
    numbers: list[int] = []
    labels: list[Any] = []
    refusal = ""
    for number, outputs, label in predictions:
        show(number, outputs, label)
        numbers.append(number)
        if label is not None:
            labels.append(label)
        if writer is not None:
            try:
                writer.add({name: array[np.newaxis] for name, array in outputs.items()})
            except DataError as error:  # a model with dynamic dimensions
                writer.close()
                writer, refusal = None, f"outputs {error}"
    stored = None if writer is None else writer.close()
    if not numbers:
        unusable = predictions.unusable
        nan = f" ({unusable} hold NaN or infinite values)" if unusable else ""
        raise DataError(f"no sample to run{nan}.")
    given: Labels = None
    tasks: dict[str, Task] = {}
    metrics: dict[str, dict[str, float]] = {}
    if stored is not None:
        try:
            given = _together(labels) if len(labels) == len(numbers) else None
            tasks = find_tasks(stored, given)
            metrics = _metrics(stored, tasks, given)
        except DataError as error:
            tasks, refusal = find_tasks(stored, None), str(error)
    return RunSummary(
        file=str(predictions.file),
        device=predictions.device,
        samples=predictions.read,
        left_out=predictions.left_out,
        label_names=tuple(predictions.names),
        outputs=stored,
        numbers=tuple(numbers),
        labels=given,
        tasks=tasks,
        metrics=metrics,
        refusal=refusal,
    )


def _metrics(
    outputs: StoredArrays, tasks: Mapping[str, Task], labels: Labels
) -> dict[str, dict[str, float]]:
    """The value of every metric that needs labels: outputs compared with themselves have them all."""
    results = compare(outputs, outputs, tasks, labels, Limits()) if labels is not None else ()
    found = {
        result.output: {m.metric: m.value for m in result.metrics if m.original is not None}
        for result in results
    }
    return {output: values for output, values in found.items() if values}


def check_output(path: Path) -> None:
    """Refuse a name that predictions cannot have.

    Raises:
        DataError: its ending is none of ``SUFFIXES``.
    """
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: predictions are written as {', '.join(SUFFIXES)}.")


def save_predictions(summary: RunSummary, path: Path) -> None:
    """Write the outputs of all samples that ran, by the name's ending; put in place when complete.

    ``.npz`` holds ``samples`` (their numbers), ``labels`` and ``outputs/NAME``; ``.csv`` has a row for
    each sample with columns ``sample``, ``label``, and of each output ``NAME`` (the predicted class, or
    the single number) and ``NAME_0``, ``NAME_1``, ... (its values); ``.json`` is of schema
    ``edgekit.predictions/1``.

    Raises:
        DataError: outputs differ in shape, or a table would have too many columns.
    """
    check_output(path)
    if summary.outputs is None:
        raise DataError(f"{path}: nothing was written: {summary.refusal}")
    write = {".csv": _write_csv, ".npz": _write_npz, ".json": _write_json}[path.suffix]
    with replacing(path) as unfinished:
        write(summary, summary.outputs, unfinished)


def _together(labels: list[Any]) -> Labels:
    try:
        if isinstance(labels[0], Mapping):
            return {name: np.array([label[name] for label in labels]) for name in labels[0]}
        return np.array(labels)
    except (ValueError, KeyError) as error:
        raise DataError("the labels differ in shape from sample to sample.") from error


def _write_npz(summary: RunSummary, outputs: StoredArrays, path: Path) -> None:
    arrays: dict[str, Array] = {"samples": np.array(summary.numbers)}
    if isinstance(summary.labels, Mapping):
        arrays |= {f"labels/{output}": array for output, array in summary.labels.items()}
    elif summary.labels is not None:
        arrays["labels"] = summary.labels
    everything = next(outputs.batches(len(outputs)))
    arrays |= {f"outputs/{name}": array for name, array in everything.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _write_csv(summary: RunSummary, outputs: StoredArrays, path: Path) -> None:
    sizes = {name: int(np.prod(shape, dtype=np.int64)) for name, shape in outputs.shapes.items()}
    if sum(sizes.values()) > _MOST_COLUMNS:
        widths = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        raise DataError(f"{widths} values a sample are too many for a table: write .npz instead.")
    labelled = summary.labels is not None
    head = ["sample", *(["label"] if labelled else [])]
    for name, size in sizes.items():
        predicts = summary.tasks[name] not in _NO_CLASSES
        alone = size == 1 and not predicts
        head += [name] if alone or predicts else []
        head += [] if alone else [f"{name}_{i}" for i in range(size)]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(head)
        for row in _rows(summary, outputs):
            cells: list[Any] = [row.sample, *([row.label] if labelled else [])]
            for name, values in row.outputs.items():
                cells += [row.predicted[name]] if name in row.predicted else []
                cells += [f"{value:.9g}" for value in np.reshape(values, -1)]
            table.writerow(cells)


def _write_json(summary: RunSummary, outputs: StoredArrays, path: Path) -> None:
    document = PredictionsDocument(
        file=summary.file,
        device=summary.device,
        samples=summary.samples,
        left_out=summary.left_out,
        metrics=summary.metrics,
        predictions=tuple(_rows(summary, outputs)),
    )
    plain = {"schema": PREDICTIONS, **to_plain(document)}
    path.write_text(json.dumps(plain) + "\n", encoding="utf-8")


def _rows(summary: RunSummary, outputs: StoredArrays) -> Iterator[PredictedSample]:
    names = list(summary.label_names)
    row = 0
    for batch in outputs.batches(_BATCH):
        classes = {
            name: predicted_classes(batch[name], task)
            for name, task in summary.tasks.items()
            if task not in _NO_CLASSES
        }
        for i in range(len(next(iter(batch.values())))):
            label = _label(summary.labels, row)
            yield PredictedSample(
                sample=summary.numbers[row],
                label=None if label is None else label_text(label, names),
                predicted={
                    name: " ".join(
                        class_name(int(c), names)
                        for c in (
                            np.flatnonzero(found[i])
                            if summary.tasks[name] in SEVERAL_LABELS
                            else found[i]
                        )
                    )
                    for name, found in classes.items()
                },
                outputs={name: array[i].tolist() for name, array in batch.items()},
            )
            row += 1


def _label(labels: Labels, row: int) -> Any:
    if isinstance(labels, Mapping):
        return {output: array[row] for output, array in labels.items()}
    return None if labels is None else labels[row]
