"""The same bits on arm64 as on x86, of every model of the small matrix; the table of docs/arm64.md."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import emulated
import numpy as np
import pytest
from run_files import run_files
from support.zoo import OWN_CLASSES, SMALL, samples

import edgekit

pytestmark = pytest.mark.arm64

PAGE = Path(__file__).parents[2] / "docs" / "arm64.md"
MARK = "<!-- made by make test-arm64 -->"
COLUMNS = [
    # the title, the kind of ends, the file
    ("TFLite, int8 ends", "int8", "model_int8.tflite"),
    ("ONNX, int8 ends", "int8", "model_int8.onnx"),
    ("TFLite, float ends", "float", "model_int8.tflite"),
    ("ONNX, float ends", "float", "model_int8.onnx"),
    ("float32 TFLite", "float", "model_float32.tflite"),
    ("float32 ONNX", "float", "model_float32.onnx"),
]
COUNT = 40
"""Samples of each model."""

OWN_KERNELS = {"U-Net": 1, "P-Net, of PReLU": 1, "vision transformer": 2}
"""The steps that TFLite files may differ by where XNNPACK leaves SOFTMAX, BATCH_MATMUL, ADD, GELU ... to LiteRT's own kernels,
which compute in between in float32 on some processors. All others must be equal.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far apart two outputs are, in steps of the output's integers or in its whole range."""

    different: float
    """The fraction of values."""
    steps: float
    """The largest, in steps; of a float32 file, of its range."""

    def __str__(self) -> str:
        if self.different == 0:
            return "equal"
        return f"{self.steps:.2g} in {self.different:.2%}"


def convert(name: str, folder: Path) -> None:
    """Writes a model's files with both kinds of ends, and the inputs that both processors get."""
    import keras

    keras.utils.set_random_seed(0)
    model = SMALL[name]()
    data = samples(model)
    source: Any = OWN_CLASSES.get(name, model)
    edgekit.convert(source, data, folder / "float")
    edgekit.convert(source, data, folder / "int8", io="int8", precision="int8")
    for kind in ("float", "int8"):
        np.savez(folder / kind / "inputs.npz", **{k: v[-COUNT:] for k, v in data.items()})


def compared(here: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Difference]:
    """By folder and file, how far its worst output is from the same on the other processor."""
    worst: dict[str, Difference] = {}
    assert here.keys() == there.keys()
    for key, ours in here.items():
        if key.startswith("scale of "):
            continue
        kind, file, output = key.split("/", 2)
        theirs = there[key]
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        unit = 1.0 if ours.dtype.kind in "iu" else float(np.ptp(ours)) or 1.0
        if kind == "float" and "_int8" in file:
            unit = step(here, output)
        found = Difference(float(np.mean(ours != theirs)), float(apart.max()) / unit)
        worst[f"{kind}/{file}"] = max(
            worst.get(f"{kind}/{file}", found), found, key=lambda d: (d.steps, d.different)
        )
    return worst


def step(found: Mapping[str, Any], output: str) -> float:
    """The size of a step of an output's integers, which the file with int8 ends has."""
    return float(found.get(f"scale of int8/model_int8.tflite/{output}", 1.0))


@pytest.mark.parametrize("name", SMALL)
def test_int8_gives_the_same_bits_on_arm64(name: str, tmp_path: Path) -> None:
    emulated.skip_unless_there()
    convert(name, tmp_path)
    shutil.copy(Path(__file__).with_name("run_files.py"), tmp_path)
    shutil.copytree(Path(edgekit.__file__).parents[2] / "runtimes", tmp_path / "runtimes")

    here = run_files(tmp_path)
    line = "PYTHONPATH=runtimes:/opt/packages python3 run_files.py . out.npz"
    done = emulated.run(tmp_path, line)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as archive:
        found = compared(here, dict(archive))

    write_row(name, found)
    for title, kind, file in COLUMNS:
        difference = found[f"{kind}/{file}"]
        if "float32" in file:
            assert difference.steps < 1e-4, (title, difference)
        elif file.endswith(".tflite") and name in OWN_KERNELS:
            assert difference.steps <= OWN_KERNELS[name] + 0.01, (title, difference)
        elif kind == "float":
            assert difference.steps <= 1.01, (title, difference)
        else:
            assert difference.different == 0, (title, difference)


def write_row(name: str, found: Mapping[str, Difference]) -> None:
    """Puts a model's row into the page's table, in the order of the models."""
    before, _, after = PAGE.read_text().partition(f"{MARK}\n")
    table, _, rest = after.partition("\n\n")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()[2:]}
    cells = [str(found[f"{kind}/{file}"]) for _, kind, file in COLUMNS]
    rows[name] = f"| {' | '.join([name, *cells])} |"
    heads = ["model", *(title for title, _, _ in COLUMNS)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [rows[n] for n in SMALL if n in rows]
    PAGE.write_text(f"{before}{MARK}\n" + "\n".join(lines) + f"\n\n{rest}")
