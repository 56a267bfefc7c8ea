"""``edgekit diff``: two files or folders side by side."""

import json
import sys
from pathlib import Path

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import LIMIT_BROKEN, OK, draw, errors, say, tell
from edgekit.cli.options import json_option


@click.command(short_help="Compare two files, or two folders of them.")
@click.argument("a", type=click.Path(exists=True, path_type=Path))
@click.argument("b", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--data",
    metavar="DATA",
    help="Samples to compare on, as for validate. [default: the folder's golden samples]",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    default=1000,
    show_default=True,
    help="The most samples to compare outputs on; layers are compared on 32 of them.",
)
@click.option("--latency", is_flag=True, help="Time both files, too.")
@click.option(
    "--model-explorer",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the SQNR of each layer of B as node data for Google's Model Explorer.",
)
@json_option
def diff(
    a: Path,
    b: Path,
    data: str | None,
    samples: int,
    latency: bool,
    model_explorer: Path | None,
    as_json: bool,
) -> None:
    """Compare two .tflite or .onnx files, A and B, or two folders that edgekit made.

    Shows size, operators, the precision and the SQNR of each layer, and the predictions that changed on
    DATA or on the golden samples.

    \b
    Exit status, as of diff: 0 the same byte by byte, 1 different, 2 or more on an error.
    """
    with errors(), steps(quiet=as_json, verbose=False) as step:
        from edgekit.workflows.diff import diff as compare

        if model_explorer is not None and a.is_dir() and b.is_dir():
            raise click.UsageError(
                "--model-explorer is about one graph: name two files, not two folders."
            )
        found = compare(a, b, data, samples=samples, latency=latency, progress=step)
        if model_explorer is not None:
            from edgekit.report.model_explorer import write_node_data

            write_node_data(found.files[0], model_explorer)
    if as_json:
        say(json.dumps(found.to_dict(), indent=2))
    else:
        from edgekit.report.diff_table import diff_table

        draw(diff_table(found))
    if model_explorer is not None:
        tell(f"written to {model_explorer}: load it in Model Explorer beside {found.b}")
    sys.exit(OK if found.same else LIMIT_BROKEN)
