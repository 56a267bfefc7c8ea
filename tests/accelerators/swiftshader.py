"""A GPU in software, as ``swiftshader.sh`` installs it."""

import ctypes
import os
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".venv" / "swiftshader"
"""Where ``make test-accelerators`` puts it."""


def find_gpu() -> bool:
    """Makes Vulkan find it, in this process and its children; False where it is not installed."""
    if not (FOLDER / "libvulkan.so.1").exists():
        return False
    os.environ["VK_ICD_FILENAMES"] = str(FOLDER / "vk_swiftshader_icd.json")
    os.environ["ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER"] = "1"
    os.environ["LD_LIBRARY_PATH"] = str(FOLDER)  # for child processes
    # Whoever asks for libvulkan.so.1 later gets the one that is loaded already.
    ctypes.CDLL(str(FOLDER / "libvulkan.so.1"), mode=ctypes.RTLD_GLOBAL)
    return True
