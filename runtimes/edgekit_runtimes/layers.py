"""What lies between a file's inputs and outputs: every layer's tensor, as real numbers.

``open_layers`` opens a file so that nothing is hidden; slower than a session, and for one purpose:
holding a quantized file against its float original, layer by layer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes import litert, onnx_file, ort
from edgekit_runtimes.base import Array, ModelError, TensorSpec

_CHANGES_OF_TYPE = ("QUANTIZE", "DEQUANTIZE")
_PLUMBING = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, slots=True)
class Layer:
    """A tensor that the graph computes."""

    name: str
    """What to call it: the tensor of the operator that does the work."""

    tensors: tuple[str, ...]
    """The tensors with its values: real ones, and quantized or dequantized ones."""

    kind: str
    """The operator that computes it, by the format's own name."""

    reads: tuple[int, ...]
    """The positions, in the list of layers, of those whose tensors it reads."""

    scale: float | None = None
    """Where it is quantized: real value = scale x (integer - zero_point)."""

    zero_point: int = 0
    least: int = 0
    """The least and the greatest integer that its type holds."""

    greatest: int = 0

    @property
    def range(self) -> tuple[float, float] | None:
        """The real numbers that it can hold; None in float."""
        if self.scale is None:
            return None
        low, high = (self.scale * (end - self.zero_point) for end in (self.least, self.greatest))
        return low, high


@dataclass(frozen=True, slots=True)
class Layers:
    """A file's layers in the order of its graph, and a way to compute them."""

    layers: tuple[Layer, ...]
    run: Callable[[Mapping[str, Array]], list[Array]]
    """From one batch by input name to real numbers, one array a layer."""

    inputs: tuple[TensorSpec, ...]


def open_layers(path: Path, *, fused: bool = True) -> Layers:
    """Opens a ``.tflite`` or ``.onnx`` file with every layer in sight.

    The first layers are the file's inputs. LiteRT runs its own kernels, since XNNPACK shows nothing.
    ONNX Runtime runs those that it runs otherwise: of a quantized file only the quantized tensors are
    asked for, so that its integer kernels stay as they are.

    Args:
        path: the file.
        fused: False for ONNX Runtime to compute quantized operators in float, as the file is written.

    Raises:
        RuntimeMissing: its runtime is not installed.
        ModelError: the file cannot be opened.
    """
    if path.suffix == ".tflite":
        return _tflite(path)
    if path.suffix == ".onnx":
        return _onnx(path, fused)
    raise ModelError(f"{path}: layers can be seen in .tflite and .onnx files.")


def _tflite(path: Path) -> Layers:
    interpreter = litert.load(path, plain=True, every_tensor=True)
    tensors = {int(d["index"]): d for d in interpreter.get_tensor_details()}
    inputs = interpreter.get_input_details()
    layers: list[Layer] = []
    shown: list[int] = []  # the tensor of each layer
    position: dict[int, int] = {}  # of the layer with a tensor's values
    for detail in inputs:
        position[int(detail["index"])] = len(layers)
        shown.append(int(detail["index"]))
        layers.append(_tflite_layer(detail, "input", ()))
    for node in interpreter._get_ops_details():  # LiteRT has no public list
        reads = tuple(position[int(i)] for i in node["inputs"] if int(i) in position)
        made = [int(i) for i in node["outputs"] if int(i) in tensors]
        if node["op_name"] in _CHANGES_OF_TYPE and reads:
            (source,), (tensor,) = reads[:1], made[:1]
            position[tensor] = source
            whole, other = layers[source], _tflite_layer(tensors[tensor], "", ())
            keeps = whole.scale is not None or other.scale is None
            layers[source] = Layer(
                whole.name,
                (*whole.tensors, *other.tensors),
                whole.kind,
                whole.reads,
                *_numbers(whole if keeps else other),
            )
            shown[source] = shown[source] if keeps else tensor
            continue
        for tensor in made:
            if not reads or tensors[tensor]["dtype"] not in (
                np.float32,
                np.int8,
                np.uint8,
                np.int16,
            ):
                continue  # made of constants, or positions and conditions
            position[tensor] = len(layers)
            shown.append(tensor)
            layers.append(_tflite_layer(tensors[tensor], node["op_name"], reads))

    def run(batch: Mapping[str, Array]) -> list[Array]:
        for detail in inputs:
            array = np.asarray(batch[detail["name"]])
            interpreter.set_tensor(detail["index"], _integers(array, detail))
        interpreter.invoke()
        return [
            _real(interpreter.get_tensor(tensor), layer)
            for tensor, layer in zip(shown, layers, strict=True)
        ]

    return Layers(tuple(layers), run, tuple(litert.spec(detail) for detail in inputs))


def _tflite_layer(detail: Mapping[str, object], kind: str, reads: tuple[int, ...]) -> Layer:
    tensor = litert.spec(dict(detail))
    if tensor.scale is None:
        return Layer(tensor.name, (tensor.name,), kind, reads)
    ends = np.iinfo(tensor.dtype)
    return Layer(
        tensor.name,
        (tensor.name,),
        kind,
        reads,
        tensor.scale,
        tensor.zero_point,
        int(ends.min),
        int(ends.max),
    )


