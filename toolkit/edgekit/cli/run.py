"""``edgekit run``: the predictions of a model file."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.console import errors, hushed, say, tell
from edgekit.cli.options import (
    device_option,
    file_argument,
    scale_option,
    threads_option,
)
from edgekit.scratch import scratch_folder

if TYPE_CHECKING:
    from edgekit.inference.predict import Predictions
    from edgekit.workflows.run import RunSummary

_PRINTED = 10  # samples, unless told otherwise
_STDIN = "-"
_ARCHIVES = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz"}  # by their first bytes; else an image


@click.command()
@file_argument
@click.option(
    "--data",
    metavar="DATA",
    required=True,
    help="Samples, as for convert; - for an image, pixels, .npy or .npz on standard input.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the outputs to this .csv, .npz or .json file, and print none.",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    default=3,
    show_default=True,
    help="How many classes to print for each sample.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="N",
    help=f"How many samples to run. [default: {_PRINTED}; with --output, all]",
)
@device_option
@threads_option
@scale_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a sample.")
def run(
    model: Path,
    data: str,
    output: Path | None,
    top: int,
    count: int | None,
    device: str,
    threads: int | None,
    scale: str | None,
    as_json: bool,
) -> None:
    """Run a MODEL file on samples and print its predictions.

    MODEL may be a folder that convert made: then the fastest of its files that pass runs. What was
    chosen, what was left out and, with labels, the accuracy go to standard error.
    """
    with errors(), contextlib.ExitStack() as stack:
        from edgekit.inference.predict import open_predictions
        from edgekit.inference.runtime_faults import runtime_faults
        from edgekit.workflows.run import check_output, run_samples, save_predictions

        if output is not None:
            check_output(output)
        scratch = stack.enter_context(scratch_folder())
        given = _standard_input(scratch) if data == _STDIN else data
        with hushed():
            predictions = stack.enter_context(
                open_predictions(
                    model,
                    given,
                    count=count or (_PRINTED if output is None else None),
                    device=device,
                    threads=threads,
                    scale=scale,
                )
            )
        tell(_chosen(predictions, model))
        for fault in runtime_faults(predictions.file, predictions.device):
            tell(f"warning: {predictions.file.name}: {fault}")

        def show(number: int, outputs: dict[str, Any], label: Any) -> None:
            if output is None:
                line = predictions.prediction(number, outputs, label, top)
                say(json.dumps(line.to_dict()) if as_json else str(line))

        with hushed():
            summary = run_samples(predictions, scratch / "outputs", show)
            if output is not None:
                save_predictions(summary, output)
        for line in _told(summary, predictions.unusable):
            tell(line)
        if output is not None:
            tell(f"written to {output}")


def _standard_input(scratch: Path) -> Any:
    """What comes on standard input: the bytes of an image, or a file of arrays."""
    from edgekit.data.samples import DataError

    content = sys.stdin.buffer.read()
    if not content:
        raise DataError("standard input is empty: pipe an image, pixels, .npy or .npz into it.")
    for start, suffix in _ARCHIVES.items():
        if content.startswith(start):
            path = scratch / f"stdin{suffix}"
            path.write_bytes(content)
            return path
    return content


def _chosen(predictions: "Predictions", model: Path) -> str:
    """The file and the device, with why where there was a choice."""
    runtime = f" ({predictions.runtime})" if predictions.runtime else ""
    why = f", the fastest that passes in {model}" if model.is_dir() else ""
    return f"{predictions.file.name} on {predictions.device}{runtime}{why}"


def _told(summary: "RunSummary", unusable: int) -> Iterator[str]:
    """What ran, what was left out, and what the outputs are worth."""
    from edgekit.accuracy.formatting import label, value

    ran, left = summary.samples, summary.left_out
    samples = f"{ran:,} sample{'s' if ran > 1 else ''}"
    nan = f", {unusable:,} of them for NaN or infinite values" if unusable else ""
    if left is None:
        yield f"{samples}; whether there are more is not known"
    elif left:
        yield f"{samples} of {ran + left:,}: {left:,} left out{nan}"
    else:
        yield f"{samples}, all there are"
    for name, metrics in summary.metrics.items():
        of = f"{name}: " if len(summary.metrics) > 1 else ""
        yield of + ", ".join(f"{label(m)} {value(v, m)}" for m, v in metrics.items())
    if summary.refusal:
        yield f"no accuracy: {summary.refusal}"
