"""The layers of an ``.onnx`` file, by ONNX Runtime's CPU kernels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.base import Array
from edgekit_runtimes.engines import ort
from edgekit_runtimes.formats import onnx_file
from edgekit_runtimes.layers import Layer, Layers, as_float

_ONLY_CHANGE_TYPE = ("QuantizeLinear", "DequantizeLinear")
_MOVES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Pad")


def onnx_layers(path: Path, fused: bool = True) -> Layers:
    """Opens an ONNX file with every layer in sight.

    Of a quantized file only the quantized tensors are requested, so that ONNX Runtime still replaces
    its operators by integer kernels.

    Args:
        path: the file.
        fused: False to compute quantized operators in float32, as the file is written.

    Raises:
        RuntimeMissing: onnxruntime is not installed.
        ModelError: the file cannot be opened.
    """
    graph = onnx_file.read_graph(path)
    builder = _Builder(graph, onnx_file.read_scalars(path))
    for node in graph.nodes:
        builder.add(node)
    tensors = builder.tensors
    requested = [t for t in tensors if t is not None]
    session = ort.open_exposed(path, requested, fused=fused)
    types = {port.name: ort.numpy_type(port) for port in session.get_outputs()}
    types |= {port.name: ort.numpy_type(port) for port in session.get_inputs()}
    layers = tuple(
        replace(layer, dtype=types[tensor or layer.name])
        for layer, tensor in zip(builder.layers, tensors, strict=True)
    )
    plain = ort.open_exposed(path, [], fused=True) if fused and builder.quantized else None
    outputs = list(graph.outputs)
    one_by_one: list[Any] = []

    def run(batch: Mapping[str, Array]) -> list[Array]:
        x = {i.name: np.asarray(batch[i.name], ort.numpy_type(i)) for i in session.get_inputs()}
        names = [*requested, *outputs]
        values = dict(zip(names, session.run(names, x), strict=True))
        if plain and not _same(plain.run(outputs, x), [values[name] for name in outputs]):
            # ONNX Runtime makes signed tensors unsigned, and these may saturate; it does not so with
            # tensors that are requested. So each layer gets a session that requests no other.
            if not one_by_one:
                one_by_one.extend(ort.open_exposed(path, [t], fused=True) for t in requested)
            values = {t: s.run([t], x)[0] for t, s in zip(requested, one_by_one, strict=True)}
        return [
            np.asarray(batch[layer.name]) if tensor is None else as_float(values[tensor], layer)
            for tensor, layer in zip(tensors, layers, strict=True)
        ]

    return Layers(layers, run, tuple(ort.input_specs(session)))


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a tensor comes from."""

    layers: frozenset[int] = frozenset()
    """The positions of the layers that it is computed from, with no other layer between."""

    kind: str | None = None
    """The operator that computes it, and the name of that operator's tensor; None where a layer has it."""

    name: str = ""

    tensor: str = ""
    """Its own name; empty where it has a mere number."""


class _Builder:
    """The layers of a graph whose nodes are added in their order."""

    def __init__(self, graph: onnx_file.Graph, scalars: Mapping[str, Any]) -> None:
        self.layers: list[Layer] = []
        self.tensors: list[str | None] = []
        """The tensor of each layer to request; None for an input that is not quantized."""

        self.quantized = any(n.kind == "QuantizeLinear" for n in graph.nodes)
        self._graph, self._scalars = graph, scalars
        self._dequantized = {
            n.inputs[0]: _name(n.label) for n in graph.nodes if n.kind == "DequantizeLinear"
        }
        self._origins: dict[str, _Origin] = {}
        for name in graph.inputs:
            self._add(name, Layer(name, (name,), "input", ()), None)

    def add(self, node: onnx_file.Node) -> None:
        """Adds what a node computes to the layers, or to what the next of them is computed from."""
        origins = [self._origins[name] for name in node.inputs if name in self._origins]
        reads = frozenset[int]().union(*(origin.layers for origin in origins))
        if node.kind == "QuantizeLinear" and reads and node.inputs[1] in self._scalars:
            self._add_quantized(node, reads)
        elif node.kind in _ONLY_CHANGE_TYPE:
            self._origins[node.outputs[0]] = _Origin(reads, tensor=_name(node.label))
        else:
            self._add_computed(node, reads, [origin for origin in origins if origin.kind])

    def _add(self, tensor: str, layer: Layer, requested: str | None) -> None:
        self._origins[tensor] = _Origin(frozenset({len(self.layers)}))
        self.layers.append(layer)
        self.tensors.append(requested)

    def _add_quantized(self, node: onnx_file.Node, reads: frozenset[int]) -> None:
        """A tensor with a scale. One that is quantized again, by another scale, is another layer."""
        real, integer = node.inputs[0], node.outputs[0]
        zero = self._scalars.get(node.inputs[2]) if len(node.inputs) > 2 else None
        limits = np.iinfo(zero.dtype if zero is not None else np.uint8)
        origin = self._origins.get(real, _Origin())
        is_input = real in self._graph.inputs
        if is_input:
            kind, name = "input", real
        elif origin.kind:
            kind, name = origin.kind, origin.name
        else:
            kind, name = node.kind, integer
        tensors = (real if is_input else origin.tensor, self._dequantized.get(integer))
        layer = Layer(
            name,
            tuple(filter(None, tensors)),
            kind,
            () if is_input else tuple(sorted(reads)),
            scale=float(self._scalars[node.inputs[1]]),
            zero_point=int(zero) if zero is not None else 0,
            least=int(limits.min),
            greatest=int(limits.max),
        )
        if not is_input:
            self._add(integer, layer, integer)
            return
        (at,) = reads
        self.layers[at], self.tensors[at] = layer, integer
        self._origins[integer] = _Origin(reads)

    def _add_computed(
        self, node: onnx_file.Node, reads: frozenset[int], unshown: Sequence[_Origin]
    ) -> None:
        """An operator's tensors: layers in a float file; in a quantized one only its outputs are."""
        made = [*filter(None, node.outputs)]  # one without a name is not computed
        for tensor in made:
            called = node.label if tensor == made[0] else tensor
            if self.quantized and tensor not in self._graph.outputs:
                # The first operator behind a quantized tensor gives a layer its name; a Relu behind it
                # does not. Of several that move values it is the last.
                first = _Origin(reads, node.kind, node.label)
                if len(unshown) == 1 and unshown[0].kind not in _MOVES:
                    first = unshown[0]
                self._origins[tensor] = _Origin(reads, first.kind, first.name, _name(called))
            elif reads:
                names = tuple(filter(None, [_name(called)]))
                self._add(tensor, Layer(called, names, node.kind, tuple(sorted(reads))), tensor)


def _name(text: str) -> str:
    """A name; empty for a mere number, which another file has for something else."""
    return "" if text.isdigit() else text


def _same(expected: Sequence[Array], outputs: Sequence[Array]) -> bool:
    """Whether two sets of outputs differ by rounding at most: by less than a hundredth."""
    return all(
        np.linalg.norm((a - b).astype(np.float64).ravel()) <= 0.01 * np.linalg.norm(a.ravel())
        for a, b in zip(expected, outputs, strict=True)
        if a.dtype.kind == "f"
    )
