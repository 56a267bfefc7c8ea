"""The command ``edgekit`` and the table of its verbs.

Heavy imports stay inside the commands, so that ``--help`` is there at once.
"""

from functools import partial
from typing import Any

import click

from edgekit.cli.bench import bench
from edgekit.cli.bisect import bisect
from edgekit.cli.console import end
from edgekit.cli.convert import convert
from edgekit.cli.demo import demo
from edgekit.cli.devices import devices
from edgekit.cli.diff import diff
from edgekit.cli.doctor import doctor
from edgekit.cli.export import export
from edgekit.cli.inspect import inspect
from edgekit.cli.push import push
from edgekit.cli.run import run
from edgekit.cli.serve import serve
from edgekit.cli.sign import sign
from edgekit.cli.tune import tune
from edgekit.cli.validate import validate
from edgekit.cli.verify import verify
from edgekit.cli.watch import watch

COMMANDS: dict[str, click.Command] = {
    "demo": demo,
    "convert": convert,
    "tune": tune,
    "validate": validate,
    "verify": verify,
    "run": run,
    "sign": sign,
    "bench": bench,
    "serve": serve,
    "watch": watch,
    "push": push,
    "inspect": inspect,
    "diff": diff,
    "bisect": bisect,
    "export": export,
    "devices": devices,
    "doctor": doctor,
}
"""Every verb; each is a file of this folder."""


class _Verbs(click.Group):
    """Verbs that end as ``console.end`` has it."""

    def main(self, *args: Any, **extra: Any) -> Any:
        extra.pop("standalone_mode", None)
        end(partial(super().main, *args, standalone_mode=False, **extra))


@click.group(
    cls=_Verbs, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="edgekit-toolkit", prog_name="edgekit")
def main() -> None:
    """Convert Keras models to int8 TFLite and ONNX files, and check their accuracy.

    \b
    Exit status: 0 all is well, 1 a limit is not met, 2 wrong usage or data,
    3 the model cannot be converted or opened, 4 a runtime or a device is not there.

    convert, tune and validate take from an edgekit.toml in this folder what is not typed.
    """
