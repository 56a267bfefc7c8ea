"""What a device needs: a new environment for each runtime, five lines, and the bare runtime beside them."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

pytestmark = pytest.mark.benchmark

_PROJECT = Path(__file__).parents[2]

FIVE_LINES = """
import sys, numpy as np
from edgekit_runtimes import open_model
x = np.zeros((1, 8, 8, 1), np.float32)
with open_model(sys.argv[1]) as model:
    y = model.run(x)
"""

BARE = {
    "litert": """
import sys, numpy as np
from ai_edge_litert.interpreter import Interpreter
x = np.zeros((1, 8, 8, 1), np.float32)
model = Interpreter(sys.argv[1])
model.allocate_tensors()
model.set_tensor(model.get_input_details()[0]["index"], x)
model.invoke()
y = model.get_tensor(model.get_output_details()[0]["index"])
""",
    "onnx": """
import sys, numpy as np
import onnxruntime
x = np.zeros((1, 8, 8, 1), np.float32)
model = onnxruntime.InferenceSession(sys.argv[1])
y = model.run(None, {model.get_inputs()[0].name: x})[0]
""",
    "openvino": """
import sys, numpy as np
import openvino
x = np.zeros((1, 8, 8, 1), np.float32)
model = openvino.Core().compile_model(sys.argv[1], "CPU")
y = model([x])[0]
""",
}

# Printed by the process itself, at its end.
_FIGURES = """
lines = open("/proc/self/status").read().splitlines()
peak = next(int(l.split()[1]) for l in lines if l.startswith("VmHWM:")) / 1024
print(float(y.ravel()[0]), peak)
"""


@pytest.mark.parametrize("extra", sorted(BARE))
def test_a_device_needs_one_runtime_and_no_more(
    extra: str, converted: Path, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", f"{_PROJECT}[{extra}]"],
        check=True, capture_output=True,
    )  # fmt: skip
    packages = next((tmp_path / "env/lib").glob("python*/site-packages"))
    assert not any(packages.glob("tensorflow*"))
    assert not any(packages.glob("keras*"))
    size = sum(f.stat().st_size for f in packages.rglob("*") if f.is_file()) / 1e6
    file = converted / ("model_int8.onnx" if extra == "onnx" else "model_int8.tflite")

    ours, bare = [], []
    answers = set()
    for _ in range(6):
        for script, figures in ((FIVE_LINES, ours), (BARE[extra], bare)):
            seconds, answer, peak = timed([python, "-c", script + _FIGURES, file], tmp_path)
            figures.append((seconds, peak))
            answers.add(answer)
    assert len(answers) == 1
    (our_s, our_mb), (bare_s, bare_mb) = (
        (median(s for s, _ in f[1:]), median(p for _, p in f[1:])) for f in (ours, bare)
    )
    tell(
        f"[{extra}]: {size:.0f} MB on disk; import, open and run {1000 * our_s:.0f} ms and "
        f"{our_mb:.0f} MB, the bare runtime {1000 * bare_s:.0f} ms and {bare_mb:.0f} MB "
        f"({our_s / bare_s:.2f}x, {our_mb - bare_mb:+.1f} MB)"
    )


def timed(command: list[str | Path], folder: Path) -> tuple[float, str, float]:
    """Seconds of the whole process, and what it printed: an answer and its peak memory in MB."""
    from time import perf_counter

    start = perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    seconds = perf_counter() - start
    answer, peak = done.stdout.split()[-2:]
    return seconds, answer, float(peak)
