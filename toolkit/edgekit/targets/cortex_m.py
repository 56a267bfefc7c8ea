"""The target ``cortex-m``: C++ for TensorFlow Lite Micro, to be built by CMake or by the Arduino IDE."""

import re
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.samples import Array, DataError
from edgekit.targets.cpp import c_comment, c_string
from edgekit.targets.job import ExportJob
from edgekit.targets.rendering import render
from edgekit_converters.targets.cmsis_nn import Scratch, scratch_bytes
from edgekit_converters.targets.cortex_m import adders, inspect_cortex_m, not_for_arduino
from edgekit_converters.targets.inspection import Figure, Inspection
from edgekit_runtimes import ModelError, TensorSpec
from edgekit_runtimes.arrays import quantize
from edgekit_runtimes.engines.micro_arena import arena_bytes
from edgekit_runtimes.formats.tflite_file import read_graph

_PER_LINE = 16
_GOLDEN_BYTES = 64 << 10
"""Of flash for the golden samples: fewer go out where they take more, but one."""

_SHARED = ("model_data", "model", "golden", "self_test")
"""What the Arduino library has too."""


@dataclass(frozen=True, slots=True)
class End:
    """An input or an output as the templates write it."""

    spec: TensorSpec
    array: str
    rows: tuple[str, ...]
    """Each golden sample's values."""
    count: int
    """Values of one sample."""
    bytes: int
    tolerance: int
    """In steps of the scale."""

    @property
    def scale(self) -> str:
        """The scale as a C++ float; 0 where the integers are what they are."""
        return f"{float(np.float32(self.spec.scale or 0))!r}f"

    @property
    def meaning(self) -> str:
        """What its integers stand for, behind its name."""
        if self.spec.scale is None:
            return ""
        return f", real number = {self.spec.scale:.6g} x (integer - {self.spec.zero_point})"


def write_cortex_m(job: ExportJob, folder: Path) -> list[str]:
    """Write the model, its operators, its memory and its golden samples as C++, for CMake and for Arduino.

    Args:
        job: what is exported: one int8 file with integer ends.
        folder: an empty one.

    Returns:
        What the file needs on the chip.

    Raises:
        DataError: the file takes more than one sample at a time, or a size is open.
        TargetError: TensorFlow Lite Micro lacks an operator.
        ModelError: it does not run the file.
    """
    (entry,) = job.files
    path = job.folder / entry.file
    for end in (*entry.inputs, *entry.outputs):
        if None in end.shape or end.shape[:1] not in ((), (1,)):
            raise DataError(
                f"{entry.file}: {end}: target cortex-m takes one sample at a time. Convert again, with batch=1."
            )
    added = adders(path)
    least, scratch = arena_bytes(path), scratch_bytes(path)
    arena = least + scratch.dsp
    inputs, outputs, samples = _ends(job)
    content = path.read_bytes()
    name = identifier(job.title)
    values = {
        "title": job.title,
        "name": name,
        "macro": name.upper(),
        "file": entry,
        "content": _bytes(content),
        "crc32": zlib.crc32(content),
        "adders": added,
        "least": least,
        "scratch": scratch,
        "arena": arena,
        "inputs": inputs,
        "outputs": outputs,
        "samples": samples,
        "golden_bytes": samples * sum(end.bytes for end in (*inputs, *outputs)),
        "labels": job.manifest.labels,
        "too_new": not_for_arduino(path),
    }
    render("cortex-m", folder, values, filters=_FILTERS)
    _arduino_library(folder, name)
    return [
        f"flash: {entry.bytes:,} bytes of model",
        f"arena: at most {arena:,} bytes of RAM{_helium(scratch)}",
    ]


def inspect_with_arena(path: Path) -> Inspection:
    """Say which operators TensorFlow Lite Micro has, the memory that the file needs, and what to change.

    Raises:
        TargetError: the file is no TFLite file, or is damaged.
    """
    inspection = inspect_cortex_m(path)
    if not inspection.runs:
        return inspection
    try:
        scratch = scratch_bytes(path)
        note = f"upper bound for 32 bits; {scratch.dsp:,} of them for CMSIS-NN's kernels{_helium(scratch)}"
        arena = Figure("arena", arena_bytes(path) + scratch.dsp, "bytes", note)
    except ModelError as error:
        told = str(error).removeprefix(f"{path}: ")
        return replace(inspection, advice=(*inspection.advice, told))
    return replace(inspection, figures=(*inspection.figures, arena))


