"""VGG16 at 224x224, 553 MB of weights: what converting it takes beyond loading it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

_SAMPLES = 16

_CONVERT = """
import json, sys, tempfile, time
from pathlib import Path
import numpy as np
from edgekit_converters import convert, load_model
model = load_model(sys.argv[1])
formats, folder = sys.argv[2].split(",") if sys.argv[2] else [], Path(sys.argv[3])
samples = [{"input_layer": np.random.default_rng(i).normal(0, 50, (224, 224, 3)).astype("float32")}
           for i in range(int(sys.argv[4]))]
targets = {(f, p): folder / f"{p}.{f}" for f in formats for p in ("float32", "int8")}
start = time.perf_counter()
if targets:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        convert(model, targets, samples, scratch=Path(scratch))
seconds = time.perf_counter() - start
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(json.dumps({"seconds": seconds, "gb": int(peak) / 1e6}))
"""


def test_vgg16(tmp_path: Path, tell: Callable[[str], None]) -> None:
    import keras

    path = tmp_path / "vgg16.keras"
    inputs = keras.Input((224, 224, 3), name="input_layer")
    keras.applications.VGG16(weights=None, input_tensor=inputs).save(path)

    def run(formats: str) -> dict[str, float]:
        done = subprocess.run(
            [sys.executable, "-c", _CONVERT, path, formats, tmp_path, str(_SAMPLES)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        for form in ("tflite", "onnx"):
            for written in tmp_path.glob(f"*.{form}"):
                written.unlink()
        return found

    loaded, tflite, onnx, both = (run(f) for f in ("", "tflite", "onnx", "tflite,onnx"))
    path.unlink()
    tell(
        "VGG16 at 224x224, float32 and int8, calibrated on "
        f"{_SAMPLES} samples\nloading alone: {loaded['gb']:.2f} GB\n"
        + "\n".join(
            f"{name}: {found['seconds']:.0f} s, {found['gb']:.2f} GB "
            f"({found['gb'] - loaded['gb']:+.2f} over loading)"
            for name, found in (("TFLite", tflite), ("ONNX", onnx), ("both", both))
        )
    )
    assert both["gb"] - loaded["gb"] < 4
    assert onnx["seconds"] < 2 * tflite["seconds"]
