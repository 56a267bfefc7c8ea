"""``edgekit validate``: an original against files, on labelled or unlabelled samples."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.data import RANDOM, check_data, open_rows
from edgekit.environment import processor, versions
from edgekit.images import Images
from edgekit.report import FileResult, Report, slower_in_words
from edgekit.scoring import Limits, compare, find_tasks, record
from edgekit.storage import MOST_HELD_OUT, Samples, set_aside
from edgekit.timing import latencies
from edgekit_converters import ConversionError, check_source, load_model, run_in_worker
from edgekit_runtimes import ModelError, Session, TensorSpec, keras_session, open_model

Progress = Callable[[str], None]

_OPENED = (".tflite", ".onnx")  # by a runtime of their own; anything else is Keras' affair


def validate(
    original: str | Path,
    candidates: Sequence[str | Path],
    data: Any,
    *,
    samples: int = MOST_HELD_OUT,
    trust: bool = False,
    images: Images | None = None,
    limits: Limits | None = None,
    log: Path | None = None,
    timeout: float | None = None,
    progress: Progress = lambda step: None,
) -> Report:
    """Runs files on the same samples as their original, and says how far each strays.

    Args:
        original: a Keras model of any kind that ``convert`` takes, or a ``.tflite`` or ``.onnx`` file.
        candidates: ``.tflite`` and ``.onnx`` files.
        data: samples, of any kind that ``edgekit.data.open_rows`` takes.
        samples: the most samples to use.
        trust: run code that the model file carries.
        images: how image files become arrays.
        limits: how far a file may stray before the report is false.
        log: where the libraries' noise goes; by default a temporary file, kept where this fails.
        timeout: seconds for the whole.
        progress: is called with each step's name as it begins.

    Raises:
        ConversionError: the original cannot be loaded.
        ModelError: a file cannot be opened.
        DataError: the samples cannot be read, or do not fit the model.
    """
    source, files = str(original), [Path(c) for c in candidates]
    if Path(source).suffix not in _OPENED:
        check_source(source)
    for path in (*files, *([Path(source)] if Path(source).suffix in _OPENED else [])):
        if not path.is_file():
            raise ModelError(f"{path}: there is no such file.")
    check_data(data)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        scratch = Path(folder)

        def read_samples(inputs: list[TensorSpec]) -> Samples:
            progress("reading samples")
            rows = open_rows(data, inputs, images)
            return set_aside(rows, scratch / "samples", calibration=0, held_out=samples)

        noise = log or scratch / "log"
        try:
            results, found = run_in_worker(
                _work,
                source,
                files,
                trust,
                limits or Limits(),
                scratch,
                log=noise,
                timeout=timeout,
                progress=progress,
                answer=read_samples,
            )
        except (ConversionError, ModelError) as error:
            if log is None:
                handle, kept = tempfile.mkstemp(prefix="edgekit-", suffix=".log")
                os.close(handle)
                shutil.copyfile(noise, kept)
                noise = Path(kept)
            error.add_note(f"What the libraries printed is in {noise}.")
            raise
    size = Path(source).stat().st_size if Path(source).is_file() else 0
    return Report(
        model=source,
        model_bytes=size,
        files=results,
        data=found.source,
        calibrated_on=0,
        judged_on=len(found.held_out),
        shippable=found.source != RANDOM,
        warnings=found.warnings,
        notes=tuple(slower_in_words(results)),
        environment={"versions": versions(), "processor": processor()},
    )


def _work(
    source: str,
    files: list[Path],
    trust: bool,
    limits: Limits,
    scratch: Path,
    *,
    progress: Progress,
    ask: Callable[[list[TensorSpec]], Samples],
) -> tuple[tuple[FileResult, ...], Samples]:
    progress(f"opening {source}")
    reference = _open_original(source, trust)
    samples = ask(list(reference.inputs))
    progress(f"running {source} on {len(samples.held_out)} samples")
    outputs = record(reference, samples.held_out, scratch / "original")
    tasks = find_tasks(outputs, samples.labels)
    results: list[FileResult] = []
    sessions: dict[str, Session] = {}
    for path in files:
        progress(f"comparing {path}")
        session = sessions[str(path)] = open_model(path)
        answers = record(session, samples.held_out, scratch / f"answers {len(results)}")
        scores = compare(outputs, answers, tasks, samples.labels, limits)
        results.append(FileResult(str(path), path.stat().st_size, scores, path.suffix[1:]))
    progress("timing")
    times = latencies(sessions, next(samples.held_out.batches(1)))
    return tuple(
        FileResult(r.name, r.bytes, r.scores, r.format, r.precision, times[r.name]) for r in results
    ), samples


def _open_original(source: str, trust: bool) -> Session:
    if Path(source).suffix in _OPENED:
        return open_model(source)
    return keras_session(load_model(source, trust=trust), source)
