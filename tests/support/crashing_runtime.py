"""Runtimes that do with a file what no check of it foresees."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from edgekit_runtimes import Engine, TensorSpec


def open_crashing(path: Path, threads: int) -> Engine:
    """Opens any file, and ends the process when it runs."""
    spec = TensorSpec("x", (1, 2), "float32")
    return Engine([spec], [spec], lambda _: os.kill(os.getpid(), signal.SIGSEGV))  # type: ignore[arg-type, return-value]


def open_endless(path: Path, threads: int) -> Engine:
    """Opens any file, and never returns from running it."""
    spec = TensorSpec("x", (1, 2), "float32")
    return Engine([spec], [spec], lambda _: time.sleep(3600))  # type: ignore[arg-type, return-value]


def open_greedy(path: Path, threads: int) -> Engine:
    """Opens any file, and asks for more memory than there is."""
    spec = TensorSpec("x", (1, 2), "float32")
    return Engine([spec], [spec], lambda _: [np.zeros(2**46, np.uint8)])
