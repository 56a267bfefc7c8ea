"""What a quantized ONNX file can do without: in a small one it outweighs the weights."""

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import count
from typing import Any

from edgekit_converters.onnx.qdq_writer import UNQUANTIZED

_PAIR = ("QuantizeLinear", "DequantizeLinear")

_ONES = {
    "Conv": ("strides", "dilations"),
    "ConvTranspose": ("strides", "dilations"),
    "MaxPool": ("strides", "dilations"),
    "AveragePool": ("strides",),
}
"""Attributes that are 1 along each axis by default, which the schemas say in words alone."""


def make_small(model: Any, layers: Collection[str]) -> None:
    """Take from a quantized ``ModelProto`` what no runtime needs.

    A layer's name is written once, as its node's, and not as that of what the node makes, which others
    repeat to read it: values and constants are numbers, but for inputs and outputs. Attributes that say
    what is so by default go too.

    Args:
        model: it is changed.
        layers: the names of what the float model computes.
    """
    graph, known = model.graph, set(layers)
    _drop_defaults(model)
    _name_nodes(graph, known)
    _number_values(graph, known)
    del graph.value_info[:]
    model.producer_version = ""  # of tf2onnx


def computed(model: Any) -> list[str]:
    """Return the names of what a float model computes."""
    return [port for node in model.graph.node for port in node.output]


def _drop_defaults(model: Any) -> None:
    from onnx import defs, helper

    versions = {entry.domain: entry.version for entry in model.opset_import}
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.domain or not defs.has(node.op_type, node.domain):
                continue
            known = defs.get_schema(node.op_type, versions[node.domain], node.domain).attributes
            for attribute in list(node.attribute):
                value = helper.get_attribute_value(attribute)
                default = getattr(known.get(attribute.name), "default_value", None)
                stated = default is not None and default.type == attribute.type
                is_one = attribute.name in _ONES.get(node.op_type, ()) and set(value) == {1}
                if is_one or (stated and helper.get_attribute_value(default) == value):
                    node.attribute.remove(attribute)


def _graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph, and those in its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _name_nodes(graph: Any, layers: set[str]) -> None:
    """Call each node that computes a layer after it, and no other node."""
    ends = {output.name for output in graph.output}
    for node in graph.node:
        made = _first(node)
        if made not in ends and made not in layers:
            made = made.removesuffix(UNQUANTIZED)
        is_layer = made in layers and node.op_type not in _PAIR
        node.name = made if is_layer else ""


def _first(node: Any) -> str:
    """Return the name of the first value that a node makes: one that nothing reads may have none."""
    return str(next(filter(None, node.output)))


def _number_values(graph: Any, layers: set[str]) -> None:
    """Name what is no input and no output by numbers, of which the most read get the shortest.

    Layers that a node makes beside its first one keep their names: the node cannot have those too.
    """
    kept = {value.name for value in (*graph.input, *graph.output)}
    for node in graph.node:
        kept.update(port for port in node.output if port in layers and port != _first(node))
    used: Counter[str] = Counter(initializer.name for initializer in graph.initializer)
    for node in graph.node:
        used.update(node.output)
    own = set(used)
    for inner in _graphs(graph):
        used.update(port for node in inner.node for port in node.input if port in own)
    free = (str(n) for n in count(1) if str(n) not in kept)
    names = {name: next(free) for name, _ in used.most_common() if name and name not in kept}
    for inner in _graphs(graph):
        for node in inner.node:
            for ports in (node.input, node.output):
                for i, port in enumerate(ports):
                    ports[i] = names.get(port, port)
    for node in graph.node:
        if not node.name and node.op_type not in _PAIR:
            node.name = _first(node)  # by which a runtime says what it ran
    for initializer in graph.initializer:
        initializer.name = names.get(initializer.name, initializer.name)
