"""The memory that TensorFlow Lite Micro needs for a file: the smallest arena in which it answers."""

import re
import subprocess
import sys
from pathlib import Path

from edgekit_converters.targets.inspection import TargetError

_LARGEST = 64 << 20  # bytes; no microcontroller has as much
_STEP = 16  # bytes; an arena is aligned to as many
_SECONDS = 30.0  # for one call: some loops never end there

# It ends the whole process where something is wrong, so each try has a process of its own.
_TRY = """
import sys
import numpy as np
from tflite_micro import runtime
interpreter = runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2]))
for i in range(int(sys.argv[3])):
    end = interpreter.get_input_details(i)
    interpreter.set_input(np.zeros(end["shape"], end["dtype"]), i)
interpreter.invoke()
interpreter.print_allocations()
"""


def arena_bytes(path: Path) -> int:
    """Return the bytes of the smallest arena in which a file answers, on this machine.

    An upper bound for 32-bit processors, since pointers take more room here.

    Raises:
        TargetError: TensorFlow Lite Micro does not run it, or does not answer in time.
    """
    from edgekit_converters.targets.operators import read_model

    inputs = len(read_model(path).subgraphs[0].inputs)
    done = _run(path, _LARGEST, inputs)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip()]
        raise TargetError(
            f"{path}: TensorFlow Lite Micro does not run it: {told[-1] if told else 'it ended the process'}"
        )
    said = re.search(r"Arena allocation total (\d+) bytes", done.stderr)
    low, high = 0, _rounded(int(said[1]) if said else _LARGEST)
    while _run(path, high, inputs).returncode:
        low, high = high, _rounded(high * 5 // 4)
        if high > _LARGEST:
            return _LARGEST
    while high - low > _STEP:
        middle = _rounded((low + high) // 2)
        if middle == high:
            break
        if _run(path, middle, inputs).returncode:
            low = middle
        else:
            high = middle
    return high


def runs_in(path: Path, size: int) -> bool:
    """Whether a file answers in an arena of so many bytes, on this machine.

    Raises:
        TargetError: the file is no TFLite file, or TensorFlow Lite Micro does not answer in time.
    """
    from edgekit_converters.targets.operators import read_model

    return _run(path, size, len(read_model(path).subgraphs[0].inputs)).returncode == 0


def _rounded(size: int) -> int:
    return -(-size // _STEP) * _STEP


def _run(path: Path, size: int, inputs: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _TRY, str(path), str(size), str(inputs)]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise TargetError(
            f"{path}: TensorFlow Lite Micro gave no answer in {_SECONDS:.0f} seconds. A loop of a recurrent layer "
            "may never end there: unroll=True writes one without."
        ) from error
