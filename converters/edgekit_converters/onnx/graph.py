"""The float graph as ONNX, with the tensor names of the TFLite file.

tf2onnx reads the float TFLite file without its weights (see ``lifting``). What it renames and merges is
undone (see ``rewrites``), so that one table of ranges fits both files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from edgekit_converters.base import Array, ConversionError
from edgekit_converters.onnx.edit import rename_values
from edgekit_converters.onnx.lifting import lift_weights
from edgekit_converters.onnx.order import settle
from edgekit_converters.onnx.pads import keep_zeros_before_max_pools
from edgekit_converters.onnx.recurrent import write_cells
from edgekit_converters.onnx.recurrent_match import Cells, find_cells
from edgekit_converters.onnx.rewrites import (
    copy_unchanged_outputs,
    expand_bucketize,
    expand_gelu,
    forget_scalar_shapes,
    merge_gemm,
    name_linear_values,
)
from edgekit_converters.onnx.weights import Weight, find_weights, put_back
from edgekit_converters.tflite import flatbuffer

DEFAULT_OPSET = 17
OPSETS = range(13, 19)
"""Per-channel QuantizeLinear begins with 13; tf2onnx ends with 18."""

PRODUCER = "edgekit"


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A float ONNX model, and the TFLite tensors that its initializers were."""

    model: Any
    weights: Mapping[str, Weight]
    outside: Mapping[str, Array] = field(default_factory=dict)
    """The values of initializers too large to be in the model: they go into a file beside it."""


def to_onnx(
    graph: Path,
    scratch: Path,
    opset: int = DEFAULT_OPSET,
    outside: Mapping[str, Array] | None = None,
) -> OnnxGraph:
    """Translate the float TFLite file to an ONNX model.

    Args:
        graph: the float TFLite file.
        scratch: a folder for the file without weights.
        opset: one of ``OPSETS``.
        outside: weights that the file takes as inputs, by name, from ``write_float_graph``.

    Raises:
        ConversionError: tf2onnx has no translation for an operator.
    """
    if opset not in OPSETS:
        raise ConversionError(f"opset {opset}: choose {OPSETS[0]} to {OPSETS[-1]}.")
    bare = scratch / "without_weights.tflite"
    # With weights outside, a loop reads them from there, and cannot be recognized by its constants.
    cells = Cells({}) if outside else find_cells(graph)
    lifted, ends, shapes = lift_weights(graph, bare, cells)
    try:
        model = _translate(bare, opset)
    except Exception as error:  # tf2onnx raises ValueError, KeyError, AttributeError, ...
        raise ConversionError(f"tf2onnx cannot translate this graph: {error}") from error
    finally:
        bare.unlink(missing_ok=True)
    forget_scalar_shapes(model.graph)
    expand_gelu(model.graph)
    expand_bucketize(model.graph)
    name_linear_values(model.graph, shapes)
    weights, values = put_back(model.graph, lifted, outside or {})
    merge_gemm(model.graph, weights, shapes)
    weights.update(write_cells(model.graph, cells))
    _refuse_unknown(model.graph)
    _tidy_loops(model.graph, graph, weights)
    for part in (model.graph, *loop_bodies(model.graph)):
        keep_zeros_before_max_pools(part)
    names = settle(model.graph, _names(graph))
    weights = {names.get(name, name): weight for name, weight in weights.items()}
    values = {names.get(name, name): value for name, value in values.items()}
    if [o.name for o in model.graph.output] != ends:
        raise ConversionError(f"tf2onnx renamed the outputs {ends}.")
    model.producer_name = PRODUCER
    model.ir_version = min(model.ir_version, 8)  # nothing in it is of a later one
    if not values:  # else the file is checked, once it is written
        _check(model, opset)
    return OnnxGraph(model, weights, values)


