"""The folder that ships, from what a child process made: what convert and tune end with alike."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.bundle.folder import FAILED_LOG, LOG, publish, write_json
from edgekit.bundle.manifest import GoldenSamples, write_manifest
from edgekit.bundle.recipes import RECIPE, read_recipes, write_recipes
from edgekit.data.open import RANDOM
from edgekit.data.samples import DataError
from edgekit.report.result import Report
from edgekit.workflows.candidates import sidecar
from edgekit.workflows.describe import describe
from edgekit.workflows.evaluate import Evaluation
from edgekit.workflows.recipes import written_recipes
from edgekit.workflows.worker import WorkerError
from edgekit_converters import Conversion, ConversionError
from edgekit_runtimes import ModelError
from edgekit_runtimes.bundle.golden import GOLDEN
from edgekit_runtimes.bundle.manifest_file import MANIFEST, is_manifest
from edgekit_runtimes.monitoring.reference import Distributions
from edgekit_runtimes.processing.facts import Facts

NOT_FOR_SHIPPING = (
    "NOT FOR SHIPPING: calibrated and evaluated on random numbers, which say nothing of accuracy on "
    "real samples"
)


@dataclass(frozen=True, slots=True)
class Made:
    """What the child process sends back."""

    evaluation: Evaluation
    conversion: Conversion
    facts: Facts
    golden: GoldenSamples | None = None
    distributions: Distributions | None = None
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Why files were left out, by their names, that a runtime they are for does not run."""


@contextlib.contextmanager
def log_left(log: Path, output: Path) -> Iterator[None]:
    """Within, what the converters printed stays in ``output`` where something fails."""
    try:
        yield
    except (ConversionError, ModelError, WorkerError, OSError) as error:
        if log.stat().st_size:
            with contextlib.suppress(OSError):  # a full disk is told by the error itself
                shutil.copyfile(log, output / FAILED_LOG)
            error.add_note(f"What the converters printed is in {output / FAILED_LOG}.")
        raise


def ship(
    made: Made,
    scratch: Path,
    output: Path,
    *,
    source: str,
    data: Any,
    options: Mapping[str, Any],
) -> Report:
    """Put the files with their report, manifest, log and recipes into ``output``; return the report.

    Args:
        made: the evaluation of the files, and their conversion.
        scratch: where the files and the log are.
        output: the folder.
        source: the model that was converted.
        data: the samples, as the caller gave them.
        options: of the caller.
    """
    report = replace(made.evaluation.report, output=str(output))
    if not report.shippable:
        why = "no data was given" if data is None else f"the data is {RANDOM!r}"
        warnings = (f"{NOT_FOR_SHIPPING} ({why})", *report.warnings)
        report = replace(report, warnings=warnings)
    write_json(scratch / "report.json", report.to_dict())
    manifest = describe(
        report,
        made.evaluation,
        made.conversion,
        scratch,
        source=Path(source),
        batch=options["batch"],
        scale=options["scale"] or made.evaluation.samples.scale,
        facts=made.facts,
        golden=made.golden,
        distributions=made.distributions,
    )
    write_manifest(manifest, scratch / MANIFEST)
    shown = written_recipes(made.conversion)
    if shown:
        write_recipes(shown, scratch / RECIPE)
    beside = [entry.data.file for entry in manifest.files if entry.data]
    files = [entry.file for entry in manifest.files]
    more = [*([RECIPE] if shown else []), *([GOLDEN] if made.golden else [])]
    published = [*beside, *files, LOG, "report.json", *more]
    if made.golden is None and is_manifest(output / MANIFEST):  # of an earlier run
        (output / GOLDEN).unlink(missing_ok=True)
    publish(scratch, published, output, force=options["force"])
    (output / FAILED_LOG).unlink(missing_ok=True)  # of an earlier run
    if not shown:
        with contextlib.suppress(DataError):  # none there, or not edgekit's
            read_recipes(output / RECIPE)
            (output / RECIPE).unlink()
    for name in files:  # what an earlier run put beside a file of this name
        stale = sidecar(output / name)
        if stale is not None and stale.name not in beside:
            stale.unlink()
    return report
