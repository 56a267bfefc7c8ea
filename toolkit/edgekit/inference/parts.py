"""Parts of a model run on arrays, here or wherever a function of this shape runs them."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from edgekit.data.samples import Array
from edgekit.scratch import scratch_folder
from edgekit_converters.pieces import Part
from edgekit_runtimes import DeviceUnavailable
from edgekit_runtimes.processing.answers import GIVEN, JOBS, answer

Answer = tuple[Array, ...] | str
"""What a part makes, one row a sample; or why it cannot be run there."""

_REFUSED = 3  # the status of ``edgekit_runtimes.processing.answers`` where there is no such device


class Runner(Protocol):
    """Runs parts of a model: a place where files are copied to and run, and no more.

    ``tensors`` are the arrays that the parts read, by name, one row a sample. Where ``chained``, a part also
    reads what those before it made.

    Raises:
        EdgekitError, RuntimesError: nothing can be run there.
    """

    def __call__(
        self, suffix: str, parts: Sequence[Part], tensors: Mapping[str, Array], *, chained: bool
    ) -> list[Answer]:
        """An answer for each part."""


def run_here(device: str = "cpu", *, apart: bool = True) -> Runner:
    """Run parts on a device of this machine.

    Args:
        device: as for ``open_model``.
        apart: in a process of their own, so that one that ends its process is an answer too.
    """

    def run(
        suffix: str, parts: Sequence[Part], tensors: Mapping[str, Array], *, chained: bool
    ) -> list[Answer]:
        with scratch_folder() as folder:
            write_jobs(folder, suffix, parts, tensors, chained=chained)
            if apart:
                _run_apart(folder, device)
            else:
                answer(folder, device)
            return read_answers(folder, len(parts))

    return run


def write_jobs(
    folder: Path,
    suffix: str,
    parts: Sequence[Part],
    tensors: Mapping[str, Array],
    *,
    chained: bool,
) -> list[str]:
    """Write what ``edgekit_runtimes.processing.answers`` takes, and return the names of the files.

    Args:
        folder: an empty one.
        suffix: of the model's file.
        parts: to be run.
        tensors: what they read.
        chained: whether they read what others made.
    """
    names = dict.fromkeys([*tensors, *(name for p in parts for name in (*p.reads, *p.makes))])
    number = {name: at for at, name in enumerate(names)}
    with (folder / GIVEN).open("wb") as file:
        arrays = {str(number[name]): array for name, array in tensors.items()}
        np.savez(file, **arrays)  # type: ignore[arg-type]
    jobs = []
    for at, part in enumerate(parts):
        name = f"{at}{suffix}"
        (folder / name).write_bytes(part.content)
        reads, makes = ([number[n] for n in ends] for ends in (part.reads, part.makes))
        jobs.append({"file": name, "reads": reads, "makes": makes})
    (folder / JOBS).write_text(json.dumps({"chained": chained, "jobs": jobs}), encoding="utf-8")
    return [JOBS, GIVEN, *(str(job["file"]) for job in jobs)]


def read_answers(folder: Path, count: int) -> list[Answer]:
    """Read what ``edgekit_runtimes.processing.answers`` wrote."""
    answers: list[Answer] = []
    for at in range(count):
        found, reason = folder / f"{at}.npz", folder / f"{at}.txt"
        if found.exists():
            with np.load(found, allow_pickle=False) as arrays:
                answers.append(tuple(arrays.values()))
        else:
            answers.append(
                reason.read_text(encoding="utf-8") if reason.exists() else "it was not run"
            )
    return answers


def _run_apart(folder: Path, device: str) -> None:
    """Run in other processes, each after the part that ended the one before."""
    command = [
        sys.executable,
        "-m",
        "edgekit_runtimes.processing.answers",
        str(folder),
        "--device",
        device,
    ]
    before = -1
    while True:
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == _REFUSED:
            raise DeviceUnavailable(done.stderr.decode("utf-8", "replace").strip())
        ended = len(list(folder.glob("*.txt")))
        if done.returncode == 0 or ended == before:
            return
        before = ended