def _translate(bare: Path, opset: int) -> Any:
    from tf2onnx import optimizer, tfonnx

    # It would merge a dense layer with any addition that follows, and lose the tensor between
    # them, which has a scale. ``merge_gemm`` merges only the bias.
    tfonnx.rewrite_gemm = lambda graph, operators: operators
    _mend_squares()
    translated = tfonnx.process_tf_graph(None, opset=opset, tflite_path=str(bare))
    return optimizer.optimize_graph(translated).make_model(PRODUCER)


def _names(graph: Path) -> list[str]:
    """Return the names of a TFLite file's graphs and tensors."""
    return [
        flatbuffer.name(named)
        for part in flatbuffer.read(graph).subgraphs
        for named in (part, *part.tensors)
        if named.name is not None
    ]


@cache
def _mend_squares() -> None:
    """Have tf2onnx keep account of shapes where it moves a change of layout behind a square.

    It keeps the square's old shape, takes the change for one that moves nothing where the old height is 1,
    and drops it: a Conv1D, squared, came out in the wrong order (tf2onnx 1.17).
    """
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    handle = TransposeOptimizer._mul_handler

    def handle_with_shape(self: Any, transpose: Any, node: Any) -> bool:
        shape = self._g.get_shape(transpose.input[0])
        is_square = node.input[0] == node.input[1]
        done = bool(handle(self, transpose, node))
        if done and is_square and shape is not None:
            self._g.set_shape(node.output[0], shape)
        return done

    TransposeOptimizer._mul_handler = handle_with_shape


def _check(model: Any, opset: int) -> None:
    """Refuse a model that is none, as one with operators of a later opset."""
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        later = re.search(r"No Op registered for (\w+)", str(error))
        remedy = (
            f"Choose opset={OPSETS[-1]}, or" if opset < OPSETS[-1] else "Compute it outside, or"
        )
        raise ConversionError(
            f"the model computes {later[1]}, which ONNX lacks in opset {opset}. {remedy} convert to TFLite "
            "alone."
            if later
            else f"ONNX's checker refuses the translated graph: {str(error).splitlines()[0]}"
        ) from error


def _refuse_unknown(graph: Any) -> None:
    """Refuse operators that tf2onnx left as TFLite's, in loops too."""
    for node in (node for part in (graph, *loop_bodies(graph)) for node in part.node):
        if node.op_type.startswith("TFL_"):
            kind = node.op_type.removeprefix("TFL_")
            raise ConversionError(
                f"{node.output[0]!r} is computed by {kind}, which ONNX has no operator for that edgekit "
                "knows. Convert to TFLite alone, or compute it outside the model."
            )


def loop_bodies(graph: Any) -> list[Any]:
    """Return the bodies of a graph's loops; each has the name of the TFLite graph that it was."""
    return [
        attribute.g
        for node in graph.node
        if node.op_type == "Loop"
        for attribute in node.attribute
        if attribute.HasField("g")
    ]


def _tidy_loops(graph: Any, source: Path, weights: dict[str, Weight]) -> None:
    """Rewrite the bodies of loops as the main graph, and add their weights to ``weights``.

    tf2onnx puts the name of a loop's graph before the names of its inputs.
    """
    model = flatbuffer.read(source)
    bodies = loop_bodies(graph)
    for inside in model.subgraphs[1:]:
        name = flatbuffer.name(inside)
        prefix = f"{name}_"
        for body in bodies:
            ports = [
                value.name for value in body.input if value.name.startswith(f"{prefix}{name}/")
            ]
            if not ports:
                continue
            body.name = name
            rename_values(body, {port: port.removeprefix(prefix) for port in ports})
            shapes = {flatbuffer.name(t): flatbuffer.shape(t) for t in inside.tensors}
            name_linear_values(body, shapes)
            copy_unchanged_outputs(body)
            constants = {
                flatbuffer.name(tensor): value
                for tensor in inside.tensors
                if (value := flatbuffer.constant(model, tensor)) is not None
            }
            inner = find_weights(body, constants)
            weights.update(inner)
            merge_gemm(body, inner, shapes)
