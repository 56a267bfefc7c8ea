"""``edgekit convert``: a Keras model and samples -> a folder that ships, with proof."""

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.accuracy.limits import Limits
from edgekit.accuracy.results import OutputResult, compare
from edgekit.accuracy.tasks import find_tasks
from edgekit.bundle.environment import processor, versions
from edgekit.bundle.folder import (
    FAILED_LOG,
    LOG,
    MANIFEST,
    publish,
    sha256,
    workplace,
    write_json,
)
from edgekit.bundle.manifest import manifest
from edgekit.data.images import Images
from edgekit.data.open import RANDOM, check_data, open_samples
from edgekit.data.samples import Array, DataError
from edgekit.data.split import CALIBRATION_SAMPLES, SampleSplit, set_aside
from edgekit.diagnosis import input_checks
from edgekit.inference.latency import latencies
from edgekit.inference.record import record
from edgekit.report.file_result import FileResult, slower_than_float
from edgekit.report.result import Report
from edgekit.workflows.worker import run_in_worker
from edgekit_converters import (
    CALIBRATED,
    DEFAULT_OPSET,
    FORMATS,
    PRECISIONS,
    Conversion,
    ConversionError,
    InterfaceType,
    Precision,
    check_source,
    format_of,
    load_model,
    ranges_over,
)
from edgekit_converters import convert as convert_model
from edgekit_runtimes import (
    ModelError,
    RuntimeMissing,
    TensorSpec,
    keras_session,
    open_model,
)

Progress = Callable[[str], None]
Target = tuple[str, Precision]

NOT_FOR_SHIPPING = "NOT FOR SHIPPING: made and judged on random numbers, which say nothing of accuracy on real ones"

_LARGE = 500_000_000  # bytes of files that are not all held in memory at once
_SEEN = 100  # held-out samples whose ranges are held against the calibrated ones


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert."""

    formats: tuple[str, ...] = tuple(FORMATS)
    precisions: tuple[Precision, ...] = ("float32", "int8")
    batch: int = 1
    interface: InterfaceType = "float"
    samples: int = CALIBRATION_SAMPLES
    opset: int = DEFAULT_OPSET
    trust: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the child process sends back."""

    files: tuple[FileResult, ...]
    onnx_vs_tflite: dict[str, tuple[OutputResult, ...]]
    ends: dict[str, tuple[list[TensorSpec], list[TensorSpec]]]
    conversion: Conversion
    warnings: tuple[str, ...]


def convert(
    model: Any,
    data: Any = None,
    output: str | Path = "out",
    *,
    to: Sequence[str] = tuple(FORMATS),
    precision: Sequence[Precision] = ("float32", "int8"),
    batch: int = 1,
    io: InterfaceType = "float",
    samples: int = CALIBRATION_SAMPLES,
    opset: int = DEFAULT_OPSET,
    trust: bool = False,
    images: Images | None = None,
    label_names: Sequence[str] = (),
    limits: Limits | None = None,
    timeout: float | None = None,
    progress: Progress = lambda step: None,
) -> Report:
    """Converts a Keras model and proves what it wrote.

    Args:
        model: a path (``.keras``, ``.h5``, a SavedModel folder), ``module:function``, or a Keras model
            made of layers that Keras can load again.
        data: samples, of any kind that ``edgekit.data.open.open_samples`` takes. Some calibrate, others judge.
        output: the folder to write into.
        to: formats.
        precision: precisions.
        batch: the fixed batch size of the files.
        io: what quantized files take and give: real numbers, or their own integers.
        samples: the most samples to calibrate on.
        opset: of the ONNX files, 13 to 18.
        trust: run code that the model file carries.
        images: how image files become arrays.
        label_names: the classes' names, in order, for the manifest.
        limits: how far a file may stray before the report is false.
        timeout: seconds for the whole conversion.
        progress: is called with each step's name as it begins.

    Returns:
        The report, which is also in ``output/report.json``; false where a limit is broken.

    Raises:
        ConversionError: the model cannot be converted.
        ModelError: a file was written that its own runtime cannot open.
        DataError: the samples cannot be read, or do not fit the model.
        RuntimeMissing: TensorFlow or a runtime is not installed.
    """
    if unknown := [name for name in (*to, *precision) if name not in (*FORMATS, *PRECISIONS)]:
        raise ValueError(
            f"{', '.join(unknown)}: formats are {', '.join(FORMATS)}; precisions are "
            f"{', '.join(PRECISIONS)}."
        )
    options = Options(
        tuple(f for f in FORMATS if f in to),
        tuple(p for p in PRECISIONS if p in precision),
        batch,
        io,
        samples,
        opset,
        trust,
        limits or Limits(),
    )
    output = Path(output)
    _check(model, data, options, output)
    with workplace(output) as scratch:
        source = _as_source(model, scratch)
        log = output / FAILED_LOG  # its name until all is well
        log.write_bytes(b"")
        sets: list[SampleSplit] = []

        def read_samples(inputs: list[TensorSpec]) -> SampleSplit:
            progress("reading samples")
            rows = open_samples(RANDOM if data is None else data, inputs, images)
            calibrated = samples if CALIBRATED & set(options.precisions) else 0
            sets.append(set_aside(rows, scratch / "samples", calibration=calibrated))
            return sets[0]

        try:
            found = run_in_worker(
                _work,
                source,
                options,
                scratch,
                log=log,
                timeout=timeout,
                progress=progress,
                answer=read_samples,
            )
        except (ConversionError, ModelError, OSError) as error:
            error.add_note(f"What the converters printed is in {log}.")
            raise
        except BaseException:
            log.unlink(missing_ok=True)
            raise
        report = _report(source, model, output, sets[0], found, data)
        write_json(scratch / "report.json", report.to_dict())
        content = manifest(
            report,
            scratch,
            source,
            found.ends,
            found.conversion.ranges,
            batch=batch,
            label_names=tuple(label_names) or sets[0].label_names,
            images=images,
        )
        beside = _add_data_files(content["files"], scratch)
        write_json(scratch / MANIFEST, content)
        log.replace(scratch / LOG)
        names = [*beside, *(f.name for f in found.files), LOG, "report.json", MANIFEST]
        publish(scratch, names, output)
        for file in found.files:  # what an earlier run put beside a file of this name
            stale = sidecar(output / file.name)
            if stale is not None and stale.name not in beside:
                stale.unlink(missing_ok=True)
    return report


