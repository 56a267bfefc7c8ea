"""One order of nodes and initializers, and one numbering: the same bytes from the same model.

tf2onnx keeps nodes in sets, whose order follows addresses in memory, and numbers what it makes by a
counter that goes on from one conversion to the next: ``Transpose__34``. Here nodes follow each other as
the outputs need them, and numbers begin anew.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from edgekit_converters.onnx.edit import rename_values, sort_nodes

_NUMBER = re.compile(r"__(\d+)")


def settle(graph: Any, keep: Iterable[str]) -> dict[str, str]:
    """Order an ONNX graph, and the bodies of its loops, and number its names anew.

    Args:
        graph: the graph.
        keep: names that stay as they are, whatever numbers they have.

    Returns:
        The new names, by the old ones, where they differ.
    """
    _order(graph)
    kept = set(keep)
    taken = {number for name in kept for number in _NUMBER.findall(name)}
    free = (str(n) for n in count(1) if str(n) not in taken)
    numbers: dict[str, str] = {}
    names: dict[str, str] = {}
    for name in _names(graph):
        if name not in kept and name not in names:
            names[name] = _NUMBER.sub(
                lambda found: (
                    f"__{numbers.get(found[1]) or numbers.setdefault(found[1], next(free))}"
                ),
                name,
            )
    _rename(graph, names)
    return {old: new for old, new in names.items() if old != new}


def _order(graph: Any) -> None:
    """Put nodes, initializers and attributes in order; leave out what no output needs."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _order(attribute.g)
    nodes = list(graph.node)
    known = {value.name for value in (*graph.input, *graph.initializer)}
    order = sort_nodes(nodes, known, [output.name for output in graph.output])
    for node in order:
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
    ends = [output.name for output in graph.output]
    used = {port: place for place, port in reversed(list(enumerate([*_ports(order), *ends])))}
    initializers = [i for i in graph.initializer if i.name in used]
    initializers.sort(key=lambda initializer: used[initializer.name])
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(order)
    graph.initializer.extend(initializers)


def _ports(nodes: Iterable[Any]) -> Iterator[str]:
    """Yield the values that nodes read, in bodies too, in order."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _ports(attribute.g.node)


def _names(graph: Any) -> Iterator[str]:
    yield from (value.name for value in graph.input)
    for node in graph.node:
        yield from (*node.output, *node.input, node.name)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g.name
                yield from _names(attribute.g)
    yield from (value.name for value in (*graph.output, *graph.initializer))


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    rename_values(graph, names)
    for holder in (*graph.initializer, *graph.node):
        holder.name = names.get(holder.name, holder.name)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                attribute.g.name = names.get(attribute.g.name, attribute.g.name)
                _rename(attribute.g, names)
