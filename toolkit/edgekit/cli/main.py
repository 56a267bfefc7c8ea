"""The command ``edgekit`` and the table of its verbs.

Heavy imports stay inside the commands, so that ``--help`` is there at once.
"""

import sys
from pathlib import Path

import click

from edgekit.cli.bench import bench
from edgekit.cli.console import errors
from edgekit.cli.convert import convert
from edgekit.cli.demo import demo
from edgekit.cli.devices import devices
from edgekit.cli.inspect import inspect
from edgekit.cli.options import PROJECT
from edgekit.cli.run import run
from edgekit.cli.validate import validate

COMMANDS: tuple[click.Command, ...] = (demo, convert, validate, run, bench, inspect, devices)
"""Every verb; each is a file of this folder."""


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
    if Path(PROJECT).is_file() and not {"-h", "--help"} & set(sys.argv):
        with errors():
            from edgekit.project import defaults, read_project

            context.default_map = defaults(read_project(Path(PROJECT)))


for command in COMMANDS:
    main.add_command(command)
