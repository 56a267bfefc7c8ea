"""Whether a client computes what a file says, and how the table puts it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clients.files import Array, load
from clients.programs import Answer

_ENOUGH = 100.0
"""Decibels from which on two files are told apart by the rounding of float32 alone."""
_APART = 4.0
"""Decibels that the kernels of two runtimes, which round in other ways, may lie apart on so few samples."""
_ENDS = {"Quantize", "Dequantize"}


def decibels(expected: Sequence[Array], got: Sequence[Array]) -> float:
    """The signal to noise ratio of the worst output."""
    worst = float("inf")
    for one, other in zip(expected, got, strict=True):
        noise = np.square(one.astype(np.float64) - other).sum()
        if noise:
            worst = min(
                worst, float(10 * np.log10(np.square(one.astype(np.float64)).sum() / noise))
            )
    return worst


def fault(answer: Answer, folder: Path, file: str) -> str:
    """What is wrong with a client's answer for a file of a model's folder; "" if it is right.

    Right is what strays no farther from Keras than edgekit's own answer for the file does.
    """
    if answer.error:
        return answer.error
    if answer.on_cpu is not None:
        return ""
    original = load(folder / "original")
    ours = decibels(original, load(folder / file.replace(".", "_")))
    theirs = decibels(original, answer.outputs)
    if theirs >= min(ours, _ENOUGH) - _APART:
        return ""
    return f"{theirs:.0f} dB from Keras, where edgekit's runtimes have {ours:.0f}"


def cell(answer: Answer, folder: Path, file: str) -> str:
    """How the table puts an answer."""
    if answer.on_cpu is not None:
        left = sorted({kind for kind in answer.on_cpu if kind not in _ENDS})
        return "compiles" + (f"; on the processor: {', '.join(left)}" if left else "")
    if answer.error:
        return "**fails**"
    apart = decibels(load(folder / file.replace(".", "_")), answer.outputs)
    words = "same bits" if apart == float("inf") else f"{apart:.0f} dB"
    return f"**{words}**" if fault(answer, folder, file) else words
