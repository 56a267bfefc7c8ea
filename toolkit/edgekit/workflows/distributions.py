"""How inputs and outputs are distributed in the samples: what a monitor compares with, later and elsewhere."""

from collections.abc import Iterable, Mapping

import numpy as np

from edgekit.data.samples import Array
from edgekit.data.store import StoredArrays
from edgekit.workflows.evaluate import Evaluation
from edgekit_converters.base import Range
from edgekit_runtimes.monitoring.build import TensorSamples
from edgekit_runtimes.monitoring.reference import Distributions, TensorReference
from edgekit_runtimes.processing.facts import Facts
from edgekit_runtimes.processing.postprocessing import Postprocessing

_ROWS = 32  # samples that are read at once


def record_distributions(
    evaluation: Evaluation, facts: Facts, ranges: Mapping[str, Range]
) -> Distributions:
    """The distributions of inputs over all samples that were read, and of each file's own outputs.

    The more samples, the smaller a change that is told from chance: so those that evaluated the files count
    beside those that calibrated them. Outputs are those of the evaluation, which were recorded then.

    Args:
        evaluation: has the samples, and the files' outputs for those held out.
        facts: what the outputs mean.
        ranges: the calibrated ranges, by tensor name; where one is missing, that of the samples is taken.
    """
    samples = evaluation.samples
    parts = [part for part in (samples.calibration, samples.held_out) if part is not None]
    inputs = {
        name: _reference(parts, name, shape, ranges.get(name))
        for name, shape in samples.held_out.shapes.items()
    }
    meanings = {meaning.output: meaning for meaning in facts.postprocessing}
    outputs = {
        file.name: {
            name: _reference([file.outputs], name, shape, ranges.get(name), meanings.get(name))
            for name, shape in file.outputs.shapes.items()
        }
        for file in evaluation.recording.files
    }
    return Distributions(inputs, outputs)


def _reference(
    parts: Iterable[StoredArrays],
    name: str,
    shape: tuple[int, ...],
    calibrated: Range | None,
    meaning: Postprocessing | None = None,
) -> TensorReference:
    low, high = map(float, calibrated or _extremes(parts, name))
    made = TensorSamples(
        shape,
        low=low,
        high=high,
        task=meaning.task if meaning else "values",
        activation=meaning.kind if meaning else "none",
    )
    for part in parts:
        for batch in part.batches(_ROWS):
            made.add(batch[name])
    return made.reference()


def _extremes(parts: Iterable[StoredArrays], name: str) -> tuple[float, float]:
    """The least and the greatest finite value; 0 and 1 where there is none."""
    least, greatest = np.inf, -np.inf
    for part in parts:
        for batch in part.batches(_ROWS):
            array: Array = batch[name]
            finite = array[np.isfinite(array)].astype(np.float64)  # whole numbers have no infinity
            least = min(least, float(finite.min(initial=np.inf)))
            greatest = max(greatest, float(finite.max(initial=-np.inf)))
    return (least, greatest) if least <= greatest else (0.0, 1.0)
