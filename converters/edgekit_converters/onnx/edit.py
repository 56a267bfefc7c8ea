"""Editing ONNX graphs: producers and consumers of values, adding, renaming, sorting."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from edgekit_converters.base import Array


class GraphEditor:
    """Adds nodes and constants to a graph, under free names."""

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
        """Add an initializer as ``name``, or the next free name, and return it; an equal one is reused."""
        from onnx import numpy_helper

        plain, number = name, 1
        while name in self._constants:
            present = self._constants[name]
            if present.dtype == value.dtype and np.array_equal(present, value):
                return name
            name, number = f"{plain}_{number}", number + 1
        self._constants[name] = value
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def shared(self, value: Array) -> str:
        """Add an initializer named by a number, and return its name; an equal one is reused.

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
        """Add a node with one output, named ``output`` or by a number, and return that name."""
        from onnx import helper

        output = output or self._number()
        node = helper.make_node(kind, list(inputs), [output], domain=domain, **(attributes or {}))
        self.producer[output] = node
        self.graph.node.append(node)
        return output

    def _number(self) -> str:
        return next(name for n in self._numbers if (name := str(n)) not in self._taken)

    def rename(self, old: str, new: str) -> None:
        """Rename a value where nodes produce and read it, but not the graph's inputs and outputs."""
        for node in self.graph.node:
            for ports in (node.input, node.output):
                for i, port in enumerate(ports):
                    if port == old:
                        ports[i] = new
        self.producer[new] = self.producer.pop(old)
        self.consumers[new] = self.consumers.pop(old, [])

    def number(self, number: int) -> None:
        """Name the values of a loop's body by numbers, and its nodes not at all: names take space."""
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
        """Sort the nodes, and drop the constants that nothing uses and all recorded shapes."""
        graph = self.graph
        order = sort_nodes(graph.node, self.inputs | {i.name for i in graph.initializer})
        del graph.node[:]
        graph.node.extend(order)
        drop_unused_constants(graph)
        del graph.value_info[:]


class NodeList:
    """New nodes of a graph, whose values are called after ``scope``; constants go to the graph at once.

    Names have a slash in them: inputs and outputs, which users name, have none.
    """

    def __init__(self, graph: Any, scope: str) -> None:
        self.nodes: list[Any] = []
        self._graph, self._scope = graph, scope
        self._values = {initializer.name: initializer for initializer in graph.initializer}

    def constant(self, name: str, value: Array) -> str:
        """Add an initializer, unless there is one of this name, which is taken for equal."""
        from onnx import numpy_helper

        if name not in self._values:
            self._values[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
            self._graph.initializer.append(self._values[name])
        return name

    def is_zero(self, name: str) -> bool:
        """Return whether a value is a constant of zeros."""
        from onnx import numpy_helper

        value = self._values.get(name)
        return value is not None and not np.any(numpy_helper.to_array(value))

    def add(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add a node with one output, called ``name`` in the scope; return its whole name."""
        return self.add_several(kind, inputs, (name,), **attributes)[0]

    def add_several(
        self, kind: str, inputs: Sequence[str], names: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs."""
        outputs = [f"{self._scope}/{name}" for name in names]
        self.add_named(kind, inputs, *outputs, **attributes)
        return outputs

    def add_named(self, kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> None:
        """Add a node whose outputs are called exactly so."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), **attributes))


def rename_values(graph: Any, names: Mapping[str, str]) -> None:
    """Rename values wherever a graph produces or reads them."""
    for node in graph.node:
        for ports in (node.input, node.output):
            for i, port in enumerate(ports):
                if port in names:
                    ports[i] = names[port]
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)


def drop_unused_constants(graph: Any) -> None:
    """Remove the initializers that no node reads and that are no output."""
    used = {port for node in graph.node for port in (*node.input, *captured(node))}
    used |= {o.name for o in graph.output}
    kept = [i for i in graph.initializer if i.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def captured(node: Any) -> dict[str, None]:
    """Return the values that the bodies of a Loop or an If read from the graph around them, in order."""
    return {
        port: None
        for attribute in node.attribute
        if attribute.HasField("g")
        for inner in attribute.g.node
        for port in (*inner.input, *captured(inner))
    }


def sort_nodes(
    nodes: Iterable[Any], known: set[str], wanted: Iterable[str] | None = None
) -> list[Any]:
    """Return the nodes in an order in which each comes after the producers of its inputs.

    Args:
        nodes: of a graph.
        known: the values that the graph has without them.
        wanted: only the nodes that these values need, in an order that depends on nothing else; all by
            default.
    """
    waiting = list(nodes)
    maker = {port: node for node in waiting for port in node.output}
    ready, order, done = set(known), [], set[int]()
    starts = waiting if wanted is None else [maker[port] for port in wanted if port in maker]
    for start in starts:  # depth first, without recursion: graphs are deep
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
