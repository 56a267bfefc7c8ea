"""A process that is given damaged files: what it does with each kind, and what it must not do.

A crash ends this process, and the number of the file is in the file of its progress. A file that takes
too long ends it by an alarm, which native code cannot miss.
"""

import contextlib
import importlib
import io
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attack.mutations import Random, mutant, of_archive, of_bytes, of_json, of_table
from attack.structured import of_onnx, of_tflite

LONGEST = 30
"""Seconds for one file."""
_PROGRESS = struct.Struct("<q")

Change = Callable[[bytes, Random, Sequence[bytes]], bytes]


class Wrong(Exception):
    """An answer that is not what the manifest vouches for, or an end without words."""


@dataclass(frozen=True)
class Attack:
    """One kind of files: how they are damaged, and what is done with them."""

    change: Change
    name: str
    """Of the damaged file, in a folder of its own."""
    use: "Callable[[Path], object]"
    cli: tuple[str, ...] = ()
    """The command's words; ``FILE`` and ``DATA`` stand for the file and for good samples."""
    every: int = 25
    """Of so many files, one goes through the command too."""
    beside: tuple[str, ...] = ()
    """Files of the folder of seeds that lie beside it, undamaged."""
    imports: str = "edgekit_runtimes"
    """What takes long to load, and is loaded before the first file."""
    memory: int = 1 << 30
    """Bytes of memory at most for one file, in any of the processes: TensorFlow's 640 MiB are among them."""


def _model(path: Path) -> None:
    """Opens a model file as a script does, runs it and asks for its placement."""
    from edgekit_runtimes import open_model
    from edgekit_runtimes.arrays import random_inputs

    with open_model(path) as session:
        session.run(random_inputs(session.inputs, {}, raw=session.raw))
        str(session.placement)


def _samples(path: Path, calibration: int = 200) -> None:
    """Reads all samples for a model of images, as convert and validate do."""
    import shutil

    from edgekit.data.images import Images
    from edgekit.data.open import check_data, open_samples
    from edgekit.data.split import set_aside
    from edgekit_runtimes import TensorSpec

    check_data(path)
    source = open_samples(path, [TensorSpec("image", (None, 8, 8, 1), "float32")], Images())
    scratch = path.parent / "scratch.samples"
    try:
        set_aside(source, scratch, calibration=calibration)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _saved(path: Path) -> None:
    from edgekit import validate_saved

    validate_saved(path).to_dict()


def _listed(path: Path) -> None:
    """Opens a folder of which one file is damaged: right answers, or a refusal."""
    from edgekit_runtimes import open_model

    folder = path.parent
    images = np.load(folder / "few.npz")["image"]
    expected = np.load(folder / "answers.npz")
    for file in (folder, *sorted(folder.glob("model_*"))):
        with contextlib.suppress(*_expected()), open_model(file) as session:
            answers = session.run(images)
            known = [expected[n] for n in expected.files]
            if not any(np.allclose(answers, right, atol=1e-5) for right in known):
                raise Wrong(f"{file.name} answers otherwise than before it was damaged")
    from edgekit.bundle.manifest import read_manifest

    read_manifest(folder)


def _project(path: Path) -> None:
    from edgekit.project import read_project

    read_project(path)


_RUN = ("run", "FILE", "--data", "DATA", "--count", "2")
_DATA = ("run", "MODEL", "--data", "FILE", "--count", "5")
ATTACKS: dict[str, Attack] = {
    "tflite": Attack(of_tflite, "model.tflite", _model, _RUN),
    "onnx": Attack(of_onnx, "model.onnx", _model, _RUN),
    "keras": Attack(of_archive, "model.keras", _model, ("inspect", "FILE"), imports="keras"),
    "npz": Attack(of_archive, "samples.npz", _samples, _DATA),
    "npy": Attack(of_bytes, "samples.npy", _samples, _DATA),
    "csv": Attack(of_table, "samples.csv", _samples, _DATA),
    "png": Attack(of_bytes, "images/a.png", lambda path: _samples(path.parent, 0)),
    "manifest": Attack(of_json, "manifest.json", _listed, ("inspect", "FOLDER"), beside=("out",)),
    "listed": Attack(
        of_bytes, "model_int8.tflite", _listed, ("run", "FOLDER", "--data", "DATA"), beside=("out",)
    ),
    "results_npz": Attack(of_archive, "results.npz", _saved, ("validate", "--from", "FILE")),
    "results_json": Attack(of_json, "results.json", _saved, ("validate", "--from", "FILE")),
    "project": Attack(of_table, "edgekit.toml", _project),
}
"""Every kind of file that edgekit reads."""


