"""The microcontroller file: batch 1, 8-bit integers from end to end, recurrent layers as LSTM operators."""

from pathlib import Path

from edgekit_converters.base import (
    ConversionError,
    Job,
    Precision,
    Quantized,
    Samples,
    Writer,
)
from edgekit_converters.targets.fused_lstm import fuse, with_resets
from edgekit_converters.targets.index_wrap import drop_index_wraps
from edgekit_converters.targets.integer_lstm import output_range, write_integers
from edgekit_converters.targets.state_ranges import state_ranges
from edgekit_converters.targets.unfusable import layer_of, lstm_loops
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.flatbuffer import CAST, FLOAT32
from edgekit_converters.tflite.preprocessing import preprocessing
from edgekit_converters.tflite.write import write_tflite

_LISTED = 5  # layers that a note names


def micro_writer(job: Job) -> Writer:
    """Return a writer of microcontroller files.

    Raises:
        ConversionError: the batch is not 1, or a recurrent layer cannot be an operator.
    """
    model = flatbuffer.read(job.integer_graph)
    main = model.subgraphs[0]
    batches = {flatbuffer.shape(main.tensors[index])[0] for index in main.inputs}
    if batches != {1}:
        raise ConversionError(
            f"microcontrollers take one sample at a time, and the batch is {max(batches)}. Convert with "
            "batch=1, in a run of its own."
        )
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) != CAST or operator.inputs[0] not in main.inputs:
            continue
        source = main.tensors[operator.inputs[0]]
        if source.type == FLOAT32:
            raise ConversionError(
                f"the input {flatbuffer.name(source)!r} is float32, and the model makes integers of it: 8 bits "
                "with a scale do not hold indices. Build it with Input(dtype='int32')."
            )
    loops, _ = lstm_loops(job.integer_graph, model)
    notes = []
    if loops:
        layers = [layer_of(loop.cell.body) for loop in loops]
        rest = f" and {len(layers) - _LISTED} more" if len(layers) > _LISTED else ""
        notes.append(
            f"in the microcontroller file {', '.join(layers[:_LISTED])}{rest} "
            f"{'is an operator' if len(layers) == 1 else 'are operators'} in full integers, whose state "
            "starts from zero in each call"
        )
    if job.interface == "float" and preprocessing(job.integer_graph):
        notes.append(
            "the microcontroller file takes integers with one scale for all features, before the model "
            "rescales or normalizes them: where their widths differ, do that outside"
        )
    if drop_index_wraps(model):
        notes.append(
            "in the microcontroller file an Embedding's index below 0 does not count from the end: give "
            "it numbers from 0 on"
        )

    def write(target: Path, precision: Precision, quantized: Quantized | None) -> None:  # noqa: ARG001
        assert quantized is not None  # of int8 alone
        assert job.samples is not None
        _write(quantized, target, job.samples)

    return Writer(write, notes=tuple(notes))


def _write(quantized: Quantized, target: Path, samples: Samples) -> None:
    """Write a file with the constants, the ranges and the operators in float of another quantized one."""
    fused = target.with_name(f"{target.stem}_fused.tflite")
    layers = fuse(quantized.graph, fused)
    seen = state_ranges(quantized.graph, samples)
    ranges = dict(quantized.ranges)
    for layer in layers:  # one scale for its output and the parts of it: nothing is rounded again
        same = output_range(seen[layer.body])
        ranges.update(dict.fromkeys((layer.output, *layer.parts), same))
    made = target.with_name(f"{target.stem}_quantized.tflite")
    write_tflite(
        fused, made, "int8", ranges, "int8", quantized.kept, quantized.dense_per_tensor,
        quantized.weight_ranges,
    )  # fmt: skip
    model = flatbuffer.read(made)
    write_integers(model, [seen[layer.body] for layer in layers])
    with_resets(model)
    flatbuffer.write(model, target)
    for path in (fused, made):
        path.unlink()
