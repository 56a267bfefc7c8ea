"""TensorFlow operators that TFLite lacks, written as others that compute the same.

It is done in TensorFlow's graph, before its converter sees it, wherever the operator comes from: a Keras
layer, ``keras.ops`` or a SavedModel.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from edgekit_converters.base import Array


def with_known_operators(function: Any, graph: Any) -> Any:
    """Return a frozen function, with the operators that ``_FORMS`` has written as others.

    Args:
        function: the concrete function, without variables.
        graph: its GraphDef.
    """
    import tensorflow as tf

    if not has_other_form(node.op for node in graph.node):
        return function
    names = [tensor.op.name for tensor in function.inputs]
    ends = [tensor.name for tensor in function.outputs]

    def rebuilt(*inputs: Any) -> list[Any]:
        build = _Rebuilding(graph, dict(zip(names, inputs, strict=True)))
        return [build(name) for name in ends]

    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.op.name) for tensor in function.inputs
    ]
    return tf.compat.v1.wrap_function(rebuilt, specs)


def has_other_form(kinds: Iterable[str]) -> bool:
    """Return whether any operator of these kinds is written as others, in a frozen function."""
    return any(kind in _FORMS for kind in kinds)


class _Rebuilding:
    """A GraphDef that is built again, part by part, up to the tensors that are asked for."""

    def __init__(self, graph: Any, inputs: Mapping[str, Any]) -> None:
        self._nodes = {node.name: node for node in graph.node}
        self._graph = graph
        self._made: dict[str, list[Any]] = {name: [tensor] for name, tensor in inputs.items()}

    def __call__(self, tensor: str) -> Any:
        """Return the tensor of a name like ``layer/Relu:0``."""
        import tensorflow as tf

        name, number = _port(tensor)
        waiting = self._below(name)
        plain: list[str] = []
        for one in waiting:
            node = self._nodes[one]
            if node.op in _FORMS:
                self._copy(plain)
                plain = []
                operands = [self._made[n][i] for n, i in map(_port, _inputs(node))]
                with tf.name_scope(f"{one}/"):  # as the operator, for the sake of its layer
                    made = _FORMS[node.op](node, operands)
                if made is not None:
                    self._made[one] = [made]
                    continue
            plain.append(one)
        self._copy(plain)
        return self._made[name][number]

    def _below(self, name: str) -> list[str]:
        """Return the nodes that a node needs, itself included, and that are not made; in order."""
        order: dict[str, None] = {}
        stack = [name]
        while stack:
            one = stack[-1]
            missing = [
                n
                for n, _ in map(_port, _inputs(self._nodes[one]))
                if n not in order and n not in self._made
            ]
            if one in order or one in self._made or not missing:
                stack.pop()
                if one not in self._made:
                    order[one] = None
            else:
                stack += missing
        return list(order)

    def _copy(self, names: Sequence[str]) -> None:
        """Import nodes as they are; those that they read are made, or among them."""
        import tensorflow as tf

        if not names:
            return
        versions, functions = attrgetter("versions", "library")(self._graph)
        part = tf.compat.v1.GraphDef(versions=versions, library=functions)
        known = {}
        for name in names:
            node = part.node.add()
            node.CopyFrom(self._nodes[name])
            node.attr.pop(
                "_class", None
            )  # a wish to lie beside a node, which may be in another part
            del node.input[:]  # what has to happen before, as an assertion, is left out
            node.input.extend(_inputs(self._nodes[name]))
            for port in node.input:
                above, number = _port(port)
                if above in self._made:
                    known[port] = self._made[above][number]
        made = tf.import_graph_def(part, input_map=known, return_elements=list(names), name="")
        self._made.update((name, list(op.outputs)) for name, op in zip(names, made, strict=True))


def _inputs(node: Any) -> list[str]:
    return [port for port in node.input if not port.startswith("^")]


def _port(tensor: str) -> tuple[str, int]:
    name, _, number = tensor.partition(":")
    return name, int(number or 0)


def _pooling(node: Any, operands: Sequence[Any]) -> Any:
    """Pool height and width of each plane, then depth: maxima, and means of what is not padding, separate."""
    import tensorflow as tf

    (x,) = operands
    pool = tf.nn.max_pool2d if node.op == "MaxPool3D" else tf.nn.avg_pool2d
    _, depth, height, width, _ = node.attr["ksize"].list.i
    _, *strides, _ = node.attr["strides"].list.i
    padding = node.attr["padding"].s.decode()
    batch, planes, *rest = x.shape
    y = tf.reshape(x, (batch * planes, *rest))
    y = pool(y, (height, width), strides[1:], padding)
    _, *size, channels = y.shape
    y = tf.reshape(y, (batch, planes, size[0] * size[1], channels))
    y = pool(y, (depth, 1), (strides[0], 1), padding)
    return tf.reshape(y, (batch, y.shape[1], *size, channels))


def _sign_bits(node: Any, operands: Sequence[Any]) -> Any:  # noqa: ARG001
    """Return 0: Keras asks for the sign of zeros, to put -0.0 before 0.0 in an argmax; NumPy does not."""
    import tensorflow as tf

    return tf.zeros_like(operands[0]) if operands[0].op.type == "Bitcast" else None


def _resizing(node: Any, operands: Sequence[Any]) -> Any:
    """Multiply by the matrices of a resizing, which is linear, along height and along width."""
    import tensorflow as tf

    x = operands[0]
    found, *constants = _on_zeros(x.graph, operands)
    x.set_shape(found.shape)  # TensorFlow cannot tell it behind a choice between two paddings
    for axis in (1, 2):
        matrix = _matrix(node, x.shape[axis], axis, constants)
        x = tf.tensordot(x, tf.constant(matrix.T), [[axis], [0]])  # the new axis is the last
        x = tf.transpose(x, (0, 3, 1, 2) if axis == 1 else (0, 1, 3, 2))
    return x


def _on_zeros(graph: Any, tensors: Sequence[Any]) -> list[Array]:
    """Return what tensors of a graph are in a call on zeros: shapes and sizes are the same in all calls."""
    import tensorflow as tf

    inputs = [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]
    zeros = {one.name: np.zeros(one.shape, one.dtype.as_numpy_dtype) for one in inputs}
    with tf.compat.v1.Session(graph=graph) as session:
        return list(session.run(list(tensors), zeros))


def _matrix(node: Any, size: int, axis: int, constants: Sequence[Array]) -> Array:
    """Return the matrix, of (new size, size), of a resizing along one axis.

    It is what the resizing makes of each unit vector.
    """
    import tensorflow as tf

    chosen = np.array([1, 1])
    chosen[axis - 1] = 0
    values = []
    for value in constants:
        other = np.array(value)
        if other.shape == (2,):  # a size or a scale is 1 along the other axis, a translation is 0
            other[chosen == 1] = 0 if value is constants[-1] and len(constants) == 3 else 1
        values.append(other)
    shape = (size, size, 1, 1) if axis == 1 else (size, 1, size, 1)
    attributes = {
        key: node.attr[key].s.decode()
        if node.attr[key].WhichOneof("value") == "s"
        else node.attr[key].b
        for key in node.attr
        if node.attr[key].WhichOneof("value") in ("s", "b") and not key.startswith("_")
    }
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        units = np.eye(size, dtype=np.float32).reshape(shape)
        kernel: Callable[..., Any] = getattr(tf.raw_ops, node.op)
        names = _OPERANDS[node.op]
        made = kernel(images=units, **dict(zip(names, values, strict=True)), **attributes)
        return np.asarray(session.run(made)).reshape(size, -1).T


def _counts(node: Any, operands: Sequence[Any]) -> Any:
    """Return how often each class occurs in a row, or whether it does, from one row of classes a value."""
    import tensorflow as tf

    values, size, weights = operands
    count = _classes(size)
    if count is None or weights.shape.num_elements() != 0:
        return None
    rows = tf.one_hot(values, count, dtype=weights.dtype)
    over = tf.reduce_max if node.attr["binary_output"].b else tf.reduce_sum
    return over(rows, axis=-2)


def _classes(size: Any) -> int | None:
    """Return how many classes are counted: min(most, max(least, largest value + 1)), where both are one number."""
    import tensorflow as tf

    if size.op.type != "Minimum":
        return tf.get_static_value(size)  # type: ignore[no-any-return]
    most, inner = size.op.inputs
    bounds = [tf.get_static_value(part) for part in (most, *inner.op.inputs)]
    if bounds[0] is None or not any(b is not None and b >= bounds[0] for b in bounds[1:]):
        return None
    return int(bounds[0])


_OPERANDS = {
    "ResizeBicubic": ("size",),
    "ResizeArea": ("size",),
    "ScaleAndTranslate": ("size", "scale", "translation"),
}
_FORMS: dict[str, Callable[[Any, Sequence[Any]], Any]] = {
    "MaxPool3D": _pooling,
    "AvgPool3D": _pooling,
    "BitwiseAnd": _sign_bits,
    "DenseBincount": _counts,
    **dict.fromkeys(_OPERANDS, _resizing),
}
"""By operator: a function of its node and operands; None: this one stays as it is."""