def _helium(scratch: Scratch) -> str:
    more = scratch.helium - scratch.dsp
    return f", and {more:,} more with Helium" if more > 0 else ""


def identifier(title: str) -> str:
    """Return a model's name as C++ can call it, always ending in ``model``, so that it is no word of the language.

    >>> identifier("Digits CNN (v2)"), identifier("int"), identifier("3.model"), identifier("é")
    ('digits_cnn_v2_model', 'int_model', 'm_3_model', 'model')
    """
    words = re.findall(r"[a-z0-9]+", title.lower())
    if words and words[0][0].isdigit():
        words.insert(0, "m")
    if not words or words[-1] != "model":
        words.append("model")
    return "_".join(words)


def _ends(job: ExportJob) -> tuple[list[End], list[End], int]:
    """The file's ends in the order of its graph, with as many golden samples as there is room for."""
    (entry,) = job.files
    graph = read_graph(job.folder / entry.file)
    golden, listed = job.golden, job.manifest.golden
    sizes = [_size(spec) for spec in (*graph.inputs, *graph.outputs)]
    samples = 0
    if golden is not None and listed is not None:
        samples = min(golden.samples, max(1, _GOLDEN_BYTES // max(1, sum(sizes))))
    of_file = golden.outputs[entry.file] if golden and samples else {}
    tolerances = listed.tolerances[entry.file] if listed and samples else {}
    inputs = [
        _end(spec, f"input_{i}", golden.inputs[spec.name][:samples] if golden and samples else None)
        for i, spec in enumerate(graph.inputs)
    ]
    outputs = [
        _end(
            spec,
            f"output_{i}",
            of_file[spec.name][:samples] if samples else None,
            tolerances.get(spec.name, 0.0),
        )
        for i, spec in enumerate(graph.outputs)
    ]
    return inputs, outputs, samples


def _end(spec: TensorSpec, array: str, real: Array | None, tolerance: float = 0.0) -> End:
    rows: tuple[str, ...] = ()
    if real is not None:
        stored = quantize(real, spec) if spec.scale else real.astype(spec.dtype)
        rows = tuple(
            ", ".join(map(str, row.astype(np.int64))) for row in stored.reshape(len(real), -1)
        )
    steps = int(tolerance / spec.scale + 1e-6) if spec.scale else int(tolerance)
    count = _size(spec) // np.dtype(spec.dtype).itemsize
    return End(spec, array, rows, count, _size(spec), steps)


def _size(spec: TensorSpec) -> int:
    values = int(np.prod([n or 1 for n in spec.shape], dtype=np.int64))
    return values * np.dtype(spec.dtype).itemsize


def _bytes(content: bytes) -> str:
    lines = (content[i : i + _PER_LINE] for i in range(0, len(content), _PER_LINE))
    return "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)


def _arduino_library(folder: Path, name: str) -> None:
    """Copy the sources to where the Arduino IDE looks, under the suffix that all its versions compile."""
    source = folder / "arduino" / "src" / name
    source.mkdir(parents=True)
    for stem in _SHARED:
        shutil.copyfile(folder / f"{stem}.h", source / f"{stem}.h")
        for made in folder.glob(f"{stem}.cc"):
            shutil.copyfile(made, source / f"{stem}.cpp")
    (source.parent / f"{name}.h").write_text(
        f'// All of the model, under a name that no other library has.\n#pragma once\n#include "{name}/model.h"\n'
        f'#include "{name}/self_test.h"\n',
        encoding="utf-8",
    )


_FILTERS: dict[str, Callable[[Any], str]] = {
    "c_comment": c_comment,
    "c_string": c_string,
    "c_type": lambda dtype: "uint8_t" if dtype == "bool" else f"{dtype}_t",
}
