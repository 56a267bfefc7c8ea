"""What ONNX Runtime runs where: the CPU's kernels from a profile, a provider's nodes from its own list."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.engines.signed_weights import SignedFile
from edgekit_runtimes.formats.onnx_file import Graph, Node, read_graph
from edgekit_runtimes.host import processor_name
from edgekit_runtimes.placement import Operator, Placement, macs

_INTEGERS = ("int8", "uint8")
_NAMES = {"float": "float32", "double": "float64"}
_RECAST = "InsertedPrecisionFreeCast_"  # before the tensors of a float16 file that the CPU runs in float32
_BLOCKED = "_nchwc"  # a kernel in blocks of channels, named after the tensor that it makes
_PRODUCTS = (
    "DynamicQuantizeMatMul",
    "MatMul",
    "Gemm",
    "QGemm",
    "QLinearMatMul",
    "FusedMatMul",
    "FusedGemm",
    "MatMulInteger",
    "MatMulNBits",  # what a MatMul of dequantized weights becomes where there are kernels for it
)
_CONVOLUTIONS = ("Conv", "QLinearConv", "FusedConv", "NhwcFusedConv", "ConvInteger")
_RECURRENT = ("LSTM", "GRU", "RNN")
_RENAMED = re.compile(r"_(token|nhwc)_?\d*$")


def cpu_placement(runtime: Any, path: Path, signed: SignedFile | None = None) -> Placement:
    """The kernels that the CPU runs, with their types, from a profile of one call.

    Args:
        runtime: the module onnxruntime.
        path: the file.
        signed: what it was opened as, where its weights were made signed.
    """
    graph = read_graph(path)
    operators = [
        Operator(
            event["op_name"],
            "CPU",
            _precision(event["op_name"], event),
            _macs(graph, name, event["op_name"], event),
            name,
        )
        for name, event in _profile(
            runtime, path, optimized=True, content=signed.content if signed else None
        )
    ]
    notes = [_note(signed.count)] if signed else []
    return Placement("mlas", processor_name(), "CPU", operators, notes=notes)


def _note(count: int) -> str:
    return f"weights: {count} tensor{'' if count == 1 else 's'} read as signed (VNNI)"


def provider_placement(
    runtime: Any,
    path: Path,
    session: Any,
    *,
    device: str,
    provider: str,
    integers: bool,
    processor: str,
    simulated: bool,
) -> Placement:
    """The nodes that a provider took in ``session``, and those that it left to the CPU.

    Args:
        runtime: the module onnxruntime.
        path: the file.
        session: opened with the recording of assignments.
        device: its name in ``open_model``.
        provider: the provider's own name.
        integers: whether the provider computes quantized operators in integers.
        processor, simulated: see ``Placement``.
    """
    graph = read_graph(path)
    shapes = dict(_profile(runtime, path, optimized=False))
    parts = session.get_provider_graph_assignment_info()
    operators = []
    for part in parts:
        for node in part.get_nodes():
            name = _RENAMED.sub("", node.name)
            quantized = integers and _quantized(graph, name, node.op_type)
            operators.append(
                Operator(
                    node.op_type,
                    provider if part.ep_name == provider else "CPU",
                    "int8" if quantized and part.ep_name == provider else "float32",
                    _macs(graph, name, node.op_type, shapes.get(name, {})),
                    name,
                )
            )
    return Placement(
        device,
        processor,
        provider,
        operators,
        _pieces([(part.ep_name == provider, len(part.get_nodes())) for part in parts]),
        simulated=simulated,
    )


def _pieces(parts: Sequence[tuple[bool, int]]) -> int:
    """How many pieces the provider runs; where it reports each node alone, those in a row are one."""
    ours = [here for here, _ in parts]
    if any(here and nodes > 1 for here, nodes in parts):
        return sum(ours)
    return sum(here and not before for before, here in zip([False, *ours], ours, strict=False))


def _quantized(graph: Graph, name: str, kind: str) -> bool:
    if kind in ("QuantizeLinear", "DequantizeLinear"):
        return True
    node = next((n for n in graph.nodes if n.name == name), None)
    maker = graph.maker(node.inputs[0]) if node and node.inputs else None
    if maker is None or maker.kind == "DequantizeLinear":
        return maker is not None
    # An activation is computed with the operator before it.
    return kind in ("Relu", "Clip") and _quantized(graph, maker.name, maker.kind)


def _profile(
    runtime: Any, path: Path, *, optimized: bool, content: bytes | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """Each node that one call on the CPU runs, by name, with types and shapes; loops count once."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_profiling = True
    if not optimized:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with tempfile.TemporaryDirectory() as folder, quiet():
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = runtime.InferenceSession(
            content or str(path), options, providers=["CPUExecutionProvider"]
        )
        session.run(
            None,
            {
                i.name: np.zeros(
                    [n if isinstance(n, int) else 1 for n in i.shape],
                    _dtype(i.type),
                )
                for i in session.get_inputs()
            },
        )
        events = json.loads(Path(session.end_profiling()).read_text())
    seen: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = _RENAMED.sub("", event["name"].removesuffix("_kernel_time"))
            seen.setdefault(name, event["args"])
    return list(seen.items())


def _dtype(port: str) -> str:
    kind = port.removeprefix("tensor(").removesuffix(")")
    return _NAMES.get(kind, kind)


def _convolution(graph: Graph, name: str) -> Node | None:
    """The node of that name; or the one before the activation that makes the tensor of that name."""
    node = next((n for n in graph.nodes if n.name == name), None) or graph.maker(name)
    while node and node.kind in ("Relu", "Clip") and node.inputs:
        node = graph.maker(node.inputs[0])
    return node


def _types(event: Mapping[str, Any], side: str) -> list[tuple[str, Sequence[int]]]:
    return [next(iter(entry.items())) for entry in event.get(side) or [] if entry]


def _precision(kind: str, event: Mapping[str, Any]) -> str:
    inputs, outputs = _types(event, "input_type_shape"), _types(event, "output_type_shape")
    if kind.startswith(("QLinear", "QGemm")) or (kind == "DequantizeLinear" and inputs):
        types = [inputs[0][0] if kind == "DequantizeLinear" else "int8"]
    else:
        types = [t for t, _ in outputs[:1]]
    if not types:
        return "?"
    return "int8" if types[0] in _INTEGERS else _NAMES.get(types[0], types[0])


def _macs(graph: Graph, name: str, kind: str, event: Mapping[str, Any]) -> int:
    inputs, outputs = _types(event, "input_type_shape"), _types(event, "output_type_shape")
    if not inputs or not outputs:
        return 0
    out = outputs[0][1]
    if kind in _PRODUCTS:
        return prod(out) * (inputs[0][1][-1] if inputs[0][1] else 1)
    if kind in _RECURRENT:  # each step multiplies every sample by both weights
        cell = next((n for n in graph.nodes if n.name == name), None)
        both = [graph.weights(cell, position) for position in (1, 2)] if cell else []
        return prod(inputs[0][1][:2]) * sum(prod(shape) for shape in both if shape)
    node = _convolution(graph, name.removesuffix(_BLOCKED).removeprefix(_RECAST))
    weights = graph.weights(node) if node else ()
    if kind in _CONVOLUTIONS and weights:  # (out, in / groups, height, width)
        if name.endswith(_BLOCKED):  # whose channels are filled up to whole blocks
            return prod(out) // out[1] * prod(weights)
        return macs(out, weights, weights[0])
    if kind == "ConvTranspose" and weights:  # (in, out / groups, height, width)
        return macs(inputs[0][1], weights, weights[0])
    return 0
