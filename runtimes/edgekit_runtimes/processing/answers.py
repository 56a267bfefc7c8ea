"""Runs model files that lie in a folder on arrays that lie there too: ``python -m edgekit_runtimes.processing.answers FOLDER``.

For parts of a model, whose inputs and outputs are whatever is between two operators: arrays go in and come
out as they are, of the files' own types, without a batch that could be split. Whoever asks may be another
machine: all that is needed here is this package and a runtime.

``jobs.json`` has, for each file, ``file``, ``reads`` and ``makes``: the numbers of the tensors, in the order of
the file's inputs and outputs. ``given.npz`` holds tensors by number, one row a sample. What each file makes is
written as ``N.npz``, N its place among the jobs, or ``N.txt`` where it cannot be run, with the reason.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit_runtimes.base import Array, DeviceUnavailable, ModelError, RuntimesError
from edgekit_runtimes.engines.devices import DEVICES, Device, delegate_device

JOBS, GIVEN = "jobs.json", "given.npz"
"""The names of the files that say what to do."""

_OF_LIBRARIES = (ValueError, RuntimeError, TypeError, KeyError, IndexError, OSError, MemoryError)


def answer(folder: Path, device: str = "cpu") -> None:
    """Run every job of a folder, in order.

    Args:
        folder: with ``jobs.json`` and the files.
        device: ``cpu``, ``gpu``, ``npu``, or a device by its exact name.

    Raises:
        DeviceUnavailable: there is no such device for the files, or it is not ready here.
    """
    plan = json.loads((folder / JOBS).read_text(encoding="utf-8"))
    with np.load(folder / GIVEN, allow_pickle=False) as arrays:
        tensors = {int(name): arrays[name] for name in arrays.files}
    for place, job in enumerate(plan["jobs"]):
        if (folder / f"{place}.txt").exists():  # of a process that died at it, or at a later one
            continue
        if (folder / f"{place}.npz").exists():
            if plan["chained"]:
                with np.load(folder / f"{place}.npz", allow_pickle=False) as arrays:
                    tensors |= dict(zip(job["makes"], arrays.values(), strict=True))
            continue
        path = folder / job["file"]
        found = find_device(device, path.suffix)
        note = folder / f"{place}.txt"
        if any(number not in tensors for number in job["reads"]):
            note.write_text("what it reads was not computed", encoding="utf-8")
            continue
        note.write_text("it ends the process that runs it", encoding="utf-8")
        try:
            made = _run(path, found, [tensors[number] for number in job["reads"]])
        except (RuntimesError, *_OF_LIBRARIES) as error:
            reason = str(error).replace(f"{path}: ", "") or type(error).__name__
            note.write_text(reason, encoding="utf-8")
            continue
        with (folder / f"{place}.part").open("wb") as file:
            np.savez(file, *made)
        (folder / f"{place}.part").replace(folder / f"{place}.npz")
        note.unlink()
        if plan["chained"]:
            tensors |= dict(zip(job["makes"], made, strict=True))


def find_device(name: str, suffix: str) -> Device:
    """The first device of a name, or of a kind, that opens files of a suffix and is ready.

    Raises:
        DeviceUnavailable: there is none.
    """
    if library := delegate_device(name):
        return library
    named = [
        d
        for d in DEVICES
        if suffix in d.suffixes and (d.name == name or (d.kind == name and not d.simulated))
    ]
    lacking = [(device, device.missing()) for device in named]
    ready = [device for device, missing in lacking if missing is None]
    if ready:
        return ready[0]
    if lacking:
        raise DeviceUnavailable(
            "; ".join(f"{device.name}: {missing}: {device.add}" for device, missing in lacking)
        )
    names = ", ".join(dict.fromkeys(d.name for d in DEVICES if suffix in d.suffixes))
    raise DeviceUnavailable(
        f"no device {name!r} opens {suffix} files. There are: cpu, gpu, npu, {names}."
    )


def _run(path: Path, device: Device, arrays: Sequence[Array]) -> list[Array]:
    """The outputs of a file for each sample, stacked."""
    engine = device.open(path, 1)
    try:
        if len(engine.inputs) != len(arrays):
            raise ModelError(
                f"{len(engine.inputs)} inputs there, {len(arrays)} where it was cut: a constant was "
                "left out."
            )
        rows = [
            engine.call([np.asarray(array[row]) for array in arrays])  # of a scalar, no array
            for row in range(len(arrays[0]))
        ]
        return [np.stack([np.asarray(row[at]) for row in rows]) for at in range(len(rows[0]))]
    finally:
        if engine.close:
            engine.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    try:
        answer(given.folder, given.device)
    except (RuntimesError, OSError, ValueError, KeyError) as error:
        parser.exit(3, f"{error}\n")


if __name__ == "__main__":
    main()
