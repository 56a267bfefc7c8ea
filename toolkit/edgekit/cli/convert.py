"""``edgekit convert``: a Keras model to files, and their report."""

import sys
from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import errors, show, status, steps
from edgekit.cli.options import Names, shared_options


@click.command()
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