def _numbers(layer: Layer) -> tuple[float | None, int, int, int]:
    return layer.scale, layer.zero_point, layer.least, layer.greatest


def _integers(array: Array, detail: Mapping[str, object]) -> Array:
    tensor = litert.spec(dict(detail))
    if tensor.scale is None:
        return array.astype(tensor.dtype)
    ends = np.iinfo(tensor.dtype)
    scaled = np.rint(array / tensor.scale) + tensor.zero_point
    integers: Array = np.clip(scaled, ends.min, ends.max).astype(tensor.dtype)
    return integers


def _alike(expected: Sequence[Array], got: Sequence[Array]) -> bool:
    """Whether two answers differ by rounding at most: by less than a hundredth."""
    return all(
        np.linalg.norm((a - b).astype(np.float64).ravel()) <= 0.01 * np.linalg.norm(a.ravel())
        for a, b in zip(expected, got, strict=True)
        if a.dtype.kind == "f"
    )


def _real(array: Array, layer: Layer) -> Array:
    if layer.scale is None or array.dtype.kind == "f":
        return array
    real: Array = (array.astype(np.float32) - layer.zero_point) * np.float32(layer.scale)
    return real


def _onnx(path: Path, fused: bool) -> Layers:
    graph = onnx_file.read_graph(path)
    scalars = onnx_file.read_scalars(path)
    outputs = set(graph.outputs)
    quantized = any(n.kind == "QuantizeLinear" for n in graph.nodes)
    behind = {n.inputs[0]: n for n in graph.nodes if n.kind == "DequantizeLinear"}
    layers: list[Layer] = []
    shown: list[str | None] = []  # the tensor to ask for; None for an input that is not quantized
    sources: dict[str, frozenset[int]] = {}  # the layers that a tensor is made of
    kinds: dict[
        str, tuple[str, str]
    ] = {}  # the operator that a tensor is made by, and its own name
    for name in graph.inputs:
        sources[name] = frozenset({len(layers)})
        layers.append(Layer(name, (name,), "input", ()))
        shown.append(None)
    for node in graph.nodes:
        reads = frozenset[int]().union(*(sources.get(i, frozenset()) for i in node.inputs))
        if node.kind == "QuantizeLinear" and reads and node.inputs[1] in scalars:
            real, integer = node.inputs[0], node.outputs[0]
            zero = scalars.get(node.inputs[2]) if len(node.inputs) > 2 else None
            kind = np.dtype(zero.dtype if zero is not None else np.uint8)
            ends = np.iinfo(kind)
            is_input = real in graph.inputs
            # What is quantized again, by another scale, is a layer of its own.
            maker, own = ("input", real) if is_input else kinds.get(real, (node.kind, integer))
            dequantized = behind[integer].outputs[:1] if integer in behind else ()
            made = Layer(
                own,
                (real, *dequantized),
                maker,
                () if is_input else tuple(sorted(reads)),
                float(scalars[node.inputs[1]]),
                int(zero) if zero is not None else 0,
                int(ends.min),
                int(ends.max),
            )
            if is_input:
                (at,) = reads
                layers[at], shown[at] = made, integer
            else:
                at = len(layers)
                layers.append(made)
                shown.append(integer)
            sources[integer] = frozenset({at})
        elif node.kind in _PLUMBING:
            sources[node.outputs[0]] = reads
        else:
            before = [kinds[i] for i in node.inputs if i in kinds]
            for out in filter(None, node.outputs):  # one without a name is not computed
                if quantized and out not in outputs:
                    # Only what is quantized is shown. The first operator behind a quantized tensor
                    # gives a layer its name; a Relu behind it does not.
                    sources[out] = reads
                    kinds[out] = before[0] if len(before) == 1 else (node.kind, node.outputs[0])
                elif reads:
                    sources[out] = frozenset({len(layers)})
                    layers.append(Layer(out, (out,), node.kind, tuple(sorted(reads))))
                    shown.append(out)
    wanted = [s for s in shown if s is not None]
    session = ort.open_exposed(path, wanted, fused=fused)
    plain = ort.open_exposed(path, [], fused=True) if fused and quantized else None
    answers = list(graph.outputs)
    one_by_one: list[Any] = []

    def run(batch: Mapping[str, Array]) -> list[Array]:
        given = {i.name: np.asarray(batch[i.name], ort.numpy_type(i)) for i in session.get_inputs()}
        found = dict(zip([*wanted, *answers], session.run([*wanted, *answers], given), strict=True))
        if plain and not _alike(plain.run(answers, given), [found[name] for name in answers]):
            # ONNX Runtime turns signed tensors into unsigned ones, where they may saturate; not those
            # that are asked for. So each layer gets a session in which all the others are turned.
            if not one_by_one:
                one_by_one.extend(ort.open_exposed(path, [t], fused=True) for t in wanted)
            found = {t: s.run([t], given)[0] for t, s in zip(wanted, one_by_one, strict=True)}
        return [
            np.asarray(batch[layer.name]) if name is None else _real(found[name], layer)
            for name, layer in zip(shown, layers, strict=True)
        ]

    return Layers(tuple(layers), run, tuple(ort.input_specs(session)))