def _expected() -> tuple[type[Exception], ...]:
    from edgekit.errors import errors

    return errors()


def victim(kind: str, seeds: Path, seed: int, numbers: Sequence[int], report: Path) -> None:
    """Uses the damaged files of these numbers, one after the other; writes a line for each finding."""
    from edgekit_runtimes import rehearsal

    attack = ATTACKS[kind]
    files = [path.read_bytes() for path in sorted((seeds / kind).iterdir())]
    folder = report.with_suffix(".folder")
    (folder / attack.name).parent.mkdir(parents=True, exist_ok=True)
    for name in attack.beside:
        for path in (seeds / name).iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    os.chdir(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    importlib.import_module(attack.imports)
    rehearsal.TIME_LIMIT = LONGEST / 3  # what is endless is stopped by it
    expected = _expected()
    with (
        report.with_suffix(".progress").open("r+b", buffering=0) as progress,
        report.open("a") as log,
    ):
        for number in numbers:
            content = mutant(attack.change, files, seed, number)
            path = _put(folder / attack.name, content)
            os.pwrite(progress.fileno(), _PROGRESS.pack(number), 0)
            signal.alarm(LONGEST)
            try:
                used = "python"
                with _quiet():
                    attack.use(path)
            except expected:
                used = "refused"
            except BaseException as error:
                _tell(log, number, f"{type(error).__name__}: {error}"[:500])
            if attack.cli and number % attack.every == 0:
                _command(attack, path, seeds, log, number)
            signal.alarm(0)
            if (most := memory()) > attack.memory:
                _tell(log, number, f"took {most >> 20} MiB of memory")
            if used == "python":
                log.write(json.dumps({"number": number, "passed": True}) + "\n")


def _put(path: Path, content: bytes) -> Path:
    """As another file of the same name: one that is written over may still be mapped."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    return path


def _command(attack: Attack, path: Path, seeds: Path, log: Any, number: int) -> None:
    from click.testing import CliRunner

    from edgekit.cli.main import main

    places = {
        "FILE": str(path),
        "FOLDER": str(path.parent),
        "DATA": str(seeds / "few.npz"),
        "MODEL": str(seeds / "tflite" / "digits.tflite"),
    }
    done = CliRunner().invoke(main, [places.get(word, word) for word in attack.cli])
    foreign = done.exception and not isinstance(done.exception, SystemExit)
    if foreign or not 0 <= done.exit_code <= 4 or "did not foresee" in done.output:
        _tell(
            log,
            number,
            f"{' '.join(attack.cli)}: {done.exit_code} {done.exception!r} {done.output[-400:]}",
        )
    elif done.exit_code > 1 and not done.output.strip():
        _tell(log, number, f"{' '.join(attack.cli)}: exit status {done.exit_code} without a word")


def _tell(log: Any, number: int, what: str) -> None:
    log.write(json.dumps({"number": number, "what": what}) + "\n")
    log.flush()


def memory() -> int:
    """The most memory that this process and its children have had since the last call."""
    me = os.getpid()
    most = 0
    children = Path(f"/proc/self/task/{me}/children").read_text().split()
    for pid in (str(me), *children):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            most = max(most, *(
                1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")
            ), 0)  # fmt: skip
            Path(f"/proc/{pid}/clear_refs").write_text("5")
    return most


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if __name__ == "__main__":
    _kind, _seeds, _seed, _first, _behind, _report = sys.argv[1:]
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    victim(_kind, Path(_seeds), int(_seed), range(int(_first), int(_behind)), Path(_report))
    os._exit(0)
