"""A manifest's distributions, of samples that a test has."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes import open_model
from edgekit_runtimes.monitoring.build import TensorSamples


def add_distributions(folder: Path, file: str, inputs: dict[str, np.ndarray[Any, Any]]) -> None:
    """Have a folder's manifest say how these samples, and a file's answers to them, are distributed."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    with open_model(folder / file, device="cpu") as session:
        answered = session.run(inputs)
    manifest["distributions"] = {
        "inputs": {name: _of(array, "values") for name, array in inputs.items()},
        "outputs": {file: {name: _of(array, "classes") for name, array in answered.items()}},
    }
    path.write_text(json.dumps(manifest))


def _of(array: np.ndarray[Any, Any], task: str) -> dict[str, Any]:
    samples = TensorSamples(
        array.shape[1:], low=float(array.min()), high=float(array.max()), task=task
    )
    samples.add(array)
    return asdict(samples.reference())