def _check(model: Any, data: Any, options: Options, output: Path) -> None:
    """What can be refused at once, before TensorFlow is imported."""
    if isinstance(model, (str, Path)):
        check_source(str(model))
    if data is None and (needing := [p for p in options.precisions if p in CALIBRATED]):
        raise DataError(
            f"{' and '.join(needing)} needs samples: the range of every tensor comes from them. Give "
            "--data FILE; or --data random to try things out (marked as not for shipping); or "
            "--precision float32,dynamic, which needs none."
        )
    if data is not None:
        check_data(data)
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: is a file, and the results go into a folder. Give another -o.")
    if options.batch < 1 or options.samples < 1:
        raise DataError("--batch and --samples are at least 1.")
    for package in ("tensorflow", "tf2onnx", "litert_quantizer", "scipy"):
        if importlib.util.find_spec(package) is None:
            raise RuntimeMissing(
                f"converting needs {package}: pip install 'edgekit-toolkit[convert]'"
            )


def _as_source(model: Any, scratch: Path) -> str:
    if isinstance(model, (str, Path)):
        return str(model)
    path = scratch / "model.keras"
    model.save(path)
    return str(path)


def _work(
    source: str,
    options: Options,
    scratch: Path,
    *,
    progress: Progress,
    ask: Callable[[list[TensorSpec]], SampleSplit],
) -> _Found:
    """All that needs TensorFlow or runs native code; in a child process."""
    progress("loading TensorFlow and the model")
    model = load_model(source, trust=options.trust)
    original = keras_session(model, source)
    samples = ask(list(original.inputs))
    held_out = samples.held_out
    paths = {
        (form, precision): scratch / f"model_{precision}{FORMATS[form].suffix}"
        for precision in options.precisions
        for form in options.formats
    }
    conversion = convert_model(
        model,
        paths,
        samples.calibration,
        scratch=scratch,
        batch=options.batch,
        shapes=held_out.shapes,
        interface=options.interface,
        opset=options.opset,
        progress=progress,
    )
    progress(f"running the original on {len(held_out)} held-out samples")
    outputs = record(original, held_out, scratch / "original")
    if samples.source == RANDOM:
        for (form, _), path in paths.items():
            FORMATS[form].mark(path, NOT_FOR_SHIPPING)
    tasks = find_tasks(outputs, samples.labels)
    layers = [type(layer).__name__ for layer in model._flatten_layers()]
    warnings = [*samples.warnings, *input_checks.image_range(layers, original, samples, outputs)]
    del model, original  # what follows needs the room
    answers, ends = {}, {}
    for key, path in paths.items():
        progress(f"running {path.name}")
        with open_model(path) as session:
            answers[key] = record(session, held_out, scratch / f"answers {path.name}")
            ends[path.name] = (list(session.inputs), list(session.outputs))
    scores = {
        key: compare(
            outputs, stored, tasks, samples.labels, options.limits, is_float=key[1] == "float32"
        )
        for key, stored in answers.items()
    }
    onnx_vs_tflite: dict[str, tuple[OutputResult, ...]] = {
        precision: compare(answers["tflite", precision], stored, tasks, None, Limits())
        for (form, precision), stored in answers.items()
        if form == "onnx" and ("tflite", precision) in answers
    }
    progress("timing")
    times = _times(paths, next(held_out.batches(options.batch)))
    files = tuple(
        FileResult(
            name=path.name,
            bytes=sum(p.stat().st_size for p in (path, sidecar(path)) if p and p.exists()),
            results=scores[key],
            format=key[0],
            precision=key[1],
            latency_ms=times[key],
            latency_ratio=times[key] / times[key[0], "float32"]
            if (key[0], "float32") in times
            else None,
        )
        for key, path in paths.items()
    )
    warnings += format_gap(files) if conversion.alike else ()
    if conversion.graph is not None:
        seen = ranges_over(conversion.graph, replace(held_out, count=min(_SEEN, len(held_out))))
        warnings += input_checks.outside_range(conversion.ranges, seen)
    return _Found(files, onnx_vs_tflite, ends, conversion, tuple(warnings))


