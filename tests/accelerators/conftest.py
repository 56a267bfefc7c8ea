"""Accelerators on a machine that has none: a GPU in software, an emulated NPU."""

import ctypes
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

SWIFTSHADER = Path(__file__).parents[2] / ".venv" / "swiftshader"
"""Where ``make test-accelerators`` puts the software GPU."""


@pytest.fixture(scope="session")
def software_gpu() -> None:
    """Makes Vulkan find SwiftShader, in this process and its children."""
    if not (SWIFTSHADER / "libvulkan.so.1").exists():
        pytest.skip(f"no software GPU in {SWIFTSHADER}: make test-accelerators")
    os.environ["VK_ICD_FILENAMES"] = str(SWIFTSHADER / "vk_swiftshader_icd.json")
    os.environ["ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER"] = "1"
    os.environ["LD_LIBRARY_PATH"] = str(SWIFTSHADER)  # for child processes
    # Whoever asks for libvulkan.so.1 later gets the one that is loaded already.
    ctypes.CDLL(str(SWIFTSHADER / "libvulkan.so.1"), mode=ctypes.RTLD_GLOBAL)


@pytest.fixture(scope="session")
def hexagon() -> None:
    """A skip where Qualcomm's libraries are not installed."""
    if find_spec("onnxruntime_qnn") is None:
        pytest.skip("onnxruntime-qnn is not installed: make test-accelerators")
