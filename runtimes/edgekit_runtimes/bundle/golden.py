"""``golden.npz``: a few samples, and what each file of a folder answered to them where it was converted.

Its arrays are ``input/INPUT`` and ``output/FILE/OUTPUT``, with one row a sample: real numbers, as a
session takes and gives them.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array, ModelError
from edgekit_runtimes.bundle.manifest_file import MANIFEST, changed, listed_files, read_listed

GOLDEN = "golden.npz"
"""The file's name in the folder."""

_INPUT, _OUTPUT = "input/", "output/"
_LARGEST = 1 << 28
"""Bytes of the arrays: several times what is ever written."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Golden samples, and each file's outputs for them."""

    inputs: Mapping[str, Array]
    """By input name."""
    outputs: Mapping[str, Mapping[str, Array]]
    """By the name of the file, then of the output."""
    tolerances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By file and output, how far values may be from these; as the manifest has it."""

    @property
    def samples(self) -> int:
        """How many there are."""
        return min((len(array) for array in self.inputs.values()), default=0)


def open_golden(folder: Path) -> Golden:
    """The golden samples of a folder, which are those that its manifest lists, with their tolerances.

    Raises:
        ModelError: there are none, they are not those that were listed, or cannot be read.
    """
    manifest = read_listed(folder)
    listed = manifest.get("golden") if manifest else None
    if manifest is None or not listed:
        raise ModelError(
            f"{folder}: its {MANIFEST} has no golden samples: convert again, with golden=8."
            if manifest
            else f"{folder}: there is no {MANIFEST} of edgekit's in it. Pass a folder that edgekit convert made."
        )
    ((path, expected),) = _listed(listed, folder).items()  # it has no weights beside it
    if wrong := changed(path, expected):
        raise ModelError(wrong)
    golden = read_golden(path)
    try:
        tolerances = {
            str(file): {str(output): float(most) for output, most in outputs.items()}
            for file, outputs in listed["tolerances"].items()
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"{folder / MANIFEST}: cannot be read: {error!r}.") from error
    return replace(golden, tolerances=tolerances)


def _listed(entry: Any, folder: Path) -> dict[Path, str]:
    (hashes,) = listed_files({"files": [entry]}, folder).values()
    return hashes


def write_golden(golden: Golden, path: Path) -> None:
    """Write golden samples; the same samples give the same bytes."""
    arrays = {f"{_INPUT}{name}": array for name, array in golden.inputs.items()}
    for file, outputs in golden.outputs.items():
        arrays |= {f"{_OUTPUT}{file}/{name}": array for name, array in outputs.items()}
    with path.open("wb") as file_:
        np.savez(file_, **arrays)  # type: ignore[arg-type]


def read_golden(path: Path) -> Golden:
    """Read golden samples.

    Raises:
        ModelError: the file is not there, or is no such file.
    """
    import zipfile  # a millisecond of the start of every script
    import zlib

    # What zipfile and NumPy raise of a damaged archive: of other methods of packing, of encryption, too.
    unreadable = (
        *(OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, RuntimeError),
        *(ValueError, TypeError, LookupError, SyntaxError, OverflowError, struct.error),
    )
    inputs: dict[str, Array] = {}
    outputs: dict[str, dict[str, Array]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST:
                raise ValueError(f"it expands to more than {_LARGEST:,} bytes")
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                kind, _, name = key.partition("/")
                file, _, output = name.partition("/")
                if kind == "input" and name:
                    inputs[name] = arrays[key]
                elif kind == "output" and output:
                    outputs.setdefault(file, {})[output] = arrays[key]
                else:
                    raise ValueError(f"an array is called {key!r}")
        every = [*inputs.values(), *(a for of in outputs.values() for a in of.values())]
        if len({len(array) for array in every}) != 1:
            raise ValueError("its arrays have different numbers of samples, or there are none")
    except unreadable as error:
        raise ModelError(
            f"{path}: its golden samples cannot be read: {error}. Copy the folder there again, or convert "
            "again."
        ) from error
    return Golden(inputs, outputs)
