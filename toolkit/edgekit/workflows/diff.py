"""``edgekit.diff``: two model files, or two folders of them, side by side."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.accuracy.comparison import sqnr_db
from edgekit.accuracy.tasks import find_tasks
from edgekit.data.open import check_data
from edgekit.data.samples import DataError
from edgekit.data.split import EVALUATION_SAMPLES, SampleSplit, set_aside
from edgekit.data.store import StoredArrays
from edgekit.diagnosis.changed_samples import find_differences
from edgekit.diagnosis.layer_diff import diff_layers, open_file
from edgekit.diagnosis.layers import SAMPLES
from edgekit.diagnosis.operators import read_operators
from edgekit.inference.latency import latencies
from edgekit.inference.record import record
from edgekit.inference.tensor_names import MappedSession, with_original_names
from edgekit.names import printable
from edgekit.progress import Progress, silent
from edgekit.report.diff_result import (
    Diff,
    FactDiff,
    FileDiff,
    FileFacts,
    OperatorCount,
    OutputDiff,
)
from edgekit.scratch import scratch_folder
from edgekit.workflows.given_samples import given_or_golden, open_for
from edgekit_runtimes import FILES, Session, open_model, precision_of
from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.bundle.manifest_file import read_listed
from edgekit_runtimes.known_files import sha256

FACTS = ("batch", "labels", "scale", "preprocessing", "postprocessing", "license", "shippable")
"""What two manifests are compared in, beside their files; what a run measures is none of it."""


def diff(
    a: str | Path,
    b: str | Path,
    data: Any = None,
    *,
    samples: int = EVALUATION_SAMPLES,
    latency: bool = False,
    worst: int = 3,
    progress: Progress = silent,
) -> Diff:
    """Compare two model files, or two folders of them: size, operators, layers, predictions.

    >>> import edgekit
    >>> found = edgekit.diff("out/model_float32.tflite", "out/model_int8.tflite", "samples.npz")
    >>> found.same, [layer.b.precision for layer in found.files[0].layers][0]
    (False, 'int8')

    Args:
        a: a ``.tflite`` or ``.onnx`` file, or a folder that edgekit made.
        b: the same; where one is a folder and the other a file, the folder's file of that name.
        data: samples, of any kind that ``validate`` takes. By default the golden samples that the folder
            of A, or else of B, has; without any, nothing is run.
        samples: how many to run at most; layers are compared on 32 of them.
        latency: whether to time both files, in turns, too.
        worst: how many samples to list of each output, those whose predictions changed first.
        progress: is told each step.

    Returns:
        The differences; false in a condition where there are any.

    Raises:
        DataError: there is no such file or folder, or the samples do not fit.
        ModelError: a file cannot be opened.
        RuntimeMissing: a runtime is not installed.
    """
    first, second = Path(a), Path(b)
    if data is not None:
        check_data(data)
    pairs = _pairs(first, second)
    given, source = given_or_golden(data, [first, second])
    files = []
    with scratch_folder() as scratch:
        for number, (name, ours, theirs) in enumerate(pairs):
            progress(f"comparing {name}")
            files.append(
                _diff_files(
                    name,
                    ours,
                    theirs,
                    given,
                    scratch / str(number),
                    samples=samples,
                    latency=latency,
                    worst=worst,
                )
            )
    both = first.is_dir() and second.is_dir()
    return Diff(
        printable(first),
        printable(second),
        tuple(files),
        tuple(_facts(first, second)) if both else (),
        source,
    )


def _pairs(a: Path, b: Path) -> list[tuple[str, Path | None, Path | None]]:
    """The files to compare, by name."""
    for path in (a, b):
        if not path.exists():
            raise DataError(f"{printable(path)}: there is no such file or folder.")
    if a.is_dir() and b.is_dir():
        files = [{p.name: p for p in sorted(f.iterdir()) if p.suffix in FILES} for f in (a, b)]
        for folder, found in zip((a, b), files, strict=True):
            if not found:
                raise DataError(f"{printable(folder)}: it holds no {' or '.join(FILES)} file.")
        return [(n, files[0].get(n), files[1].get(n)) for n in sorted({*files[0], *files[1]})]
    first, second = (a / b.name if a.is_dir() else a), (b / a.name if b.is_dir() else b)
    for path in (first, second):
        if not path.is_file():
            raise DataError(
                f"{printable(path)}: there is no such file. Name two files, or two folders."
            )
        if path.suffix not in FILES:
            raise DataError(
                f"{printable(path)}: files are compared that end in {' or '.join(FILES)}. A Keras model "
                "is compared with them by `edgekit validate`."
            )
    return [(first.name, first, second)]


def _diff_files(
    name: str,
    a: Path | None,
    b: Path | None,
    data: Any,
    scratch: Path,
    *,
    samples: int,
    latency: bool,
    worst: int,
) -> FileDiff:
    if a is None or b is None:
        ours, theirs = (_facts_of(path) if path else None for path in (a, b))
        return FileDiff(name, ours, theirs, identical=False)
    facts_a, facts_b = _facts_of(a), _facts_of(b)
    if facts_a.sha256 == facts_b.sha256:
        return FileDiff(name, facts_a, facts_b, identical=True)
    operators = read_operators(a), read_operators(b)
    counts = [Counter(found.counts) for found in operators]
    opened_a, opened_b = (
        open_file(path, of.weights) for path, of in zip((a, b), operators, strict=True)
    )
    notes: list[str] = []
    split, times = None, None
    outputs: tuple[OutputDiff, ...] = ()
    with open_model(a) as session, open_model(b) as other:
        mapped = None
        try:
            mapped = with_original_names(other, session)
        except DataError as error:  # other models altogether: what can be said of them is
            notes.append(f"outputs were not compared: {error}")
        if data is not None and mapped is not None:
            split = _stored(data, session, a, scratch / "samples", samples)
            outputs = _outputs(session, mapped, split, scratch, worst)
        if latency and mapped is not None:
            times = _times(session, mapped, split)
    compared = split.held_out if split and outputs else None
    layers = diff_layers(opened_a, opened_b, compared, count=SAMPLES)
    return FileDiff(
        name,
        facts_a,
        facts_b,
        identical=False,
        operators=tuple(
            OperatorCount(kind, counts[0][kind], counts[1][kind])
            for kind in dict.fromkeys([*counts[0], *counts[1]])
        ),
        layers=layers,
        samples=len(compared) if compared else 0,
        layer_samples=min(SAMPLES, len(compared)) if compared else 0,
        outputs=outputs,
        latency_ms=times,
        notes=tuple(notes),
    )


def _facts_of(path: Path) -> FileFacts:
    with open_model(path) as session:
        ends = session.inputs, session.outputs
    return FileFacts(printable(path), path.stat().st_size, sha256(path), precision_of(path), *ends)


def _stored(data: Any, session: Session, path: Path, folder: Path, count: int) -> SampleSplit:
    """The samples on disk, as the first file takes them."""
    return set_aside(open_for(session, path, data), folder, calibration=0, held_out=count)


def _outputs(
    session: Session, other: MappedSession, split: SampleSplit, scratch: Path, worst: int
) -> tuple[OutputDiff, ...]:
    """Every output of both files, on the same samples."""
    ours = record(session, split.held_out, scratch / "a")
    theirs = record(other, split.held_out, scratch / "b")
    found = []
    for name, task in find_tasks(ours, split.labels).items():
        differences = find_differences(
            name,
            task=task,
            original=ours,
            candidate=theirs,
            labels=split.labels,
            numbers=split.numbers,
            class_names=split.label_names,
            worst=worst,
        )
        signal, noise, largest = _errors(name, ours, theirs)
        found.append(
            OutputDiff(
                name, task, differences.changed, sqnr_db(signal, noise), largest, differences.worst
            )
        )
    return tuple(found)


def _errors(output: str, ours: StoredArrays, theirs: StoredArrays) -> tuple[float, float, float]:
    signal = noise = largest = 0.0
    for first, second in zip(ours.batches(32), theirs.batches(32), strict=True):
        expected = first[output].astype(np.float64)
        error = second[output].astype(np.float64) - expected
        signal, noise = signal + float((expected**2).sum()), noise + float((error**2).sum())
        largest = max(largest, float(np.abs(error).max(initial=0)))
    return signal, noise, largest


def _times(
    session: Session, other: MappedSession, split: SampleSplit | None
) -> tuple[float, float]:
    size = session.inputs[0].shape[0] or 1
    enough = split is not None and len(split.held_out) >= size
    batch = split.held_out.rows(0, size) if split and enough else random_inputs(session.inputs, {})
    taken = latencies({"a": session, "b": other}, batch)
    return taken["a"], taken["b"]


def _facts(a: Path, b: Path) -> list[FactDiff]:
    """What the two manifests say otherwise."""
    ours, theirs = (read_listed(folder) or {} for folder in (a, b))
    return [
        FactDiff(name, ours.get(name), theirs.get(name))
        for name in FACTS
        if ours.get(name) != theirs.get(name)
    ]
