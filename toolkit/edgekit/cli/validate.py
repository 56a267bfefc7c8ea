"""``edgekit validate``: files compared with their original."""

import sys
from pathlib import Path

import click

from edgekit.cli.console import errors, show, status, steps
from edgekit.cli.options import PROJECT, Listed, shared_options


@click.command(short_help="Say how far files stray from their original, and why.")
@click.argument("model", required=False, metavar="[ORIGINAL]")
@click.argument(
    "candidates",
    nargs=-1,
    metavar="[CANDIDATE]...",
    type=click.Path(exists=True),
)
@click.option("--data", metavar="DATA", help="SampleSplit, as for convert; labels make it a test.")
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    default=1000,
    show_default=True,
    help="The most samples to use.",
)
@click.option(
    "--device",
    type=Listed(),
    metavar="NAMES",
    default="cpu",
    show_default=True,
    help="Devices to run each file on, joined by commas.",
)
@click.option(
    "--metric",
    type=Listed(),
    metavar="NAMES",
    default=(),
    help="Metrics to measure as well: f1,roc_auc,top3, module:function for your own.",
)
@click.option(
    "--per-layer/--no-per-layer",
    default=None,
    help="Say which layers of quantized files stray, and why. [default: of those that fail]",
)
@click.option(
    "--worst",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    help="List the samples that changed most.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Write the report as a page.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write it as JUnit XML.")
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    help="Keep all outputs, as .npz or .json, for --from.",
)
@click.option(
    "--from",
    "saved",
    type=click.Path(path_type=Path),
    help="Judge outputs that --save kept; nothing runs.",
)
@shared_options
def validate(
    model: str | None,
    candidates: tuple[str, ...],
    data: str | None,
    samples: int,
    device: tuple[str, ...],
    metric: tuple[str, ...],
    per_layer: bool | None,
    worst: int,
    html: Path | None,
    junit: Path | None,
    save: Path | None,
    saved: Path | None,
    scale: str | None,
    trust: bool,
    max_drop: tuple[str, ...],
    floors: tuple[str, ...],
    ceilings: tuple[str, ...],
    strict: bool,
    timeout: float | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Run files on the samples their ORIGINAL runs on; say how far each strays, and why.

    ORIGINAL is anything that convert takes, or a .tflite or .onnx file; a CANDIDATE is a file, or a
    folder that convert made.
    """
    if saved is not None and save is not None:
        raise click.UsageError(
            "--save keeps what runs, and with --from nothing does: leave one out."
        )
    if saved is None and not (model and candidates and data):
        lacking = "ORIGINAL" if not model else "CANDIDATE" if not candidates else "--data"
        raise click.UsageError(
            f"{lacking} is missing: edgekit validate ORIGINAL CANDIDATE... --data DATA, or --from "
            f"RESULTS, or a model, candidates and data in {PROJECT}."
        )
    with errors(), steps(quiet=quiet, verbose=verbose) as step:
        from edgekit import Images
        from edgekit import validate as run
        from edgekit.accuracy.limits import read_limits
        from edgekit.workflows.validate import validate_saved

        limits = read_limits(max_drop, floors, ceilings)
        if saved is not None:
            step(f"judging what {saved} holds")
            report = validate_saved(saved, limits=limits, metrics=metric, worst=max(worst, 10))
        else:
            assert model is not None
            report = run(
                model,
                candidates,
                data,
                samples=samples,
                devices=device,
                limits=limits,
                metrics=metric,
                per_layer=per_layer,
                worst=max(worst, 10),
                save=save,
                trust=trust,
                images=Images(scale) if scale else None,
                timeout=timeout,
                progress=step,
            )
        if junit:
            from edgekit.report.junit import write_junit

            write_junit(report, junit, strict=strict)
        if html:
            from edgekit.report.html import write_page

            write_page(report, html)
    with errors():
        show(report, as_json, quiet, worst)
    sys.exit(status(report, strict))
