"""Correction: the constants that a recipe corrects, one lever after the other."""

from collections.abc import Callable
from pathlib import Path

from edgekit_converters.base import Samples
from edgekit_converters.tflite.bias_correction import corrected_biases
from edgekit_converters.tflite.corrected import Corrected
from edgekit_converters.tflite.rounding import trained_rounding


def corrected_constants(
    graph: Path,
    quantized: Path,
    samples: Samples,
    *,
    biases: bool,
    steps: int,
    seed: int,
    progress: Callable[[str], None] = lambda step: None,
) -> tuple[Corrected, tuple[str, ...]]:
    """Return other constants for a quantized file, and why some are not corrected.

    Args:
        graph: the float TFLite file.
        quantized: the file that was made from it by the recipe, without corrections.
        samples: those that calibrated it.
        biases: whether biases make up for the mean error of their operators.
        steps: of training the rounding of weights, after that; 0: none.
        seed: of the training.
        progress: called with the name of each step.
    """
    corrected, notes = Corrected(), []
    if biases:
        progress("correcting biases")
        corrected = corrected_biases(graph, quantized, samples)
        notes += [corrected.note] if corrected.note else []
    if steps:
        progress(f"training the rounding of weights for {steps} steps")
        trained = trained_rounding(
            graph, quantized, samples, steps, seed=seed, start=corrected.constants
        )
        notes += [trained.note] if trained.note else []
        corrected = corrected if trained.note else trained
    return corrected, tuple(notes)
