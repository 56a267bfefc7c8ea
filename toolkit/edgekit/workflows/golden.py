"""Golden samples: what each converted file answers here, and how far another processor may be from it."""

from collections.abc import Mapping, Sequence
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
from edgekit_runtimes.bundle.golden import GOLDEN, Golden, write_golden
from edgekit_runtimes.files import FILES

_BYTES = 4 << 20  # of inputs and outputs together, unless a single sample has more
_LARGEST = 32 << 20  # bytes of a single sample that is still written
_LOOKED_AT = 256  # samples whose outputs decide which are chosen; one is in memory at a time

# A sample near the border of two classes moves far by the rounding of an integer kernel, which each processor
# does in its own way; by quantization, too, so that those can be left out. Of the others, kernels moved 99
# in 100 by one step of a softmax, and all of them by 4 at most: see docs/bundle.md.
_STEADY = 0.75
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
    ran = zip(candidates, evaluation.recording.files, strict=True)
    on_cpu = [(candidate, file.outputs) for candidate, file in ran if not file.device]
    candidates, outputs = [c for c, _ in on_cpu], [o for _, o in on_cpu]
    fitting = min(count, _fitting([held_out, *outputs]))
    if not fitting:
        return None
    allowed = [
        {
            name: _tolerance(
                c.precision, FILES[c.path.suffix].steps(c.path).get(name), _range(o, name)
            )
            for name in o.shapes
        }
        for c, o in zip(candidates, outputs, strict=True)
    ]
    steady = _steadiest(original.recorded, outputs, allowed)
    chosen = steady[np.linspace(0, len(steady) - 1, min(fitting, len(steady)), dtype=int)]
    rows = [held_out.rows(int(at), 1) for at in chosen]
    samples = {name: np.concatenate([row[name] for row in rows]) for name in held_out.shapes}
    inputs: dict[str, Array] = {}
    answers: dict[str, dict[str, Array]] = {}
    tolerances: dict[str, dict[str, float]] = {}
    for candidate, most in zip(candidates, allowed, strict=True):
        with open_model(candidate.path) as session:
            mapped = with_original_names(session, original)
            given = {mapped.inputs[name]: array for name, array in samples.items()}
            answers[candidate.path.name] = session.run(given)
        inputs |= given
        tolerances[candidate.path.name] = {mapped.outputs[name]: most[name] for name in most}
    path = folder / GOLDEN
    write_golden(Golden(inputs, answers), path)
    return GoldenSamples(GOLDEN, path.stat().st_size, sha256(path), len(chosen), tolerances)


def _fitting(arrays: Sequence[StoredArrays]) -> int:
    """How many samples, with all their outputs, there is room for."""
    each = sum(
        int(np.prod(shape, dtype=np.int64)) * np.dtype(a.dtypes[name]).itemsize
        for a in arrays
        for name, shape in a.shapes.items()
    )
    return 0 if each > _LARGEST else max(1, _BYTES // max(1, each))


def _steadiest(
    original: StoredArrays,
    files: Sequence[StoredArrays],
    allowed: Sequence[Mapping[str, float]],
) -> Array:
    """The samples whose outputs quantization moves least, in the order of the data: most of them.

    Data is often sorted by class, so that some of them from the first to the last are of many.
    """
    looked_at = _some(original)
    moved = np.zeros(len(looked_at))
    for number, at in enumerate(looked_at):
        expected = original.rows(int(at), 1)
        for outputs, most in zip(files, allowed, strict=True):
            got = outputs.rows(int(at), 1)
            for name, tolerance in most.items():
                a, b = expected[name].astype(np.float64), got[name].astype(np.float64)
                with np.errstate(invalid="ignore", divide="ignore"):
                    part = np.where(a == b, 0.0, np.abs(a - b) / tolerance)
                largest = np.nan_to_num(part, nan=np.inf).max(initial=0.0)
                moved[number] = max(moved[number], largest)
    steady: Array = looked_at[moved <= np.sort(moved)[int(_STEADY * (len(moved) - 1))]]
    return steady


def _some(samples: StoredArrays) -> Array:
    """So many samples, from the first to the last, as it takes to know their outputs."""
    return np.linspace(0, len(samples) - 1, min(_LOOKED_AT, len(samples)), dtype=int)


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
    for at in _some(outputs):
        row = outputs.rows(int(at), 1)[name]
        finite = row[np.isfinite(row)].astype(np.float64)
        low, high = finite.min(initial=low), finite.max(initial=high)
    return float(high - low or abs(high)) if np.isfinite(low) else 0.0
