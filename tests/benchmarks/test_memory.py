"""Peak memory of calibration: it must not grow with the number of samples."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.store import ArrayWriter, StoredArrays

pytestmark = pytest.mark.benchmark

_CALIBRATE = """
import pickle, sys
from collections.abc import Callable
from pathlib import Path
from edgekit_converters import ranges_over
samples = pickle.loads(Path(sys.argv[2]).read_bytes())
ranges_over(Path(sys.argv[1]), samples)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def stored(folder: Path, count: int) -> StoredArrays:
    store = ArrayWriter(folder)
    random = np.random.default_rng(0)
    for _ in range(count):
        store.add({"input_layer": random.random((1, 96, 96, 3), np.float32)})
    return store.close()


def test_calibration_memory(tmp_path: Path, tell: Callable[[str], None]) -> None:
    import pickle

    import keras

    from edgekit_converters.tflite.float_graph import write_float_graph

    inputs = keras.Input((96, 96, 3), name="input_layer")
    model = keras.applications.MobileNetV2(input_tensor=inputs, alpha=0.35, weights=None)
    write_float_graph(keras.Model([inputs], [model.output]), tmp_path / "graph.tflite")
    peaks = {}
    for count in (50, 1000):
        (tmp_path / "samples").write_bytes(pickle.dumps(stored(tmp_path / str(count), count)))
        done = subprocess.run(
            [sys.executable, "-c", _CALIBRATE, tmp_path / "graph.tflite", tmp_path / "samples"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks[count] = int(done.stdout.split()[-1]) / 1000
    growth = peaks[1000] / peaks[50] - 1
    tell(f"peak memory of calibrating MobileNetV2 0.35 at 96x96: {peaks[50]:.0f} MB on 50 samples, "
          f"{peaks[1000]:.0f} MB on 1000 ({growth:+.1%})")  # fmt: skip
    assert abs(growth) <= 0.1
