"""``edgekit convert``: a Keras model and samples to a folder that ships, with the report of its accuracy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from edgekit.accuracy.limits import Limits, read_limits
from edgekit.accuracy.task_names import check_tasks
from edgekit.bundle.folder import (
    LOG,
    refuse_foreign_manifest,
    workplace,
)
from edgekit.bundle.packages import CONVERTERS, require
from edgekit.data.images import Images
from edgekit.data.open import RANDOM, check_data, open_samples
from edgekit.data.samples import DataError
from edgekit.data.split import SampleSplit, set_aside
from edgekit.diagnosis import input_checks
from edgekit.names import printable
from edgekit.options.declared import ConvertOptions
from edgekit.options.values import resolve, with_options
from edgekit.progress import Progress, expect, silent
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report
from edgekit.workflows.candidates import MICRO, Candidate
from edgekit.workflows.compatibility import fitted, micro_refusals, refuse_all, unfit
from edgekit.workflows.distributions import record_distributions
from edgekit.workflows.evaluate import (
    FLOAT,
    Criteria,
    evaluate,
    record_original,
    steps_of,
)
from edgekit.workflows.facts import facts_of
from edgekit.workflows.golden import record_golden
from edgekit.workflows.original import name_of, source_of
from edgekit.workflows.recipes import chosen_recipes
from edgekit.workflows.ship import NOT_FOR_SHIPPING, Made, log_left, ship
from edgekit.workflows.worker import run_in_worker
from edgekit_converters import (
    CALIBRATED,
    FORMATS,
    ConversionError,
    Precision,
    RecipeDocument,
    Target,
    all_formats,
    check_source,
    format_of,
    load_model,
    ranges_over,
)
from edgekit_converters import convert as convert_model
from edgekit_runtimes import RuntimeMissing, TensorSpec, keras_session
from edgekit_runtimes.base import EXTRA
from edgekit_runtimes.engines.micro import micro_missing
from edgekit_runtimes.processing.facts import FACTS_KEY, facts_to_text

_RANGE_SAMPLES = 100  # held-out samples whose ranges are compared with the calibrated ones
_FORMAT_GAP = 1.5  # dB


class PartlyConverted(ConversionError):
    """Some files were written, and others could not be."""

    def __init__(self, failed: Mapping[str, str], report: Report) -> None:
        reasons = " ".join(f"{name} was not written: {reason}" for name, reason in failed.items())
        written = ", ".join(file.name for file in report.files)
        super().__init__(f"{reasons} Written to {report.output}: {written}.")
        self.report = report
        """Of the files that were written."""


@with_options(ConvertOptions)
def convert(
    model: Any,
    data: Any = None,
    output: str | Path = "out",
    *,
    progress: Progress = silent,
    **options: Unpack[ConvertOptions],
) -> Report:
    """Convert a Keras model, and evaluate every file on samples that were not used for calibration.

    >>> import edgekit
    >>> report = edgekit.convert("model.keras", "samples.npz", "out", to="tflite", max_drop="5%")
    >>> report.verdict, [file.name for file in report.files]
    ('pass', ['model_float32.tflite', 'model_int8.tflite'])

    Args:
        model: a path (``.keras``, ``.h5``, a SavedModel folder), ``module:function``, or a Keras model
            made of layers that Keras can load again.
        data: samples, of any kind in ``edgekit.data.open.SOURCES``. Some calibrate, the files are
            evaluated on others.
        output: the folder to write into.
        progress: is called with each step's name as it begins.
        {options}

    Returns:
        The report, which is also in ``output/report.json``; false where a limit is exceeded.

    Raises:
        OptionError: an option has a value that it cannot take.
        OutputInUse: another conversion is writing into ``output``.
        ConversionError: the model cannot be converted; ``PartlyConverted`` where some files were written.
        ModelError: a file was written that its own runtime cannot open.
        DataError: the samples cannot be read, or do not fit the model.
        RuntimeMissing: TensorFlow or a runtime is not installed.
        WorkerError: native code crashed, memory or time ran out.
    """
    chosen = resolve(ConvertOptions, options)
    images = Images(chosen["scale"] or "0..1", chosen["labels"])
    limits = read_limits(chosen["max_drop"], chosen["min"], chosen["max"])
    check_tasks(chosen["task"])
    output = Path(output)
    chosen = fitted(chosen, options)
    recipes, precisions = chosen_recipes(chosen, given="precision" in options)
    check_conversion(model, data, precisions, chosen["to"], output, force=chosen["force"])
    with workplace(output) as scratch:
        source = source_of(model, scratch)
        log = scratch / LOG
        log.touch()

        def read_samples(inputs: Sequence[TensorSpec]) -> SampleSplit:
            progress("reading samples")
            opened = open_samples(RANDOM if data is None else data, inputs, images)
            calibration = chosen["samples"] if CALIBRATED & set(precisions) else 0
            return set_aside(
                opened, scratch / "samples", calibration=calibration, progress=progress
            )

        with log_left(log, output):
            made = run_in_worker(
                _work,
                source,
                name_of(model),
                chosen | {"precision": precisions},
                recipes,
                limits,
                scratch,
                log=log,
                scratch=scratch,
                timeout=chosen["timeout"],
                progress=progress,
                answer=read_samples,
                answering="reading samples",
            )
        report = ship(made, scratch, output, source=source, data=data, options=chosen)
    failed = {all_formats()[name].title: reason for name, reason in made.conversion.failed.items()}
    if failed or made.unfit:
        raise PartlyConverted({**failed, **made.unfit}, report)
    return report


def check_conversion(
    model: Any,
    data: Any,
    precisions: Sequence[Precision],
    formats: Sequence[str],
    output: Path,
    *,
    force: bool,
) -> None:
    """Refuse what can be refused at once, before TensorFlow is imported: for ``convert`` and ``tune``."""
    if isinstance(model, (str, Path)):
        check_source(str(model))
    if data is None and (needing := [p for p in precisions if p in CALIBRATED]):
        raise DataError(
            f"{' and '.join(needing)} needs samples: the range of every tensor comes from them. Pass "
            f'data=...; or data="{RANDOM}" to try things out (marked as not for shipping); or choose '
            'precisions that need none, as precision="float32,dynamic".'
        )
    if data is not None:
        check_data(data)
    if output.exists() and not output.is_dir():
        raise DataError(
            f"{output}: is a file, and the results go into a folder. Name another output."
        )
    if printable(output) != str(output):
        raise DataError(
            f"{printable(output)}: its name is not UTF-8, and LiteRT opens no file in such a folder. "
            "Name another output."
        )
    for name in formats:
        able = all_formats()[name].precisions
        if not set(able) & set(precisions):
            raise ConversionError(
                f"{name} is written in {' and '.join(able)}, and precision is {', '.join(precisions)}: name "
                f"{able[0]} too."
            )
    if MICRO in formats and (lacking := micro_missing()):
        raise RuntimeMissing(
            f"{lacking}, and a file for microcontrollers is tried in their kernels: "
            f"{EXTRA.format('micro')}, on Linux on an x86 processor; no other has a package."
        )
    refuse_foreign_manifest(output, force=force)
    runtimes = ["ai_edge_litert", *(["onnxruntime"] if "onnx" in formats else [])]  # one calibrates
    require([*CONVERTERS, *runtimes], "converting", "convert")


def _work(
    source: str,
    name: str,
    options: Mapping[str, Any],
    recipes: Mapping[Target, RecipeDocument],
    limits: Limits,
    scratch: Path,
    *,
    progress: Progress,
    ask: Callable[[Sequence[TensorSpec]], SampleSplit],
) -> Made:
    """Do all that needs TensorFlow or runs native code; in a child process."""
    expect(progress, _steps_of(options["to"], options["precision"]))
    progress("loading TensorFlow and the model")
    model = load_model(source, trust=options["trust"])
    session = keras_session(model, source)
    samples = ask(session.inputs)
    paths = {
        (form, precision): scratch / all_formats()[form].file_name(precision)
        for precision in options["precision"]
        for form in options["to"]
        if precision in all_formats()[form].precisions
    }
    # A quantized file's error is attributed by its float32 counterpart, whether that ships or not.
    counterparts = {
        form: paths.get((form, FLOAT), scratch / f"counterpart{FORMATS[form].suffix}")
        for form in dict.fromkeys(map(_kind, paths.values()))
    }
    conversion = convert_model(
        model,
        paths | {(form, FLOAT): path for form, path in counterparts.items()},
        samples.calibration.watched(progress) if samples.calibration else None,
        scratch=scratch,
        batch=options["batch"],
        shapes=samples.held_out.shapes,
        interface=options["io"],
        opset=options["opset"],
        recipes=recipes,
        keep_float=options["keep_float"],
        ranges=options["ranges"],
        dense_per_tensor=options["dense_per_tensor"],
        progress=progress,
    )
    for missing in conversion.failed:
        counterparts.pop(missing, None)
    paths = {target: path for target, path in paths.items() if target[0] not in conversion.failed}
    if not paths:
        raise ConversionError(" ".join(conversion.failed.values()))
    reasons = unfit(paths, options["for_"]) | micro_refusals(paths)
    refuse_all(reasons, paths)
    left_out = {paths.pop(target).name: reason for target, reason in reasons.items()}
    recipes_kept = {t: recipe for t, recipe in conversion.recipes.items() if t in paths}
    conversion = replace(conversion, recipes=recipes_kept)
    if samples.source == RANDOM:
        for (form, _), path in paths.items():
            all_formats()[form].mark(path, NOT_FOR_SHIPPING)
    original = record_original(session, model, name, samples, scratch / "original", progress)
    del model, session  # what follows needs the room
    facts = facts_of(original, samples, options)
    for (form, _), path in paths.items():
        all_formats()[form].add_metadata(path, FACTS_KEY, facts_to_text(facts))
    candidates = [
        Candidate(path, path.name, precision, device, counterparts.get(_kind(path)), form)
        for (form, precision), path in paths.items()
        for device in (("cpu", MICRO) if form == MICRO else ("cpu",))
    ]
    evaluation = evaluate(
        original,
        candidates,
        samples,
        Criteria(limits, task=options["task"]),
        scratch=scratch,
        label_names=options["labels"],
        progress=progress,
    )
    report = evaluation.report
    warnings = [*report.warnings, *(_format_gap(report.files) if conversion.alike else ())]
    if conversion.graph is not None:
        count = min(_RANGE_SAMPLES, len(samples.held_out))
        observed = ranges_over(conversion.graph, replace(samples.held_out, count=count))
        warnings += input_checks.outside_range(conversion.ranges, observed)
    report = replace(
        report,
        calibrated_on=len(samples.calibration) if samples.calibration else 0,
        warnings=tuple(warnings),
        notes=(*conversion.notes, *report.notes),
    )
    golden = record_golden(candidates, original, evaluation, scratch, options["golden"])
    distributions = (
        None
        if options["distributions"] is False
        else record_distributions(evaluation, facts, conversion.ranges)
    )
    made = replace(evaluation, report=report)
    return Made(made, conversion, facts, golden, distributions, left_out)


def _kind(path: Path) -> str:
    """The format of ``FORMATS`` that a file is of, or is a kind of."""
    name = format_of(path)
    assert name is not None
    return name


def _steps_of(formats: Sequence[str], precisions: Sequence[Precision]) -> int:
    """The number of steps of ``_work``: of the converters, of the original, and of ``evaluate``."""
    written = {*precisions, FLOAT}  # float32 as a counterpart, where it does not ship
    converting = 1 + len(formats) + len(written) + bool(CALIBRATED & written)
    further = sum(2 for form in formats if form == MICRO)  # on two devices, in one precision
    plain = sum(form != MICRO for form in formats)
    return 2 + converting + 1 + steps_of(plain * len(precisions) + further)


def _format_gap(files: Sequence[FileResult]) -> Iterator[str]:
    """Warn of an int8 file with a lower SQNR than that of the same precision in the other format."""
    files = [file for file in files if file.format in FORMATS]
    for file in files:
        for other in files:
            gap = file.worst_result.sqnr_db - other.worst_result.sqnr_db
            if file.precision == other.precision == "int8" and gap > _FORMAT_GAP:
                yield (
                    f"{other.name}: its SQNR is {gap:.0f} dB below that of {file.name}, which has the "
                    "same scales and weights: one of the two runtimes computes them differently"
                )
