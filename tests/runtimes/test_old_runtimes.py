"""Old releases run what the tables say that they run, and answer as today's: in environments of their own.

They are installed by ``uv``, from PyPI or its cache, beside edgekit's environment, the first time.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.once import once

from edgekit_converters import PRECISIONS
from edgekit_runtimes import open_model
from edgekit_runtimes.formats.compatibility import SUFFIXES, obstacles

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or sys.version_info[:2] != (3, 11),
        reason="the oldest releases have wheels for Python 3.11",
    ),
]

RUN = Path(__file__).parents[1] / "support" / "run_file.py"
OLD = [
    ("tflite", "2.14", "tflite-runtime==2.14.0"),
    ("litert", "1.0.1", "ai-edge-litert==1.0.1"),
    ("litert", "1.2", "ai-edge-litert==1.2.0"),
    ("litert", "1.4", "ai-edge-litert==1.4.0"),
    ("litert", "2.1", "ai-edge-litert==2.1.0"),
    ("onnxruntime", "1.15.1", "onnxruntime==1.15.1"),
    ("onnxruntime", "1.17.3", "onnxruntime==1.17.3"),
    ("onnxruntime", "1.18.1", "onnxruntime==1.18.1"),
    ("onnxruntime", "1.23.2", "onnxruntime==1.23.2"),
]
WRONG = {  # a file that each refuses, or computes wrongly
    "tflite-runtime==2.14.0": "dynamic",
    "ai-edge-litert==1.0.1": "int16x8",
    "ai-edge-litert==1.2.0": "int16x8",
    "ai-edge-litert==2.1.0": "int8",
    "onnxruntime==1.15.1": "int16x8",
}


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory, forked_workers: object) -> Path:
    """A transformer block in all precisions, and samples: it has operators that old releases lack."""
    import keras
    from support.zoo import samples, transformer

    import edgekit

    def convert(folder: Path) -> None:
        keras.utils.set_random_seed(0)
        model = transformer()
        data = samples(model)
        edgekit.convert(model, data, folder / "out", precision=PRECISIONS)
        np.savez(folder / "few.npz", **{name: values[:4] for name, values in data.items()})

    return once(tmp_path_factory, "old_runtimes", convert)


def environment(requirement: str) -> Path:
    """The Python of an environment that has an old runtime."""
    folder = Path(sys.prefix) / "old" / requirement.replace("==", "-")
    if not (folder / "whole").exists():
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, folder], check=True)
        python = folder / "bin" / "python"
        wheels = ["--only-binary", ":all:", requirement, "numpy<2"]
        subprocess.run([*uv, "pip", "install", "--python", python, *wheels], check=True)
        (folder / "whole").touch()
    return folder / "bin" / "python"


@pytest.mark.parametrize(("runtime", "version", "requirement"), OLD, ids=lambda value: str(value))
def test_an_old_release_runs_what_the_tables_say_and_answers_alike(
    transformer: Path, tmp_path: Path, runtime: str, version: str, requirement: str
) -> None:
    files = sorted((transformer / "out").glob(f"model_*{SUFFIXES[runtime]}"))
    few, answers = transformer / "few.npz", tmp_path / "answers.json"
    command = [environment(requirement), RUN, few, answers, *files]
    subprocess.run(command, check=True, capture_output=True)
    right = {
        path.name
        for path, answer in ((path, json.loads(answers.read_text())[str(path)]) for path in files)
        if is_right(answer, path, few)
    }
    said = {path.name for path in files if not obstacles(path, runtime, version)}
    assert said <= right
    assert f"model_float32{SUFFIXES[runtime]}" in said
    if requirement in WRONG:
        assert f"model_{WRONG[requirement]}{SUFFIXES[runtime]}" not in said | right


def is_right(answer: Any, path: Path, samples: Path) -> bool:
    """Whether an old release's outputs are those of the one that is installed, but for rounding."""
    if isinstance(answer, str):
        return False
    with open_model(path) as session:
        outputs = session.run(dict(np.load(samples)))
    expected = np.concatenate([np.reshape(o, (len(answer), -1)) for o in outputs.values()], 1)
    steps = 0.001 if "float" in path.name else 0.05  # of the range: kernels round otherwise
    return bool(np.abs(np.array(answer) - expected).max() <= steps * np.ptp(expected))
