"""ONNX files in every precision, made from the float TFLite file."""

import copy
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array, ConversionError, Job, Precision, Quantized, Writer
from edgekit_converters.onnx.edit import GraphEditor
from edgekit_converters.onnx.graph import OnnxGraph, loop_bodies, to_onnx
from edgekit_converters.onnx.qdq import quantize_like
from edgekit_converters.onnx.recurrent import integer_weight, recurrent_nodes
from edgekit_converters.onnx.recurrent_cells import GATES
from edgekit_converters.onnx.small import computed, make_small
from edgekit_converters.tflite.quantized_operators import read_operators

_MOST_GRAPHS = 2  # translated and kept: of corrected constants each recipe has its own
_PAGE = 4096  # bytes; a weight at a multiple of them can be mapped into memory
_BLOCK = 64_000_000  # bytes of a weight that are made contiguous at a time


def onnx_writer(job: Job) -> Writer:
    """Return a writer of ONNX files, with each float graph translated once for all of them."""
    source = to_onnx(job.graph, job.scratch, job.opset, job.outside)

    @lru_cache(_MOST_GRAPHS)
    def translated(graph: Path) -> OnnxGraph:
        return source if graph == job.graph else to_onnx(graph, job.scratch, job.opset)

    def write(target: Path, precision: Precision, quantized: Quantized | None) -> None:
        if quantized is not None:
            pairs = read_operators(quantized.graph, quantized.file)
            _save(quantize_like(translated(quantized.graph), pairs, job.interface), target)
        elif precision == "float32":
            _save(source.model, target, source.outside)
        elif precision == "float16":
            _save(_halved(source.model), target)
        else:
            _quantize_weights(source.model, target)

    graph = source.model.graph
    operators = [node.op_type for node in recurrent_nodes(graph)]
    return Writer(write, len(loop_bodies(graph)), tuple(operators))


def mark_onnx(path: Path, words: str) -> None:
    """Write words into an ONNX file, as its doc string."""
    import onnx

    proto = onnx.load(str(path), load_external_data=False)
    proto.doc_string = words
    onnx.save(proto, str(path))


def add_onnx_metadata(path: Path, name: str, text: str) -> None:
    """Write a text into an ONNX file, as an entry of ``metadata_props``.

    It is appended: Protocol Buffers reads two messages after another as one with the fields of both.
    """
    import onnx

    entry = onnx.ModelProto()
    onnx.helper.set_model_props(entry, {name: text})
    with path.open("ab") as file:
        file.write(entry.SerializeToString())


def data_file(target: Path) -> Path:
    """Return the path of the file of weights beside an ONNX file, where they are too large to be in it."""
    return target.with_name(f"{target.name}.data")


def _save(model: Any, target: Path, outside: Mapping[str, Array] | None = None) -> None:
    """Save the model, and the values of initializers that are outside it in a file beside it."""
    import onnx
    from onnx.external_data_helper import set_external_data

    if outside:
        model = copy.deepcopy(model)
        with data_file(target).open("wb") as file:
            for tensor in model.graph.initializer:
                if (value := outside.get(tensor.name)) is None:
                    continue
                file.seek(-file.tell() % _PAGE, os.SEEK_CUR)
                offset = file.tell()
                for rows in np.array_split(value, max(1, value.nbytes // _BLOCK)):
                    file.write(np.ascontiguousarray(rows).data)
                tensor.raw_data = b""  # set_external_data asks for some
                set_external_data(tensor, data_file(target).name, offset, value.nbytes)
                tensor.ClearField("raw_data")
    onnx.save(model, str(target))
    if outside:
        onnx.checker.check_model(str(target))


def _halved(model: Any) -> Any:
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    # Inputs and outputs stay float32: float16 is how weights are stored, not what a user passes.
    halved = convert_float_to_float16(
        copy.deepcopy(model), keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *GATES]
    )

    def halve(graph: GraphEditor, value: Array) -> str:
        half = graph.shared(value.astype(np.float16))
        return graph.node("Cast", [half], attributes={"to": onnx.TensorProto.FLOAT})

    _replace_weights(halved, halve)
    GraphEditor(halved.graph).finish()  # its Casts come last, and ONNX wants nodes in order
    make_small(halved, computed(model))
    return halved


def _quantize_weights(model: Any, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    cells = recurrent_nodes(model.graph)
    try:
        # Unsigned weights: signed ones saturate on x86 without VNNI (see ``qdq``).
        quantize_dynamic(
            copy.deepcopy(model),
            str(target),
            weight_type=QuantType.QUInt8,
            per_channel=True,
            nodes_to_exclude=[node.name for node in cells],
            extra_options={"EnableSubgraph": True},  # the loops that are left
        )
    except (ValueError, RuntimeError) as error:
        raise ConversionError(
            f"dynamic: ONNX Runtime cannot quantize this graph: {error}"
        ) from error

    def quantize(graph: GraphEditor, value: Array) -> str:
        scales = np.maximum(np.abs(value).max(axis=(0, 2)), 1e-12).astype(np.float32) / 127
        integers = np.round(value / scales[:, np.newaxis]).astype(np.int8)
        return integer_weight(graph, integers, scales)

    quantized = onnx.load(str(target))
    _replace_weights(quantized, quantize)
    for number, body in enumerate(loop_bodies(quantized.graph), 1):
        GraphEditor(body).number(number)
    make_small(quantized, computed(model))
    quantized.producer_name = model.producer_name
    del quantized.metadata_props[:]  # that shapes were inferred
    quantized.metadata_props.extend(model.metadata_props)
    onnx.save(quantized, str(target))


def _replace_weights(model: Any, replacement: Callable[[GraphEditor, Array], str]) -> None:
    """Store the weights of recurrent operators in another type; they compute in float32 only."""
    from onnx import numpy_helper

    graph = GraphEditor(model.graph)
    values = {i.name: i for i in model.graph.initializer}
    made: dict[str, str] = {}
    for node in recurrent_nodes(model.graph):
        for position in (1, 2):
            name = node.input[position]
            if name not in made:
                made[name] = replacement(graph, numpy_helper.to_array(values[name]))
            node.input[position] = made[name]
    if made:
        graph.finish()
