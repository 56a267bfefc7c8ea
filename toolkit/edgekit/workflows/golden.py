"""Golden samples: what each converted file answers here, and how far another processor may be from it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.bundle.folder import sha256
from edgekit.bundle.manifest import GoldenSamples
from edgekit.data.samples import Array
from edgekit.data.store import StoredArrays
from edgekit.inference.tensor_names import with_original_names
from edgekit.workflows.candidates import Candidate
from edgekit.workflows.evaluate import Evaluation, Original
from edgekit_runtimes import open_model
from edgekit_runtimes.files import FILES
from edgekit_runtimes.golden import GOLDEN, Golden, write_golden

_BYTES = 4 << 20  # of inputs and outputs together, unless a single sample has more
_LARGEST = 32 << 20  # bytes of a single sample that is still written

# Kernels for integers round differently: OpenVINO's and Hexagon's by 3 or 4 steps of an output, ARM's by
# one. See docs/devices.md.
_STEPS = 6
# Float kernels differ in the last bits; those of processors that compute in bfloat16, by 3e-3.
_OF_RANGE = {"float32": 4e-3, "float16": 4e-3, "int16x8": 1e-2}


def record_golden(
    candidates: Sequence[Candidate],
    original: Original,
    evaluation: Evaluation,
    folder: Path,
    count: int,
) -> GoldenSamples | None:
    """Run some held-out samples through each file, and write ``golden.npz``.

    Args:
        candidates: the files.
        original: what they were made from.
        evaluation: of the files: has the samples, and their outputs for all of them.
        folder: where to write.
        count: the most samples.

    Returns:
        What the manifest says of them; None where none are wanted or one alone is too large.
    """
    held_out = evaluation.samples.held_out
    outputs = [file.outputs for file in evaluation.recording.files]
    chosen = min(count, _fitting([held_out, *outputs]), len(held_out))
    if not chosen:
        return None
    samples = _spread(held_out, chosen)
    tolerances: dict[str, dict[str, float]] = {}
    inputs: dict[str, Array] = {}
    answers: dict[str, dict[str, Array]] = {}
    for candidate, recorded in zip(candidates, outputs, strict=True):
        with open_model(candidate.path) as session:
            mapped = with_original_names(session, original)
            given = {mapped.inputs[name]: array for name, array in samples.items()}
            answers[candidate.path.name] = session.run(given)
        inputs |= given
        steps = FILES[candidate.path.suffix].steps(candidate.path)
        tolerances[candidate.path.name] = {
            name: _tolerance(candidate.precision, steps.get(name), _range(recorded, known))
            for known, name in mapped.outputs.items()
        }
    path = folder / GOLDEN
    write_golden(Golden(inputs, answers), path)
    return GoldenSamples(GOLDEN, path.stat().st_size, sha256(path), chosen, tolerances)


def _fitting(arrays: Sequence[StoredArrays]) -> int:
    """How many samples, with all their outputs, there is room for."""
    each = sum(
        int(np.prod(shape, dtype=np.int64)) * np.dtype(a.dtypes[name]).itemsize
        for a in arrays
        for name, shape in a.shapes.items()
    )
    return 0 if each > _LARGEST else max(1, _BYTES // max(1, each))


def _spread(samples: StoredArrays, count: int) -> dict[str, Array]:
    """So many samples from the first to the last: data is often sorted by class."""
    rows = [samples.rows(int(at), 1) for at in np.linspace(0, len(samples) - 1, count)]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _tolerance(precision: str, step: float | None, span: float) -> float:
    """How far a value of an output may be from the golden one.

    Args:
        precision: of the file.
        step: the distance of two neighbouring values of an output that comes from integers.
        span: from the smallest value of the output to the largest.
    """
    if precision in _OF_RANGE:
        return max(_OF_RANGE[precision] * span, step or 0.0)
    return _STEPS * max(step or 0.0, span / 255)


def _range(outputs: StoredArrays, name: str) -> float:
    """From the smallest value of an output to the largest, or how large it is where it never changes."""
    if np.dtype(outputs.dtypes[name]).kind != "f":
        return 0.0  # a class by its number, or a truth value: another one is another answer
    low, high = np.inf, -np.inf
    for batch in outputs.batches(32):
        finite = batch[name][np.isfinite(batch[name])].astype(np.float64)
        low, high = finite.min(initial=low), finite.max(initial=high)
    return float(high - low or abs(high)) if np.isfinite(low) else 0.0
