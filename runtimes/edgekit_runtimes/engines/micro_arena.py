"""The memory that TensorFlow Lite Micro needs for a file: its arena, found by trying.

What it reports of an arena leaves out what planning needs for a moment (up to a third), so that sizes are
tried instead, each in a process of its own. Its structures hold pointers, which are twice as large here as
on a microcontroller of 32 bits: the figure is an upper bound for one.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit_runtimes.base import Array, ModelError, RuntimeMissing
from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.engines.micro import ENDLESS, LARGEST_ARENA, micro_missing, refusal
from edgekit_runtimes.engines.micro_kernels import NO_KERNEL
from edgekit_runtimes.formats.tflite_file import read_graph
from edgekit_runtimes.subprocess_engine import Child, State, end_after

_STEP = 16  # bytes: TensorFlow Lite Micro aligns everything to as many
_CALL = 20.0  # seconds of a call in one size
_ALL = 300.0  # seconds of all of them
_FIRST = 16 * 1024  # bytes


def arena_bytes(path: Path, *, seconds: float = _CALL) -> int:
    """Return the smallest arena, to 16 bytes, in which a TFLite file opens and runs.

    >>> arena_bytes(Path("out/model_int8.tflite")) < 100_000
    True

    Args:
        path: the file.
        seconds: the longest that one call may take.

    Raises:
        RuntimeMissing: tflite-micro is not installed.
        ModelError: TensorFlow Lite Micro cannot open it in any size, crashes, or does not return.
    """
    if missing := micro_missing():
        raise missing
    child = Child(str(path))
    try:
        return int(child.ask(_smallest, path, seconds, timeout=_ALL, advice=ENDLESS))
    finally:
        child.kill()
        child.end()


def _smallest(state: State, path: Path, seconds: float) -> int:  # noqa: ARG001
    """Double the size until the file runs, then halve what is in question.

    Raises:
        ModelError: it runs in no size, or does not return.
    """
    content, shapes = path.read_bytes(), _inputs(path)
    high = _FIRST
    while why := _failure(path, content, shapes, high, seconds):
        if NO_KERNEL in why or high == LARGEST_ARENA:
            raise refusal(path, why)
        high *= 2
    low = 0 if high == _FIRST else high // 2
    while high - low > _STEP:
        middle = (low + high) // 2 // _STEP * _STEP
        if _failure(path, content, shapes, middle, seconds):
            low = middle
        else:
            high = middle
    return high


def _inputs(path: Path) -> list[Array]:
    return [np.zeros([n or 1 for n in spec.shape], spec.dtype) for spec in read_graph(path).inputs]


def _failure(
    path: Path, content: bytes, inputs: Sequence[Array], size: int, seconds: float
) -> str | None:
    """Run a file in an arena of this size, in a copy of this process; return what it says where it fails.

    Raises:
        ModelError: it did not return.
    """
    if sys.platform == "win32":
        raise RuntimeMissing("TensorFlow Lite Micro is for Linux alone")
    from tflite_micro import runtime

    with quiet() as printed:
        copy = os.fork()
        if copy == 0:  # it may crash, and does nothing of ours after this
            code = 1
            try:
                end_after(seconds)
                interpreter = runtime.Interpreter.from_bytes(content, arena_size=size)
                for number, array in enumerate(inputs):
                    interpreter.set_input(array, number)
                interpreter.invoke()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(copy, 0)
        said = printed()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        raise ModelError(f"{path}: one call was not done after {seconds:g} seconds. {ENDLESS}")
    return None if status == 0 else said or "it says no more"
