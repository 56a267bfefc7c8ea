"""Operators rewritten, before quantization, as others that have fast integer kernels.

Each form computes the same numbers in float. Calibrated files are made from the rewritten graph; all
others keep the operators as they are. So does a calibrated file where all operators of a form stay in float:
there the original ones are faster.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_converters.base import Array
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.cut_outputs import cut_apart
from edgekit_converters.tflite.flatbuffer import (
    ABS,
    ADD,
    CONCATENATION,
    HARD_SWISH,
    MAXIMUM,
    MUL,
    NEG,
    PRELU,
    RELU6_FUSED,
    SQUARE,
    TILE,
)
from edgekit_converters.tflite.logarithms import before_logarithms
from edgekit_converters.tflite.preprocessing import preprocessing
from edgekit_converters.tflite.variance import rewrite_variances

_MOST_COPIES = 8  # of a tensor that are operands of one operator


@dataclass(frozen=True, slots=True)
class Form:
    """Operators that were rewritten, and those that they are then, each by its first output's name."""

    original: tuple[str, ...]
    made: tuple[str, ...]
    """One behind the other; the last one has the name of the last original one."""


def integer_graph(graph: Path) -> tuple[Path, tuple[Form, ...]]:
    """Write the graph that calibrated files are made from, beside the float graph; return it and its forms.

    It is the float graph itself where there is nothing to rewrite.
    """
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    # A product with a constant would be more preprocessing, which stays in float.
    given = {flatbuffer.name(main.tensors[index]) for index in main.inputs}
    given.update(preprocessing(graph))
    given.update(before_logarithms(graph))
    operators: list[Any] = []
    cut = cut_apart(model)
    rewritten = rewrite_variances(model)
    for operator in main.operators:
        kind = flatbuffer.opcode(model, operator)
        made = [operator]
        if kind in _FORMS:
            x = main.tensors[operator.inputs[0]]
            if x.type == flatbuffer.FLOAT32 and flatbuffer.name(x) not in given:
                made = _FORMS[kind](model, operator)
        if made[0] is not operator:
            rewritten.append(([operator], made))
        operators += made
    if not rewritten and not cut:
        return graph, ()
    main.operators = operators
    target = graph.with_name("integer_graph.tflite")
    flatbuffer.write(model, target)
    return target, tuple(Form(_names(main, old), _names(main, new)) for old, new in rewritten)


def graph_with_kept(
    graph: Path, original: Path, forms: Iterable[Form], keep_float: Collection[str]
) -> tuple[Path, tuple[str, ...]]:
    """Return a graph without the forms that stay in float as a whole, and the operators that stay so in it.

    Args:
        graph: from ``integer_graph``, maybe with other constants. What is returned is a file beside it, one
            for each set of forms; or itself.
        original: the float graph that it was rewritten from.
        forms: from ``integer_graph``.
        keep_float: operators of ``graph``, by their first outputs.
    """
    kept = [form for form in forms if set(form.made) <= set(keep_float)]
    if not kept:
        return graph, tuple(keep_float)
    named = sha256(repr([form.made for form in kept]).encode()).hexdigest()[:16]
    target = graph.with_name(f"{graph.stem}_{named}.tflite")
    if not target.exists():
        _write_without_forms(graph, original, kept, target)
    made = {name for form in kept for name in form.made}
    rest = [name for name in keep_float if name not in made]
    return target, (*rest, *(name for form in kept for name in form.original))


def _write_without_forms(graph: Path, original: Path, forms: Sequence[Form], target: Path) -> None:
    """Write a graph with the original operators of some forms in their places.

    Rewriting adds tensors and kinds of operators behind those that there are, so that the numbers in an
    original operator mean the same in both files.
    """
    model, before = flatbuffer.read(graph), flatbuffer.read(original)
    main, theirs = model.subgraphs[0], before.subgraphs[0]
    by_name = dict(zip(_names(theirs, theirs.operators), theirs.operators, strict=True))
    original_of = {form.made[0]: form.original for form in forms}
    made = {name for form in forms for name in form.made}
    operators: list[Any] = []
    for name, operator in zip(_names(main, main.operators), main.operators, strict=True):
        if name in original_of:
            operators += [by_name[old] for old in original_of[name]]
        elif name not in made:
            operators.append(operator)
    main.operators = operators
    flatbuffer.write(model, target)


def _names(graph: Any, operators: Iterable[Any]) -> tuple[str, ...]:
    return tuple(flatbuffer.name(graph.tensors[o.outputs[0]]) for o in operators)


