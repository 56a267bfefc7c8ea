"""The memory of a validation, however many samples it runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MEASURE = """
import sys
from pathlib import Path
import numpy as np
from edgekit.data.open import open_samples
from edgekit.diagnosis.changed_samples import find_differences
from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.results import compare
from edgekit.inference.record import record
from edgekit.data.split import set_aside
from edgekit.accuracy.tasks import find_tasks
from edgekit_runtimes import open_model

folder, count = Path(sys.argv[1]), int(sys.argv[2])
session = open_model(sys.argv[3])
rows = open_samples(folder / f"{count}.npz", list(session.inputs))
samples = set_aside(rows, folder / f"samples {count}", calibration=0, held_out=count)
answers = [record(session, samples.held_out, folder / f"{count} {i}") for i in range(2)]
tasks = find_tasks(answers[0], samples.labels)
(score,) = compare(*answers, tasks, samples.labels, read_limits("1%"))
(name,) = tasks
found = find_differences(
    name, task=tasks[name], original=answers[0], candidate=answers[1], labels=samples.labels,
    numbers=samples.numbers, class_names=(), worst=10,
)
peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
print(peak, len(samples.held_out), score.verdict, sum(map(sum, found.original_confusion)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_stays_flat_however_many_samples_judge(converted: Path, tmp_path: Path) -> None:
    peaks = []
    for count in (1000, 20_000):
        images = np.random.default_rng(0).random((count, 8, 8, 1), np.float32)
        np.savez(tmp_path / f"{count}.npz", image=images, y=np.arange(count) % 10)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(tmp_path), str(count),
             str(converted / "model_int8.tflite")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peak, *told = done.stdout.split()
        assert told == [str(count), "pass", str(count)]
        peaks.append(float(peak))

    assert peaks[1] - peaks[0] < 25, peaks
