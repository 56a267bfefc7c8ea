"""``bundle.json`` and ``golden.bin``: the manifest and the golden samples, as languages without NumPy read them."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.folder import write_json
from edgekit.bundle.plain import to_plain
from edgekit.bundle.schema import BUNDLE
from edgekit.data.samples import Array
from edgekit.targets.job import ExportJob

INFO, GOLDEN = "bundle.json", "golden.bin"
_ALIGNED = 8
"""Bytes that the start of an array is a multiple of, so that a typed view of it can be had."""


def write_info(job: ExportJob, folder: Path) -> dict[str, Any] | None:
    """Write the files that are exported, what there is to know about them, and the golden samples.

    Args:
        job: what is exported.
        folder: where to.

    Returns:
        The index of the golden samples, as ``flat_golden`` has it.
    """
    for entry in job.files:
        for name in [entry.file, *([entry.data.file] if entry.data else [])]:
            shutil.copyfile(job.folder / name, folder / name)
    golden, content = flat_golden(job)
    if golden is not None:
        (folder / GOLDEN).write_bytes(content)
    write_json(folder / INFO, {**bundle_info(job), "golden": golden})
    return golden


def bundle_info(job: ExportJob) -> dict[str, Any]:
    """What a program needs to know of the files: their ends, what images become, what outputs mean."""
    manifest = job.manifest
    wanted = ("file", "format", "precision", "bytes", "sha256", "inputs", "outputs", "data")
    return {
        "schema": BUNDLE,
        "name": job.title,
        "labels": list(manifest.labels),
        "license": manifest.license,
        "preprocessing": to_plain(manifest.preprocessing),
        "postprocessing": to_plain(manifest.postprocessing),
        "files": [{key: to_plain(getattr(entry, key)) for key in wanted} for entry in job.files],
    }


def flat_golden(job: ExportJob) -> tuple[dict[str, Any] | None, bytes]:
    """The golden samples as plain bytes, little-endian, and where in them each array is.

    Returns:
        The index: ``inputs`` by name and ``outputs`` by file and name, each with dtype, shape and offset,
        outputs with their tolerance too. None, and no bytes, where there are no golden samples.
    """
    golden, listed = job.golden, job.manifest.golden
    if golden is None or listed is None:
        return None, b""
    content = bytearray()

    def put(array: Array) -> dict[str, Any]:
        content.extend(bytes(-len(content) % _ALIGNED))
        offset = len(content)
        little = array.dtype.newbyteorder("<")
        content.extend(np.ascontiguousarray(array, little).tobytes())
        return {"dtype": array.dtype.name, "shape": list(array.shape), "offset": offset}

    index: dict[str, Any] = {
        "file": GOLDEN,
        "samples": golden.samples,
        "inputs": {name: put(array) for name, array in golden.inputs.items()},
        "outputs": {
            entry.file: {
                name: {**put(array), "tolerance": listed.tolerances[entry.file][name]}
                for name, array in golden.outputs[entry.file].items()
            }
            for entry in job.files
        },
    }
    index["sha256"] = hashlib.sha256(content).hexdigest()
    return index, bytes(content)
