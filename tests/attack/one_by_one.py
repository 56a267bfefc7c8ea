"""Commands, each in a fork of a process that has loaded what they need; how each ended, as JSON."""

import json
import os
import sys
import time
from pathlib import Path

from attack.forked import command, run_forked
from attack.victims import memory

WITHIN = 60
"""Seconds for each; what is endless is stopped by ``rehearsal.TIME_LIMIT``, which is shorter here."""


def main(folder: Path, modules: list[str]) -> None:
    """Runs the commands of ``commands.json`` in the folders of their names."""
    import importlib
    import resource

    from edgekit_runtimes import rehearsal

    for name in ("edgekit.inference.predict", "edgekit.workflows.validate", *modules):
        importlib.import_module(name)
    rehearsal.TIME_LIMIT = 5.0
    ends = {}
    for name, arguments in json.loads((folder / "commands.json").read_text()).items():
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache" / name)
        measured = folder / "memory"

        def call(arguments: list[str] = arguments, measured: Path = measured) -> None:
            try:
                command(arguments)()
            finally:
                ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # those that did
                most = max(memory() >> 10, ended)
                measured.write_text(str(most))

        place = folder / name
        measured.write_text("0")
        start = time.perf_counter()
        ended = run_forked(
            call, folder / "printed", before=lambda place=place: os.chdir(place), within=WITHIN
        )  # type: ignore[misc]
        ends[name] = [
            ended.status,
            ended.printed,
            int(measured.read_text()) >> 10,
            time.perf_counter() - start,
        ]
    (folder / "ends.json").write_text(json.dumps(ends))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