def _prelu(model: Any, operator: Any) -> list[Any]:
    """Return max(x, slope x), where no slope is above 1.

    In LiteRT it is as fast as a PReLU in float between a DEQUANTIZE and a QUANTIZE in small models, up to
    a fifth slower in larger ones, and as exact. The integer kernel of PRELU takes twice the time;
    relu(x) - slope relu(-x) takes that too, and rounds more often.
    """
    main = model.subgraphs[0]
    slope = flatbuffer.constant(model, main.tensors[operator.inputs[1]])
    if slope is None or slope.max() > 1:
        return [operator]
    factor = operator.inputs[1]
    if slope.size == 1:  # tf2onnx fails at a product with one value in an array of axes
        factor = _constant(model, operator, slope.reshape(()))
    return _maximum_with_product(model, operator, factor)


def _absolute(model: Any, operator: Any) -> list[Any]:
    """Return max(x, -x): LiteRT's plain integer kernel of ABS takes five times as long."""
    minus = _constant(model, operator, np.array(-1, np.float32))
    return _maximum_with_product(model, operator, minus)


def _negation(model: Any, operator: Any) -> list[Any]:
    """Return -1 x: TFLite negates no 8-bit integers. Layer normalization does it, of a mean."""
    minus = _constant(model, operator, np.array(-1, np.float32))
    return [flatbuffer.make_operator(model, MUL, [operator.inputs[0], minus], operator.outputs)]


def _square(model: Any, operator: Any) -> list[Any]:
    """Return x x: TFLite squares no 8-bit integers."""
    inputs = [operator.inputs[0], operator.inputs[0]]
    return [flatbuffer.make_operator(model, MUL, inputs, operator.outputs)]


def _tile(model: Any, operator: Any) -> list[Any]:
    """Return x joined to itself, once along each axis: upsampling tiles by 2 or so."""
    main = model.subgraphs[0]
    x, y = operator.inputs[0], main.tensors[operator.outputs[0]]
    multiples = flatbuffer.constant(model, main.tensors[operator.inputs[1]])
    if multiples is None or multiples.max() > _MOST_COPIES or multiples.max() == 1:
        return [operator]
    shape = list(flatbuffer.shape(main.tensors[x]))
    made = []
    axes = [int(axis) for axis in np.flatnonzero(multiples > 1)]
    for axis in axes:
        copies = int(multiples[axis])
        shape[axis] *= copies
        joined = operator.outputs[0]
        if axis != axes[-1]:
            joined = flatbuffer.add_tensor(model, f"{flatbuffer.name(y)}/axis_{axis}", shape)
        made.append(flatbuffer.make_operator(model, CONCATENATION, [x] * copies, [joined]))
        made[-1].builtinOptions.axis = axis
        x = joined
    return made


def _hard_swish(model: Any, operator: Any) -> list[Any]:
    """Return x (relu6(x + 3) / 6): the integer kernel of HARD_SWISH takes eight times as long in LiteRT.

    MobileNetV3Small has 19, and took twice the time. Keras writes it in the same way, and TFLiteConverter
    fuses it.
    """
    main = model.subgraphs[0]
    x, y = operator.inputs[0], main.tensors[operator.outputs[0]]
    name, shape = flatbuffer.name(y), flatbuffer.shape(y)
    shifted, gate = (
        flatbuffer.add_tensor(model, f"{name}/{part}", shape) for part in ("shifted", "gate")
    )
    three, sixth = (_constant(model, operator, np.array(value, np.float32)) for value in (3, 1 / 6))
    shift = flatbuffer.make_operator(model, ADD, [x, three], [shifted])
    shift.builtinOptions.fusedActivationFunction = RELU6_FUSED
    return [
        shift,
        flatbuffer.make_operator(model, MUL, [shifted, sixth], [gate]),
        flatbuffer.make_operator(model, MUL, [x, gate], operator.outputs),
    ]


def _maximum_with_product(model: Any, operator: Any, factor: int) -> list[Any]:
    """Return max(x, factor x), where ``factor`` is a tensor's index and x the operator's operand."""
    x, y = operator.inputs[0], model.subgraphs[0].tensors[operator.outputs[0]]
    product = flatbuffer.add_tensor(model, f"{flatbuffer.name(y)}/product", flatbuffer.shape(y))
    return [
        flatbuffer.make_operator(model, MUL, [x, factor], [product]),
        flatbuffer.make_operator(model, MAXIMUM, [x, product], operator.outputs),
    ]


def _constant(model: Any, operator: Any, value: Array) -> int:
    """Add a constant named after the operator's output; return its index."""
    y = model.subgraphs[0].tensors[operator.outputs[0]]
    return flatbuffer.add_tensor(model, f"{flatbuffer.name(y)}/factor", value.shape, value)


_FORMS = {
    ABS: _absolute,
    HARD_SWISH: _hard_swish,
    NEG: _negation,
    PRELU: _prelu,
    SQUARE: _square,
    TILE: _tile,
}
"""By ``BuiltinOperator``. A form that does not apply returns the operator itself."""
