"""The files of one model by any recipes: what they share is computed once."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit_converters.base import (
    CALIBRATED,
    ConversionError,
    InterfaceType,
    Job,
    Quantized,
    Samples,
    Writer,
)
from edgekit_converters.formats import FORMATS
from edgekit_converters.onnx.graph import DEFAULT_OPSET
from edgekit_converters.recipe import Recipe
from edgekit_converters.tflite.calibration import Ranges, ranges_over
from edgekit_converters.tflite.float_graph import write_float_graph
from edgekit_converters.tflite.integer_forms import integer_graph
from edgekit_converters.tflite.write import write_tflite

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written by a recipe."""

    quantized: Quantized | None = None
    """The TFLite file that the files of all formats share their numbers with; None: not calibrated."""
    ranges: Ranges | None = None
    """By tensor name."""


class Variants:
    """Writes the files of one model by recipes.

    Building it makes the float graph, for which TensorFlow is needed; writing needs it no more.
    """

    def __init__(
        self,
        model: Any,
        formats: Sequence[str],
        samples: Samples | None = None,
        *,
        scratch: Path,
        batch: int = 1,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        interface: InterfaceType = "float",
        opset: int = DEFAULT_OPSET,
        progress: Progress = lambda step: None,
    ) -> None:
        """Build the float graph of ``model``, and prepare ``formats``; as for ``convert``."""
        progress("building the float graph")
        graph = scratch / "graph.tflite"
        outside = write_float_graph(model, graph, batch=batch, shapes=shapes)
        source = integer_graph(graph) if samples is not None else graph
        self.job = Job(graph, source, scratch, interface, opset, outside)
        self.samples = samples
        self.progress = progress
        self.writers: dict[str, Writer] = {}
        self._ranges: dict[Path, Ranges] = {}
        for name in formats:
            progress(f"preparing {FORMATS[name].title}")
            self.writers[name] = FORMATS[name].writer(self.job)

    def ranges(self, graph: Path) -> Ranges:
        """Return the extremes of each tensor of a float TFLite file over the samples."""
        if graph not in self._ranges:
            if self.samples is None:
                raise ConversionError("a calibrated precision needs samples.")
            self.progress(f"calibrating on {len(self.samples)} samples")
            self._ranges[graph] = ranges_over(graph, self.samples)
        return self._ranges[graph]

    def write(self, recipe: Recipe, targets: Mapping[str, Path]) -> Written:
        """Write a file for each target, a path by the name of a format.

        Raises:
            ConversionError: the recipe does not fit the model.
        """
        written = self._quantize(recipe) if recipe.precision in CALIBRATED else Written()
        self.progress(f"writing {recipe.precision}")
        for name, target in targets.items():
            self.writers[name].write(target, recipe.precision, written.quantized)
        return written

    def _quantize(self, recipe: Recipe) -> Written:
        graph = self.job.integer_graph
        ranges = self.ranges(graph)
        named = hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]
        file = self.job.scratch / f"{named}.tflite"
        write_tflite(graph, file, recipe.precision, ranges, self.job.interface, recipe.keep_float)
        return Written(Quantized(graph, file), ranges)
