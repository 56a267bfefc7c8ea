"""The manifest of a conversion: its files, its original, its ranges, and how it was evaluated."""

from dataclasses import asdict
from pathlib import Path

from edgekit.accuracy.intervals import worst
from edgekit.bundle.folder import sha256
from edgekit.bundle.manifest import FileEntry, GoldenSamples, Manifest, Sidecar, Source
from edgekit.bundle.recipes import entry_of
from edgekit.report.result import Report
from edgekit.workflows.candidates import sidecar
from edgekit.workflows.evaluate import Evaluation
from edgekit_converters import Conversion, RecipeDocument
from edgekit_runtimes.files import FILES
from edgekit_runtimes.formats.least_versions import least_versions
from edgekit_runtimes.monitoring.reference import Distributions
from edgekit_runtimes.processing.facts import Facts


def describe(
    report: Report,
    evaluation: Evaluation,
    conversion: Conversion,
    folder: Path,
    *,
    source: Path,
    batch: int,
    scale: str | None,
    facts: Facts,
    golden: GoldenSamples | None,
    distributions: Distributions | None,
) -> Manifest:
    """Return the manifest of converted files.

    Args:
        report: of the files.
        evaluation: has their inputs and outputs, and the samples.
        conversion: has the calibrated ranges.
        folder: where the files are now.
        source: the original; hashed where it is a path.
        batch: the fixed batch size.
        scale: what the pixels of image files became, where the samples were images.
        facts: of its inputs and outputs.
        golden: the golden samples, where there are any.
        distributions: of inputs and outputs, where they are wanted.
    """
    plain = report.to_dict()
    files = []
    made_by: dict[tuple[str, str], RecipeDocument] = {
        (form, precision): recipe for (form, precision), recipe in conversion.recipes.items()
    }
    for file, (inputs, outputs) in zip(report.files, evaluation.specs, strict=True):
        if file.device:  # one more row of a file that is here already
            continue
        rows = [other for other in report.files if other.name == file.name]
        verdict = worst([row.verdict for row in rows])
        deciding = next(
            of_row
            for row, of_row in zip(report.files, plain["files"], strict=True)
            if row.name == file.name and row.verdict == verdict
        )
        path = folder / file.name
        beside = sidecar(path)
        recipe = made_by.get((file.format, file.precision))
        files.append(
            FileEntry(
                file=file.name,
                format=file.format,
                precision=file.precision,
                bytes=file.bytes,
                sha256=sha256(path),
                inputs=inputs,
                outputs=outputs,
                verdict=verdict,
                results=tuple(deciding["results"]),
                latency_ms=file.latency_ms,
                data=Sidecar(beside.name, beside.stat().st_size, sha256(beside))
                if beside
                else None,
                recipe=entry_of(recipe) if recipe else None,
                least_versions=least_versions(path) if path.suffix in FILES else {},
            )
        )
    digest = sha256(source) if source.exists() else None
    return Manifest(
        model=Source(report.model, report.model_bytes, digest),
        files=tuple(files),
        batch=batch,
        shippable=report.shippable,
        calibrated_on=report.calibrated_on,
        evaluated_on=report.evaluated_on,
        labels=facts.labels,
        scale=scale,
        preprocessing=facts.preprocessing,
        postprocessing=facts.postprocessing,
        license=facts.license,
        golden=golden,
        distributions=distributions,
        ranges={n: (float(low), float(high)) for n, (low, high) in conversion.ranges.items()},
        onnx_vs_tflite=plain["onnx_vs_tflite"],
        notes=report.notes,
        warnings=report.warnings,
        versions=report.environment.versions,
        processor=asdict(report.environment.processor),
    )
