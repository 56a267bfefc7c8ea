"""The files of one model by any recipes: what they share is computed once."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
from edgekit_converters.formats import all_formats
from edgekit_converters.onnx.graph import DEFAULT_OPSET
from edgekit_converters.recipe import Recipe, check_names
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.calibration import Ranges, ranges_over
from edgekit_converters.tflite.constants import with_constants
from edgekit_converters.tflite.correction import corrected_constants
from edgekit_converters.tflite.equalization import equalized_constants, is_equal
from edgekit_converters.tflite.float_graph import write_float_graph
from edgekit_converters.tflite.integer_forms import graph_with_kept, integer_graph
from edgekit_converters.tflite.layer_names import operators_of_layers
from edgekit_converters.tflite.range_methods import (
    EXTREMES,
    Histograms,
    check_method,
    chosen_ranges,
    histograms_over,
)
from edgekit_converters.tflite.tails import tails
from edgekit_converters.tflite.write import bits_of, write_tflite

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written by a recipe."""

    quantized: Quantized | None = None
    """The TFLite file that the files of all formats share their numbers with; None: not calibrated."""
    ranges: Ranges | None = None
    """By tensor name."""
    kept: tuple[str, ...] = ()
    """The operators of ``quantized`` that compute in float32 by the recipe. Where it names all that an
    operator was rewritten as, the file has the original one."""
    notes: tuple[str, ...] = ()
    """Where the file differs from what the recipe asks for, in words for the user."""


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
        source, self.forms = integer_graph(graph) if samples is not None else (graph, ())
        self.job = Job(graph, source, scratch, interface, opset, outside, samples)
        self._samples = samples
        self.progress = progress
        self.writers: dict[str, Writer] = {}
        self._extremes: dict[Path, Ranges] = {}
        self._histograms: dict[Path, Histograms] = {}
        self.failed: dict[str, ConversionError] = {}
        """Why formats cannot express the model or be written, by name; where none can, it is raised."""
        for name in formats:
            form = all_formats()[name]
            progress(f"preparing {form.title}")
            try:
                self.writers[name] = form.writer(self.job)
            except ConversionError as error:
                self.failed[name] = error
        if formats and not self.writers:
            raise self.failed[formats[0]]

    @cached_property
    def operators(self) -> dict[str, str]:
        """The operators of calibrated files, in order: the kind of each by the name of its first output."""
        model = flatbuffer.read(self.job.integer_graph)
        main = model.subgraphs[0]
        return {
            flatbuffer.name(main.tensors[operator.outputs[0]]): flatbuffer.kind_name(
                model, operator
            )
            for operator in main.operators
        }

    @cached_property
    def layers(self) -> dict[str, list[str]]:
        """The operators of each Keras layer, by its name."""
        return operators_of_layers(flatbuffer.read(self.job.integer_graph))

    @property
    def samples(self) -> Samples:
        """Those that calibrate.

        Raises:
            ConversionError: there are none.
        """
        if self._samples is None:
            raise ConversionError("a calibrated precision needs samples.")
        return self._samples

    def ranges(self, graph: Path, method: str = EXTREMES, bits: int = 8) -> Ranges:
        """Return the range of each tensor of a float TFLite file over the samples.

        Args:
            graph: the file. It is calibrated once, and once more for all methods but the extremes.
            method: as ``Recipe.ranges``.
            bits: of the integers that the tensors are rounded to.
        """
        check_method(method)
        if graph not in self._extremes:
            self.progress(f"calibrating on {len(self.samples)} samples")
            self._extremes[graph] = ranges_over(graph, self.samples)
        extremes = self._extremes[graph]
        if method == EXTREMES:
            return extremes
        if graph not in self._histograms:
            self.progress(f"counting values in {len(self.samples)} samples")
            self._histograms[graph] = histograms_over(graph, self.samples, extremes)
        return chosen_ranges(extremes, self._histograms[graph], method, bits)

    def write(self, recipe: Recipe, targets: Mapping[str, Path], *, go_on: bool = False) -> Written:
        """Write a file for each target, a path by the name of a format; not for those that failed before.

        Args:
            recipe: of the files.
            targets: where to.
            go_on: a format that cannot be written is noted in ``failed``, and the others are written.

        Raises:
            ConversionError: the recipe does not fit the model, or a format cannot be written and ``go_on``
                is not set, or is the last one.
        """
        written = self._quantize(recipe) if recipe.precision in CALIBRATED else Written()
        self.progress(f"writing {recipe.precision}")
        for name, target in targets.items():
            if name in self.failed:
                continue
            try:
                self.writers[name].write(target, recipe.precision, written.quantized)
            except ConversionError as error:
                self.failed[name] = error
                if not go_on or self.writers.keys() <= self.failed.keys():
                    raise
        return written

    @cached_property
    def _in_loops(self) -> set[str]:
        graphs = flatbuffer.read(self.job.integer_graph).subgraphs[1:]
        return {flatbuffer.name(tensor) for graph in graphs for tensor in graph.tensors}

    @cached_property
    def equalized(self) -> Path | None:
        """The graph of calibrated files with its channels equalized; None where nothing is to be.

        Its tensors have other ranges, and its file is in the scratch folder.
        """
        source = self.job.integer_graph
        self.progress(f"equalizing channels on {len(self.samples)} samples")
        constants = equalized_constants(source, self.samples)
        if not constants:
            return None
        target = source.with_name("equalized.tflite")
        with_constants(source, target, constants)
        return target if is_equal(source, target, self.samples) else None

    def _tails(self, graph: Path, recipe: Recipe) -> tuple[list[str], list[str]]:
        """Return the operators behind the last layers that stay in float by themselves, and notes on them."""
        if bits_of(recipe.precision) > 8:
            return [], []
        found = tails(graph, self.ranges(graph))
        if self.job.interface == "int8":
            notes = [
                f"the integers of {_listed(tail.outputs)} have one scale, and what makes it {tail.why}: take "
                "float outputs, or give the parts as outputs of their own"
                for tail in found
            ]
            return [], notes
        notes = [
            f"what makes {_listed(tail.outputs)} of the last layers' results stays in float in "
            f"{recipe.precision} ({len(tail.operators)} operator{'s'[: len(tail.operators) != 1]}): it "
            f"{tail.why}"
            for tail in found
        ]
        return [name for tail in found for name in tail.operators], notes

    def _quantize(self, recipe: Recipe) -> Written:
        check_method(recipe.ranges)
        check_names(recipe.keep_float, self.operators, self._in_loops)
        graph, notes = self.job.integer_graph, []
        if recipe.equalize:
            if self.equalized is None:
                notes.append(
                    "the channels are not equalized: no depthwise convolution gains by it, or the "
                    "model would compute other numbers"
                )
            graph = self.equalized or graph
        ranges = self.ranges(graph, recipe.ranges, bits_of(recipe.precision))
        in_float, said = self._tails(graph, recipe)
        notes += said
        graph, kept = graph_with_kept(
            graph, self.job.graph, self.forms, dict.fromkeys([*recipe.keep_float, *in_float])
        )
        named = hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]
        file = self.job.scratch / f"{named}.tflite"
        options = (recipe.precision, ranges, self.job.interface, kept, recipe.dense_per_tensor)
        write_tflite(graph, file, *options)
        asked = tuple(name for name in kept if name in recipe.keep_float or name not in in_float)
        quantized = Quantized(graph, file, ranges, asked, dense_per_tensor=recipe.dense_per_tensor)
        if not (recipe.correct_bias or recipe.rounding_steps):
            return Written(quantized, ranges, kept, tuple(notes))
        corrected, skipped = corrected_constants(
            graph,
            file,
            self.samples,
            biases=recipe.correct_bias,
            steps=recipe.rounding_steps,
            seed=recipe.seed,
            progress=self.progress,
        )
        if corrected.constants:  # no model in float any more: the calibrated files' alone
            source, graph = graph, file.with_suffix(".graph.tflite")
            with_constants(source, graph, corrected.constants)
            write_tflite(graph, file, *options, corrected.weight_ranges)
            quantized = replace(quantized, graph=graph, weight_ranges=corrected.weight_ranges)
        return Written(quantized, ranges, kept, (*notes, *skipped))


def _listed(outputs: Sequence[str]) -> str:
    return " and ".join(map(repr, outputs))
