"""TFLite files in every precision, made from the float graph by LiteRT Quantizer.

It gets the ranges from ``calibration``: those that it would calibrate itself are moving averages of the
extremes, which cost up to 10 dB.
"""

import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import (
    CALIBRATED,
    Array,
    ConversionError,
    InterfaceType,
    Job,
    Precision,
    Quantized,
    Writer,
)
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.calibration import Ranges
from edgekit_converters.tflite.logarithms import before_logarithms
from edgekit_converters.tflite.loops import count_loops, find_loops, weight_products
from edgekit_converters.tflite.preprocessing import preprocessing
from edgekit_converters.tflite.small import make_small
from edgekit_converters.tflite.stand_ins import restore, with_stand_ins

_DIV = 42
"""It stays in float: LiteRT has no int8 kernel before 1.4, and every one since, up to 2.3, takes the quotient of
the integer -1 and a larger one for the lowest value there is (16 dB, where 35 are to be had)."""


def tflite_writer(job: Job) -> Writer:
    """Return a writer of TFLite files; those of calibrated precisions are copies of ``quantized``."""

    def write(target: Path, precision: Precision, quantized: Quantized | None) -> None:
        if quantized is None:
            write_tflite(job.graph, target, precision)
        if precision == "float32":
            return
        model = flatbuffer.read(target if quantized is None else quantized.file)
        make_small(model, layers)
        flatbuffer.write(model, target)

    main = flatbuffer.read(job.graph).subgraphs[0]
    layers = [flatbuffer.name(tensor) for tensor in main.tensors]
    return Writer(write, loops=count_loops(job.graph))


def mark_tflite(path: Path, words: str) -> None:
    """Write words into a TFLite file, as its description."""
    model = flatbuffer.read(path)
    model.description = words.encode()
    flatbuffer.write(model, path)


def add_tflite_metadata(path: Path, name: str, text: str) -> None:
    """Write a text into a TFLite file, as a buffer that its ``metadata`` names."""
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.read(path)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    entry.name, entry.buffer = name.encode(), len(model.buffers)
    model.buffers = [*model.buffers, buffer]
    model.metadata = [*(model.metadata or []), entry]
    flatbuffer.write(model, path)


def write_tflite(
    graph: Path,
    target: Path,
    precision: Precision,
    ranges: Ranges | None = None,
    interface: InterfaceType = "float",
    keep_float: Collection[str] = (),
    dense_per_tensor: bool = False,
    weight_ranges: Mapping[str, Array] | None = None,
) -> None:
    """Write the float graph as TFLite in ``precision``.

    Args:
        graph: the float TFLite file.
        target: the file to write.
        precision: see ``Precision``.
        ranges: by tensor name; needed where the precision is calibrated.
        interface: the dtype of a calibrated file's inputs and outputs.
        keep_float: the operators of a calibrated file that compute in float32, by their first outputs.
        dense_per_tensor: whether the weights of FULLY_CONNECTED have one scale, not one for each output.
        weight_ranges: the largest magnitude that the integers of a calibrated file's weight can hold,
            which is 127 scales, by tensor name; one a channel, in the weight's shape with the other axes
            of length 1. By default the largest that the weight has: a weight that was rounded to a grid
            loses its scale by that, wherever rounding moved its largest value.

    Raises:
        ConversionError: LiteRT Quantizer does not support an operator in this precision.
    """
    if precision == "float32":
        shutil.copyfile(graph, target)
        return
    if precision in CALIBRATED and not ranges:
        raise ConversionError(f"{precision} needs the ranges of all tensors, from ranges_over.")
    from litert_quantizer import quantizer

    stand_ins = with_stand_ins(graph, bits_of(precision)) if precision in CALIBRATED else None
    made = quantizer.Quantizer(stand_ins or str(graph))
    made.load_quantization_recipe(
        _instructions(graph, precision, interface, keep_float, dense_per_tensor)
    )
    # Scalars: the scale of an array of one would not fit a constant that shares it (CONCATENATION).
    statistics = {
        name: {"min": np.array(low, np.float32), "max": np.array(high, np.float32)}
        for name, (low, high) in (ranges or {}).items()
    }
    for name, most in (weight_ranges or {}).items():
        statistics[name] = {
            "min": -np.asarray(most, np.float32),
            "max": np.asarray(most, np.float32),
        }
    try:
        result = made.quantize(
            statistics if precision in CALIBRATED else None, enable_progress_report=False
        )
    except (ValueError, RuntimeError, KeyError, IndexError) as error:
        raise ConversionError(
            f"{precision}: LiteRT Quantizer refuses this graph: {str(error).splitlines()[0]}"
        ) from error
    assert result.quantized_model is not None
    target.write_bytes(bytes(result.quantized_model))
    model = flatbuffer.read(target)
    flatbuffer.number_loops(model)
    if stand_ins:
        restore(graph, model)
    if precision in CALIBRATED:
        _repair(graph, model)
        _forget_unread(model)
    flatbuffer.write(model, target)


