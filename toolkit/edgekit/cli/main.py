"""The command ``edgekit``: demo, convert, validate; its other commands are in ``cli_files``.

Heavy imports stay inside the commands, so that ``--help`` is there at once.
"""

import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import errors, show, status, steps
from edgekit.cli.files import bench, devices, inspect, run
from edgekit.cli.options import Listed, Names, shared_options

_PROJECT = "edgekit.toml"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edgekit-toolkit", prog_name="edgekit")
@click.pass_context
def main(context: click.Context) -> None:
    """From a Keras model to int8 TFLite and ONNX files that can be shipped, with proof.

    \b
    Exit status: 0 all is well, 1 a limit is not met, 2 wrong usage or data,
    3 the model cannot be converted or opened, 4 a runtime or a device is not there.

    An edgekit.toml in this folder holds what convert and validate would need flags for.
    """
    if Path(_PROJECT).is_file() and not {"-h", "--help"} & set(sys.argv):
        with errors():
            from edgekit.project import defaults, read_project

            context.default_map = defaults(read_project(Path(_PROJECT)))


@main.command(short_help="Train a small model, convert it, and prove the result.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="edgekit-demo",
    show_default=True,
    help="Where the model, the samples and the results go.",
)
def demo(output: Path) -> None:
    """Train a small model on handwritten digits, convert it, and prove the result."""
    with errors(), steps(quiet=False, verbose=False) as step:
        from edgekit.workflows.convert import convert
        from edgekit.workflows.demo import train_digits
        from edgekit.workflows.worker import run_in_worker

        output.mkdir(parents=True, exist_ok=True)
        log = output / "training.log"
        run_in_worker(train_digits, output, log=log, progress=step)
        log.unlink()
        report = convert(
            output / "model.keras", output / "calib.npz", output / "out", progress=step
        )
    show(report, as_json=False, quiet=False)
    click.echo(f"\nThe files, the report and the manifest are in {output / 'out'}. Go on by hand:")
    for line in (
        f"edgekit convert {output}/model.keras --data {output}/calib.npz -o {output}/again",
        f"edgekit validate {output}/model.keras {output}/out/model_int8.tflite --data {output}/eval.npz",
        f"edgekit run {output}/out/model_int8.onnx --data {output}/eval.npz",
    ):
        click.echo(f"  {line}")
    sys.exit(status(report, strict=False))


@main.command()
@click.argument("model")
@click.option(
    "--data",
    metavar="DATA",
    help="Samples: .npz, .npy, .csv, a folder of images, module:function, or random.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="out",
    show_default=True,
    help="The folder to write into.",
)
@click.option(
    "--to",
    type=Names("FORMATS"),
    default="tflite,onnx",
    show_default=True,
    metavar="FORMATS",
    help="Formats to write.",
)
@click.option(
    "--precision",
    type=Names("PRECISIONS"),
    default="float32,int8",
    show_default=True,
    metavar="NAMES",
    help="Any of float32, float16, dynamic, int8, int16x8.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="The fixed batch size of the files.",
)
@click.option(
    "--io",
    type=click.Choice(["float", "int8"]),
    default="float",
    show_default=True,
    help="What quantized files take and give: real numbers, or their own integers.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    default=200,
    show_default=True,
    help="The most samples to calibrate on; others judge.",
)
@click.option(
    "--opset",
    type=click.IntRange(13, 18),
    metavar="13..18",
    default=17,
    show_default=True,
    help="Of the ONNX files.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text file with the classes' names, one a line.",
)
@shared_options
def convert(
    model: str,
    data: str | None,
    output: Path,
    to: Any,
    precision: Any,
    batch: int,
    io: Any,
    samples: int,
    opset: int,
    labels: Path | None,
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
    """Convert a Keras MODEL and prove what was written.

    MODEL is a .keras or .h5 file, a SavedModel folder, or module:function. OUT gets the files,
    manifest.json, report.json and edgekit.log.
    """
    with errors(), steps(quiet=quiet, verbose=verbose) as step:
        from edgekit import Images
        from edgekit import convert as run
        from edgekit.accuracy.limits import read_limits

        report = run(
            model,
            data,
            output,
            to=to,
            precision=precision,
            batch=batch,
            io=io,
            samples=samples,
            opset=opset,
            trust=trust,
            images=Images(scale) if scale else None,
            label_names=labels.read_text().splitlines() if labels else (),
            limits=read_limits(max_drop, floors, ceilings),
            timeout=timeout,
            progress=step,
        )
    with errors():
        show(report, as_json, quiet)
    if not (as_json or quiet):
        click.echo(f"\nWritten to {output}: the files, manifest.json, report.json, edgekit.log")
    sys.exit(status(report, strict))


@main.command(short_help="Say how far files stray from their original, and why.")
@click.argument("model", required=False, metavar="[ORIGINAL]")
@click.argument(
    "candidates",
    nargs=-1,
    metavar="[CANDIDATE]...",
    type=click.Path(exists=True),
)
@click.option("--data", metavar="DATA", help="Samples, as for convert; labels make it a test.")
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
            f"RESULTS, or a model, candidates and data in {_PROJECT}."
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


for command in (run, bench, inspect, devices):
    main.add_command(command)
