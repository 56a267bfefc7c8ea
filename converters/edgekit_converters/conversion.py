"""One model to many files: one float graph, one table of ranges, and a file for each target."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit_converters.base import (
    CALIBRATED,
    ConversionError,
    Format,
    InterfaceType,
    Precision,
    Samples,
)
from edgekit_converters.onnx.graph import DEFAULT_OPSET, OnnxGraph, loop_bodies, to_onnx
from edgekit_converters.onnx.recurrent import recurrent
from edgekit_converters.onnx.write import write_onnx
from edgekit_converters.tflite.calibration import Ranges, ranges_over
from edgekit_converters.tflite.float_graph import is_too_large, weight_bytes, write_float_graph
from edgekit_converters.tflite.loops import has_loop
from edgekit_converters.tflite.preprocessing import preprocessing
from edgekit_converters.tflite.write import write_tflite

Target = tuple[Format, Precision]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion did beside writing files."""

    ranges: Ranges = field(default_factory=dict)
    """The calibrated ranges, by tensor name; empty where nothing was calibrated."""
    graph: Path | None = None
    """The float graph that was calibrated, in the scratch folder."""
    notes: tuple[str, ...] = ()
    """What was done otherwise than asked for, in words for the user."""
    alike: bool = True
    """Whether the two formats' calibrated files compute the same numbers."""


def convert(
    model: Any,
    targets: Mapping[Target, Path],
    samples: Samples | None = None,
    *,
    scratch: Path,
    batch: int = 1,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    interface: InterfaceType = "float",
    opset: int = DEFAULT_OPSET,
    progress: Progress = lambda step: None,
) -> Conversion:
    """Writes a Keras model in every wanted format and precision.

    Args:
        model: a Keras model, from ``load_model``.
        targets: the file to write for each format and precision.
        samples: for calibration; needed for the precisions in ``CALIBRATED``.
        scratch: a folder for files in between, which the caller removes.
        batch: the fixed size of the batch axis.
        shapes: the shape of one sample, by input name, where Keras leaves a size open.
        interface: whether calibrated files take real numbers or integers.
        opset: of the ONNX files.
        progress: is called with the name of each step as it begins.

    Raises:
        ConversionError: the model, or one of its targets, cannot be converted.
    """
    formats = {form for form, _ in targets}
    plain = [p for p in _precisions(targets) if p not in CALIBRATED]
    calibrated = [p for p in _precisions(targets) if p in CALIBRATED]
    if calibrated and not samples:
        raise ConversionError(
            f"{' and '.join(calibrated)} needs samples, to learn the range of every tensor. Give "
            "--data; or choose --precision float32,dynamic, which needs none."
        )

    if is_too_large(model) and set(targets) != {("onnx", "float32")}:
        raise ConversionError(
            f"the weights take {weight_bytes(model) / 1e9:.1f} GB in float32. A TFLite file holds 2 GB, and "
            "all but the float32 ONNX file are made from one. Choose --to onnx --precision float32: it "
            "keeps its weights in a file beside it."
        )
    progress("building the float graph")
    graph = scratch / "graph.tflite"
    held = write_float_graph(model, graph, batch=batch, shapes=shapes)
    twin: OnnxGraph | None = None
    if "onnx" in formats:
        progress("translating to ONNX")
        twin = to_onnx(graph, scratch, opset, held)

    def write(precision: Precision, ranges: Ranges) -> None:
        progress(f"writing {precision}")
        tflite = targets.get(("tflite", precision), scratch / f"{precision}.tflite")
        if ("tflite", precision) in targets or precision in CALIBRATED:
            write_tflite(graph, tflite, precision, ranges, interface)
        if ("onnx", precision) in targets:
            assert twin is not None
            write_onnx(
                twin,
                targets["onnx", precision],
                precision,
                graph=graph,
                quantized=tflite,
                interface=interface,
            )

    for precision in plain:
        write(precision, {})
    if not calibrated:
        return Conversion()
    assert samples is not None
    progress(f"calibrating on {len(samples)} samples")
    ranges = ranges_over(graph, samples)
    for precision in calibrated:
        write(precision, ranges)
    cells = recurrent(twin.model.graph) if twin is not None else []
    looping = ["TFLite"] if "tflite" in formats and has_loop(graph) else []
    looping += ["ONNX"] if twin is not None and loop_bodies(twin.model.graph) else []
    notes = [
        *_recurrent_notes(calibrated, looping, sorted({node.op_type for node in cells})),
        *_preprocessing_notes(graph, calibrated, interface),
    ]
    return Conversion(ranges, graph, tuple(notes), alike=not cells)


def _recurrent_notes(
    calibrated: list[Precision], looping: list[str], operators: list[str]
) -> Iterator[str]:
    """What calibrated files do otherwise than asked for in recurrent layers.

    Args:
        calibrated: the precisions.
        looping: the formats in which such a layer is a loop.
        operators: those that it is in ONNX, where it is none.
    """
    precisions = " and ".join(calibrated)
    if looping:
        yield (
            f"recurrent layers keep their loop in {precisions}, in {' and '.join(looping)}: in it the "
            "matrix products, which hold the weights, are in integers; the gates and the state stay in "
            "float"
        )
    if operators:
        yield (
            f"in ONNX, recurrent layers are operators of their own ({', '.join(operators)}), which compute "
            f"in float: in {precisions} their weights are stored as 8-bit integers"
        )


def _preprocessing_notes(
    graph: Path, calibrated: list[Precision], interface: InterfaceType
) -> Iterator[str]:
    """What calibrated files do otherwise than asked for with their inputs."""
    precisions = " and ".join(calibrated)
    if preprocessing(graph):
        yield (
            f"the rescaling or normalization of the inputs stays in float in {precisions}: one scale "
            "cannot hold features of different widths"
            if interface == "float"
            else "integer inputs have one scale for all features, before the model rescales or "
            "normalizes them: where their widths differ, do that outside, or take real inputs"
        )


def _precisions(targets: Mapping[Target, Path]) -> list[Precision]:
    return list(dict.fromkeys(precision for _, precision in targets))