def _instructions(
    graph: Path,
    precision: Precision,
    interface: InterfaceType,
    kept: Collection[str],
    dense_per_tensor: bool,
) -> Any:
    """Return the quantizer's instructions, of which a later one overrules an earlier one."""
    from litert_quantizer import qtyping, recipe_manager
    from litert_quantizer.algorithm_manager import AlgorithmName

    operation = qtyping.TFLOperationName
    recipes = recipe_manager.RecipeManager()

    def keep_float(scope: str, kind: Any = operation.ALL_SUPPORTED) -> None:
        recipes.add_quantization_config(scope, kind, algorithm_key=AlgorithmName.NO_QUANTIZE)

    if precision == "float16":
        recipes.add_weight_only_config(
            ".*", operation.ALL_SUPPORTED, 16, algorithm_key=AlgorithmName.FLOAT_CASTING
        )
    elif precision == "dynamic":
        recipes.add_dynamic_config(".*", operation.ALL_SUPPORTED, 8)
    else:
        bits = bits_of(precision)
        recipes.add_static_config(".*", operation.ALL_SUPPORTED, bits, 8)
        if dense_per_tensor:
            granularity = qtyping.QuantGranularity.TENSORWISE
            recipes.add_static_config(".*", operation.FULLY_CONNECTED, bits, 8, granularity)
        if interface == "float":
            keep_float(".*", operation.INPUT)
            keep_float(".*", operation.OUTPUT)
            for name in preprocessing(graph):
                keep_float(_scope([name]))
        for name in before_logarithms(graph):
            keep_float(_scope([name]))
        model = flatbuffer.read(graph)
        for inside in model.subgraphs[1:]:
            keep_float(f"^{re.escape(flatbuffer.name(inside))}/")
        for loop in find_loops(model):
            tensors = model.subgraphs[loop.body].tensors
            for product in weight_products(model, loop):
                names = [flatbuffer.name(tensors[index]) for index in product.outputs]
                recipes.add_static_config(_scope(names), operation.ALL_SUPPORTED, bits, 8)
        main = model.subgraphs[0]
        for operator in main.operators:
            names = [flatbuffer.name(main.tensors[index]) for index in operator.outputs]
            if names[0] in kept or flatbuffer.opcode(model, operator) == _DIV:
                keep_float(_scope(names))
    return recipes.get_quantization_recipe()


def bits_of(precision: Precision) -> int:
    """Return the bits of activations in a calibrated precision."""
    return 16 if precision == "int16x8" else 8


def _scope(outputs: list[str]) -> str:
    """Return the regular expression for an operator: its outputs' names, each with a semicolon."""
    return f"^{re.escape(''.join(f'{name};' for name in outputs))}$"


def _repair(graph: Path, model: Any) -> None:
    """Restore the names of inputs and outputs, and quantize what the quantizer left in float.

    It calls a float output ``name_dequant``; an operator that reads an output of the graph gets it in
    float, and computes nonsense in integers; and an operator's output that nothing reads (the first
    forget gate of an unrolled LSTM) stays in float, which XNNPACK refuses to run.
    """
    floats = flatbuffer.read(graph).subgraphs[0]
    names = [
        [flatbuffer.name(floats.tensors[i]) for i in ends]
        for ends in (floats.inputs, floats.outputs)
    ]
    main = model.subgraphs[0]
    integers = {
        op.outputs[0]: op.inputs[0]
        for op in main.operators
        if flatbuffer.opcode(model, op) == flatbuffer.DEQUANTIZE and op.outputs[0] in main.outputs
    }
    for operator in main.operators:
        result = main.tensors[operator.outputs[0]]
        quantized = result.type != flatbuffer.FLOAT32 and result.quantization is not None
        moved = any(index in integers for index in operator.inputs)
        if moved and quantized and flatbuffer.opcode(model, operator) != flatbuffer.QUANTIZE:
            operator.inputs = [integers.get(index, index) for index in operator.inputs]
    read = {i for op in main.operators for i in op.inputs} | set(main.outputs)
    for operator in main.operators:
        if flatbuffer.opcode(model, operator) == flatbuffer.WHILE:
            continue  # its outputs have nothing in common
        used = [main.tensors[i] for i in operator.outputs if i in read]
        for index in set(operator.outputs) - read:
            if (
                used and main.tensors[index].type == flatbuffer.FLOAT32
            ):  # the type of those beside it
                main.tensors[index].type = used[0].type
                main.tensors[index].quantization = used[0].quantization
    flatbuffer.rename_ends(model, *names)


def _forget_unread(model: Any) -> None:
    """Remove the values of constants that no operator reads: those that a rewritten operator had."""
    for graph in model.subgraphs:
        read = {
            *graph.outputs,
            *(index for operator in graph.operators for index in operator.inputs),
        }
        for index, tensor in enumerate(graph.tensors):
            if index not in read:
                tensor.buffer = 0
