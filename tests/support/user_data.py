"""Data as users bring it, written into a folder, and what reading it gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.data.images import Images
from edgekit.data.open import open_samples
from edgekit.data.samples import DataError, Sample, SampleSource
from edgekit_runtimes import TensorSpec

Array = npt.NDArray[Any]

X = TensorSpec("x", (None, 3, 2), "float32")
A, B = TensorSpec("a", (None, 2), "float32"), TensorSpec("b", (None, 1), "float32")

SAMPLES = np.arange(30, dtype=np.float32).reshape(5, 3, 2)
LABELS = np.array([3, 1, 4, 1, 5])


def read(source: SampleSource) -> list[Sample]:
    return [sample for _, sample in source.read(lambda index: True)]


def refusal(data: Any, *inputs: TensorSpec, images: Images | None = None) -> str:
    """The message with which data is refused: as it is opened, or as it is read."""
    with pytest.raises(DataError) as caught:
        read(open_samples(data, inputs, images))
    return str(caught.value)


def npz(folder: Path, save: Callable[..., None] = np.savez, **arrays: Any) -> Path:
    save(folder / "samples.npz", **arrays)
    return folder / "samples.npz"


def npy(folder: Path, array: Array) -> Path:
    np.save(folder / "samples.npy", array)
    return folder / "samples.npy"


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "samples.csv").write_text(text, encoding)
    return folder / "samples.csv"


def table(names: list[str], rows: Array) -> str:
    return "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows), ""])
