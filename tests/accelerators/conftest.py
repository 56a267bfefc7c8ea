"""Accelerators on a machine that has none: a GPU in software, an emulated NPU."""

from importlib.util import find_spec

import pytest
from swiftshader import FOLDER, find_gpu


@pytest.fixture(scope="session")
def software_gpu() -> None:
    """Makes Vulkan find SwiftShader, in this process and its children."""
    if not find_gpu():
        pytest.skip(f"no software GPU in {FOLDER}: make test-accelerators")


@pytest.fixture(scope="session")
def hexagon() -> None:
    """A skip where Qualcomm's libraries are not installed."""
    if find_spec("onnxruntime_qnn") is None:
        pytest.skip("onnxruntime-qnn is not installed: make test-accelerators")
