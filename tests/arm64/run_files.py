"""Runs every model file of some folders, and saves what they answer: here, and on arm64 under qemu.

Usage: run_files.py FOLDER OUT.npz. In FOLDER, each folder with a ``manifest.json`` has its files opened, on the
inputs in its ``inputs.npz``; it takes nothing but edgekit's runtimes.
"""

import sys
from pathlib import Path

import numpy as np

from edgekit_runtimes import open_model


def run_files(folder: Path) -> dict[str, np.ndarray]:
    """The outputs of each file, by ``folder/file/output``; integers where the file has integer ends."""
    found = {}
    for manifest in sorted(folder.glob("*/manifest.json")):
        with np.load(manifest.with_name("inputs.npz")) as archive:
            given = dict(archive)
        for file in sorted(manifest.parent.glob("model_*.*")):
            if file.suffix not in (".tflite", ".onnx"):
                continue
            with open_model(file, trust=True, raw=True) as session:
                inputs = {}
                for spec in session.inputs:
                    values = given[spec.name]
                    if spec.scale is not None:
                        limits = np.iinfo(spec.dtype)
                        steps = np.round(values.astype(np.float64) / spec.scale) + spec.zero_point
                        values = steps.clip(limits.min, limits.max)
                    inputs[spec.name] = values.astype(spec.dtype)
                outputs = session.run(inputs)
                for spec in session.outputs:
                    key = f"{manifest.parent.name}/{file.name}/{spec.name}"
                    found[key] = outputs[spec.name]
                    if spec.scale is not None:
                        found[f"scale of {key}"] = np.float64(spec.scale)
    return found


if __name__ == "__main__":
    np.savez(sys.argv[2], **run_files(Path(sys.argv[1])))
