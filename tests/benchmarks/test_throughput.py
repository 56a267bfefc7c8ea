"""Validation on two processors against one, and how its memory grows with the samples."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

_FEW, _MANY = 50, 450
_ROUNDS = 3
_SIDE = 160

# Seconds of a validation, and the most memory of any of its processes.
_CODE = """
import json, os, sys, time
cores, samples, folder, original = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
import edgekit
start = time.perf_counter()
report = edgekit.validate(
    original, f"{folder}/out/model_int8.tflite", f"{folder}/data.npz", samples=samples)
print(json.dumps([time.perf_counter() - start, report.evaluated_on]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MobileNetV2 with random weights, in TFLite, and noise."""
    import keras

    import edgekit

    path = tmp_path_factory.mktemp("throughput")
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((_SIDE, _SIDE, 3), weights=None, classes=10)
    data = np.random.default_rng(0).random((_MANY, _SIDE, _SIDE, 3), np.float32)
    model.save(path / "model.keras")
    edgekit.convert(path / "model.keras", data[:100], path / "out", to=["tflite"])
    np.savez(path / "data.npz", x=data)
    return path


@pytest.mark.parametrize("original", ["out/model_float32.tflite", "model.keras"])
def test_two_processors_validate_nearly_twice_as_many_samples_a_second(
    folder: Path, original: str
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    ratios, rates = [], {1: 0.0, 2: 0.0}
    for _ in range(_ROUNDS):
        seconds = {
            (cores, samples): _seconds(cores, samples, folder, original)
            for samples in (_FEW, _MANY)
            for cores in (1, 2)
        }
        for cores in rates:  # what starts once is in both
            rates[cores] = (_MANY - _FEW) / (seconds[cores, _MANY] - seconds[cores, _FEW])
        ratios.append(rates[2] / rates[1])
        print(
            f"{original}: {rates[1]:.0f} samples a second on one processor, {rates[2]:.0f} on two: "
            f"{ratios[-1]:.2f}x; of the whole run {seconds[1, _MANY] / seconds[2, _MANY]:.2f}x"
        )

    assert median(ratios) > 1.5


def _seconds(cores: int, samples: int, folder: Path, original: str) -> float:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _CODE,
            str(cores),
            str(samples),
            str(folder),
            f"{folder}/{original}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, evaluated_on = json.loads(done.stdout.splitlines()[-1])
    assert evaluated_on == samples
    return float(seconds)
