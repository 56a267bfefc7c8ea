"""``edgekit demo``: a small model trained, converted and validated."""

import sys
from pathlib import Path

import click

from edgekit.cli.bars import steps
from edgekit.cli.console import errors, say, show, status


@click.command(short_help="Train a small model, convert it, and evaluate the files.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="edgekit-demo",
    show_default=True,
    help="Where the model, the samples and the results go.",
)
def demo(output: Path) -> None:
    """Train a small model on handwritten digits, convert it, and evaluate the files."""
    with errors(), steps(quiet=False, verbose=False) as step:
        from edgekit.workflows.convert import convert
        from edgekit.workflows.demo import check_demo, train_digits
        from edgekit.workflows.worker import run_in_worker

        check_demo()
        output.mkdir(parents=True, exist_ok=True)
        log = output / "training.log"
        try:
            run_in_worker(train_digits, output, log=log, progress=step)
        except KeyboardInterrupt:
            log.unlink()
            raise
        log.unlink()
        report = convert(
            output / "model.keras", output / "calib.npz", output / "out", progress=step
        )
    show(report, as_json=False, quiet=False)
    say(f"\nThe files, the report and the manifest are in {output / 'out'}. Next, try:")
    for line in (
        f"edgekit convert {output}/model.keras --data {output}/calib.npz -o {output}/again",
        f"edgekit validate {output}/model.keras {output}/out/model_int8.tflite --data {output}/eval.npz",
        f"edgekit run {output}/out/model_int8.onnx --data {output}/eval.npz",
    ):
        say(f"  {line}")
    sys.exit(status(report, strict=False))
