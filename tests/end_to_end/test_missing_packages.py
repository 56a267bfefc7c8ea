"""What is not installed is said at once, with the pip line: in an environment that really lacks it."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.once import once

import edgekit
import edgekit_converters
import edgekit_runtimes

BASE = ("numpy", "click", "rich", "markdown_it", "mdurl", "pygments")
"""What the base dependencies install; numpy's own libraries lie beside it."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the base dependencies only, linked from this one's."""
    return once(tmp_path_factory, "base environment", make_environment)


def make_environment(folder: Path) -> None:
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    link(packages, *BASE)
    for package in (edgekit, edgekit_converters, edgekit_runtimes):
        code = Path(package.__file__).parent
        (packages / code.name).symlink_to(code)


def link(folder: Path, *packages: str) -> Path:
    """Packages of this Python as links in a folder."""
    folder.mkdir(exist_ok=True)
    here = Path(sysconfig.get_path("purelib"))
    for name in packages:
        for path in (here / name, here / f"{name}.libs"):
            if path.exists():
                (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="links packages")
@pytest.mark.parametrize(
    ("command", "added", "words"),
    [
        ("demo", [], ["scikit-learn", "[demo]"]),
        pytest.param("convert model.keras --data eval.npz", [], ["tensorflow", "[convert]"], marks=pytest.mark.slow),
        ("convert model.keras --data photos", [], ["Pillow", "[images]"]),
        ("validate float.onnx int8.onnx --data eval.npz", [], ["scipy", "[validate]"]),
        pytest.param("validate float.onnx int8.onnx --data eval.npz", ["scipy"], ["onnxruntime", "[onnx]"], marks=pytest.mark.slow),
        pytest.param("validate model.keras int8.onnx --data eval.npz", ["scipy"], ["tensorflow", "[convert]"], marks=pytest.mark.slow),
        pytest.param("run int8.onnx --data eval.npz", [], ["onnxruntime", "[onnx]"], marks=pytest.mark.slow),
        ("run int8.onnx --data photos", [], ["Pillow", "[images]"]),
        ("inspect --costs model_int8.tflite", [], ["scipy", "[convert]"]),
    ],
)  # fmt: skip
def test_a_missing_package_is_status_4_and_the_pip_line(
    command: str, added: list[str], words: list[str],
    environment: Path, digits: Path, converted: Path, tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "float.onnx").symlink_to(converted / "model_float32.onnx")
    (tmp_path / "int8.onnx").symlink_to(converted / "model_int8.onnx")
    for name in ("model_float32.tflite", "model_int8.tflite"):
        (tmp_path / name).symlink_to(converted / name)
    (tmp_path / "eval.npz").symlink_to(digits / "eval.npz")
    (tmp_path / "model.keras").symlink_to(digits / "cnn.keras")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "photos" / "a.png")
    before = set(tmp_path.iterdir())
    more = str(link(tmp_path.parent / f"{tmp_path.name} packages", *added))

    done = subprocess.run(
        [environment / "bin" / "python", "-m", "edgekit", *command.split()],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": more},
    )  # fmt: skip

    assert done.returncode == 4, done.stderr
    assert done.stdout == ""
    assert "pip install 'edgekit-toolkit[" in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert "did not foresee" not in done.stderr
    assert set(tmp_path.iterdir()) == before
