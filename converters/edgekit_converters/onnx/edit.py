"""An ONNX graph under the pen: who makes and who reads each value, and adding to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

import numpy as np

from edgekit_converters.base import Array


class GraphEditor:
    """Adds nodes and constants to a graph, under names that are free."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.inputs = {i.name for i in graph.input}
        self.outputs = {o.name for o in graph.output}
        self.producer = {port: node for node in graph.node for port in node.output}
        self.consumers: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for port in node.input:
                self.consumers[port].append(node)
        self._constants: dict[str, Array] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._taken = {i.name for i in graph.initializer} | self.inputs | set(self.producer)
        self._numbers = count(1)

    def constant(self, name: str, value: Array) -> str:
        """Adds an initializer under ``name`` or the next free one; an equal one is used again."""
        from onnx import numpy_helper

        plain, number = name, 1
        while name in self._constants:
            held = self._constants[name]
            if held.dtype == value.dtype and np.array_equal(held, value):
                return name
            name, number = f"{plain}_{number}", number + 1
        self._constants[name] = value
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def shared(self, value: Array) -> str:
        """Adds an initializer under a number; an equal one is used again.

        In a small model, names outweigh the weights.
        """
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._shared:
            self._shared[key] = self.constant(self._number(), value)
        return self._shared[key]

    def node(
        self,
        kind: str,
        inputs: Iterable[str],
        output: str = "",
        *,
        domain: str = "",
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Adds a node with one output, named ``output`` or a number; returns the name."""
        from onnx import helper

        output = output or self._number()
        node = helper.make_node(kind, list(inputs), [output], domain=domain, **(attributes or {}))
        self.producer[output] = node
        self.graph.node.append(node)
        return output

    def _number(self) -> str:
        return next(name for n in self._numbers if (name := str(n)) not in self._taken)

    def rename(self, old: str, new: str) -> None:
        """Renames a value where nodes make and read it; the graph's own inputs and outputs stay."""
        for node in self.graph.node:
            for ports in (node.input, node.output):
                for i, port in enumerate(ports):
                    if port == old:
                        ports[i] = new
        self.producer[new] = self.producer.pop(old)
        self.consumers[new] = self.consumers.pop(old, [])

    def number(self, number: int) -> None:
        """Gives the values made in a loop's body numbers for names, and its nodes none.

        As in ``shared``, for their size.
        """
        graph = self.graph
        made = [value.name for value in (*graph.input, *graph.initializer)]
        made += [port for node in graph.node for port in node.output if port]
        names = {name: f"{number}/{index}" for index, name in enumerate(made)}
        rename_values(graph, names)
        for initializer in graph.initializer:
            initializer.name = names[initializer.name]
        for node in graph.node:
            node.name = ""

    def finish(self) -> None:
        """Sorts the nodes, and drops the constants and shapes that nothing uses any more."""
        graph = self.graph
        order = _sorted(graph.node, self.inputs | {i.name for i in graph.initializer})
        del graph.node[:]
        graph.node.extend(order)
        drop_unused_constants(graph)
        del graph.value_info[:]


def rename_values(graph: Any, names: Mapping[str, str]) -> None:
    """Renames values wherever they are made and used in a graph."""
    for node in graph.node:
        for ports in (node.input, node.output):
            for i, port in enumerate(ports):
                if port in names:
                    ports[i] = names[port]
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)


def drop_unused_constants(graph: Any) -> None:
    """Removes the initializers that no node reads and no output is."""
    used = {port for node in graph.node for port in (*node.input, *captured(node))}
    used |= {o.name for o in graph.output}
    kept = [i for i in graph.initializer if i.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def captured(node: Any) -> set[str]:
    """What the bodies of a Loop or an If read from the graph around them."""
    return {
        port
        for attribute in node.attribute
        if attribute.HasField("g")
        for inner in attribute.g.node
        for port in (*inner.input, *captured(inner))
    }


def _sorted(nodes: Iterable[Any], known: set[str]) -> list[Any]:
    """The nodes in an order in which each finds its inputs made."""
    waiting = list(nodes)
    maker = {port: node for node in waiting for port in node.output}
    ready, order, done = set(known), [], set[int]()
    for start in waiting:  # depth first, without recursion: graphs are deep
        stack = [start]
        while stack:
            node = stack[-1]
            missing = [p for p in (*node.input, *captured(node)) if p in maker and p not in ready]
            if id(node) in done or not missing:
                stack.pop()
                if id(node) not in done:
                    done.add(id(node))
                    ready.update(node.output)
                    order.append(node)
            else:
                stack.extend(maker[p] for p in missing)
    return order