def _times(paths: Mapping[Target, Path], inputs: Mapping[str, Array]) -> dict[Target, float]:
    """The milliseconds of one call of each file, side by side; of large files, a format at a time."""
    together = sum(path.stat().st_size for path in paths.values()) < _LARGE
    times: dict[Target, float] = {}
    for formats in [tuple(FORMATS)] if together else [(form,) for form in FORMATS]:
        with contextlib.ExitStack() as opened:
            sessions = {
                key: opened.enter_context(open_model(path))
                for key, path in paths.items()
                if key[0] in formats
            }
            times |= latencies(sessions, inputs)
    return times


def _how_to_look(model: Any, output: Path) -> str:
    if isinstance(model, (str, Path)):
        return f"edgekit validate {model} {output} --data ..."
    return f"edgekit.validate(model, {str(output)!r}, data)"


def _report(
    source: str, model: Any, output: Path, samples: SampleSplit, found: _Found, data: Any
) -> Report:
    path = Path(source)
    shippable = samples.source != RANDOM
    warnings = list(found.warnings)
    if not shippable:
        why = "--data random" if data is not None else "no data was given"
        warnings.insert(0, f"{NOT_FOR_SHIPPING} ({why})")
    return Report(
        model=str(model) if isinstance(model, (str, Path)) else type(model).__name__,
        model_bytes=_size(path),
        files=found.files,
        data=samples.source,
        calibrated_on=len(samples.calibration) if samples.calibration else 0,
        evaluated_on=len(samples.held_out),
        shippable=shippable,
        onnx_vs_tflite=found.onnx_vs_tflite,
        output=str(output),
        warnings=tuple(warnings),
        notes=(
            *found.conversion.notes,
            *slower_than_float(found.files),
            *(
                [f"{_how_to_look(model, output)} says which layers stray, and why"]
                if shippable and any(file.verdict == "fail" for file in found.files)
                else []
            ),
        ),
        environment={"versions": versions(), "processor": processor()},
    )


def _add_data_files(entries: list[dict[str, Any]], folder: Path) -> list[str]:
    """Describes in the manifest the files that hold the weights of others; returns their names."""
    found = []
    for entry in entries:
        path = sidecar(folder / entry["file"])
        if path is not None and path.exists():
            size = path.stat().st_size
            entry["data"] = {"file": path.name, "bytes": size, "sha256": sha256(path)}
            found.append(path.name)
    return found


def sidecar(path: Path) -> Path | None:
    """Where a model file's weights are, if they are not in it."""
    form = format_of(path)
    return FORMATS[form].sidecar(path) if form is not None else None


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size if path.exists() else 0


_APART = 1.5  # dB


def format_gap(files: Sequence[FileResult]) -> Iterator[str]:
    """Files of one precision and two formats of which one strays farther than the other."""
    for file in files:
        for other in files:
            apart = file.worst_result.sqnr_db - other.worst_result.sqnr_db
            if file.precision == other.precision == "int8" and apart > _APART:
                yield (
                    f"{other.name} strays {apart:.0f} dB farther from the original than {file.name}, "
                    "made with the same numbers: one of the two runtimes computes them otherwise"
                )
